{#- A row is a send, open, click, bounce, forward or unsubscribe of a contact. -#}
{{ config(**constant_contact_by_mailing()) }}
with activity as (
    {{ constant_contact_changed_activity(ref('stg_constant_contact__activity')) }}
),

sendings as (
    select
        source_relation,
        mailing_id,
        contact_id,
        min(occurred_at) as sent_at
    from activity
    where activity_type = 'send'
    group by source_relation, mailing_id, contact_id
),

-- Clicks of a contact on different links of a mailing, by minute.
click_bursts as (
    select
        source_relation,
        mailing_id,
        contact_id,
        {{ dbt.date_trunc('minute', 'occurred_at') }} as minute,
        count(distinct link_id) as links
    from activity
    where activity_type = 'click'
    group by source_relation, mailing_id, contact_id, {{ dbt.date_trunc('minute', 'occurred_at') }}
),

marked as (
    select
        activity.source_relation,
        activity.api_version,
        activity.mailing_id,
        activity.campaign_id,
        activity.contact_id,
        activity.activity_type,
        activity.occurred_at,
        {{ constant_contact_local('activity.occurred_at', 'accounts.time_zone') }} as occurred_local,
        activity.duplicate_number,
        activity.email_address,
        activity.link_id,
        coalesce(activity.url, links.url) as url,
        activity.device_type,
        activity.bounce_code,
        activity.reason,
        sendings.sent_at,
        {{ dbt.datediff('sendings.sent_at', 'activity.occurred_at', 'minute') }}
            as minutes_since_send,
        case
            when activity.activity_type = 'open'
                and {{ dbt.datediff('sendings.sent_at', 'activity.occurred_at', 'minute') }}
                <= {{ var('constant_contact__machine_open_minutes') }}
                then 'opened at delivery'
            when activity.activity_type = 'click'
                and click_bursts.links >= {{ var('constant_contact__machine_click_links') }}
                then 'many links in a minute'
        end as machine_rule,
        activity.loaded_at
    from activity
    left join {{ ref('stg_constant_contact__accounts') }} as accounts
        on activity.source_relation = accounts.source_relation
        and activity.api_version = accounts.api_version
    left join sendings
        on activity.source_relation = sendings.source_relation
        and activity.mailing_id = sendings.mailing_id
        and activity.contact_id = sendings.contact_id
    left join {{ ref('stg_constant_contact__links') }} as links
        on activity.source_relation = links.source_relation
        and activity.mailing_id = links.mailing_id
        and activity.link_id = links.link_id
    left join click_bursts
        on activity.activity_type = 'click'
        and activity.source_relation = click_bursts.source_relation
        and activity.mailing_id = click_bursts.mailing_id
        and activity.contact_id = click_bursts.contact_id
        and {{ dbt.date_trunc('minute', 'activity.occurred_at') }} = click_bursts.minute
)

select
    *,
    machine_rule is not null as is_likely_machine
from marked
