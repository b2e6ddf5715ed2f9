{#- A row is a contact that a mailing was sent to. -#}
{{ config(**constant_contact_by_mailing()) }}
with activity as (
    select activity.*
    from {{ ref('constant_contact__activity') }} as activity
    {{ constant_contact_loaded_mailings(ref('constant_contact__activity'), 'activity') }}
)

select
    source_relation,
    api_version,
    mailing_id,
    campaign_id,
    contact_id,
    min(case when activity_type = 'send' then occurred_at end) as sent_at,
    max(case when activity_type = 'bounce' then bounce_code end) as bounce_code,
    min(case when activity_type = 'open' then occurred_at end) as first_open_at,
    min(case when activity_type = 'click' then occurred_at end) as first_click_at,
    sum(case when activity_type = 'open' then 1 else 0 end) as opens,
    sum(case when activity_type = 'click' then 1 else 0 end) as clicks,
    count(distinct case when activity_type = 'click' then link_id end) as links_clicked,
    sum(case when activity_type = 'open' and not is_likely_machine then 1 else 0 end)
        as human_opens,
    sum(case when activity_type = 'open' and is_likely_machine then 1 else 0 end)
        as machine_opens,
    sum(case when activity_type = 'click' and is_likely_machine then 1 else 0 end)
        as machine_clicks,
    sum(case when activity_type = 'forward' then 1 else 0 end) as forwards,
    sum(case when activity_type = 'send' then 1 else 0 end) > 0 as was_sent,
    sum(case when activity_type = 'bounce' then 1 else 0 end) > 0 as was_bounced,
    sum(case when activity_type = 'open' then 1 else 0 end) > 0 as was_opened,
    sum(case when activity_type = 'click' then 1 else 0 end) > 0 as was_clicked,
    sum(case when activity_type = 'forward' then 1 else 0 end) > 0 as was_forwarded,
    sum(case when activity_type = 'unsubscribe' then 1 else 0 end) > 0 as was_unsubscribed,
    min(case when activity_type = 'open' then minutes_since_send end) as minutes_to_open,
    min(case when activity_type = 'click' then minutes_since_send end) as minutes_to_click,
    max(loaded_at) as loaded_at
from activity
group by source_relation, api_version, mailing_id, campaign_id, contact_id
