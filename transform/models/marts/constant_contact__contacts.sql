{#- A row is a contact, with its engagement. -#}
with contacts as (
    select * from {{ ref('stg_constant_contact__contacts') }}
),

activity as (
    select * from {{ ref('constant_contact__activity') }}
),

-- Days are counted as of the newest activity of a source.
as_of as (
    select
        source_relation,
        max(occurred_at) as as_of
    from activity
    group by source_relation
),

dated as (
    select
        activity.*,
        as_of.as_of
    from activity
    inner join as_of
        on activity.source_relation = as_of.source_relation
),

engagement as (
    select
        source_relation,
        contact_id,
        {{ constant_contact_activities('send') }} as sends,
        {{ constant_contact_activities('open') }} as opens,
        {{ constant_contact_activities('click') }} as clicks,
        {{ constant_contact_activities('bounce') }} as bounces,
        max(case when activity_type = 'send' then occurred_at end) as last_sent_at,
        max(case when activity_type = 'open' then occurred_at end) as last_open_at,
        max(case when activity_type = 'click' then occurred_at end) as last_click_at,
        {% for days in [30, 90, 365] %}
        {% for type in ['send', 'open', 'click'] %}
        sum(case when activity_type = '{{ type }}' and occurred_at > {{ dbt.dateadd('day', -days, 'as_of') }} then 1 else 0 end)
            as {{ type }}s_{{ days }}_days,
        {% endfor %}
        {% endfor %}
        {{ constant_contact_engaged_at() }} as last_engaged_at
    from dated
    group by source_relation, contact_id
),

lists as (
    select
        source_relation,
        contact_id,
        count(*) as lists_count
    from {{ ref('stg_constant_contact__contact_lists') }}
    group by source_relation, contact_id
),

joined as (
    select
        contacts.source_relation,
        contacts.api_version,
        contacts.contact_id,
        contacts.email_address,
        lower({{ dbt.split_part('contacts.email_address', "'@'", 2) }}) as domain,
        contacts.permission,
        case
            when contacts.is_deleted then 'deleted'
            when contacts.permission = 'unsubscribed' then 'unsubscribed'
            when contacts.permission = 'pending_confirmation' then 'pending'
            when contacts.email_address is null then 'without_email'
            else 'active'
        end as status,
        contacts.opt_in_at,
        contacts.opt_in_source,
        contacts.opt_out_at,
        contacts.opt_out_source,
        contacts.opt_out_reason,
        contacts.first_name,
        contacts.last_name,
        contacts.job_title,
        contacts.company_name,
        contacts.create_source,
        contacts.created_at,
        contacts.updated_at,
        contacts.deleted_at,
        {% for column in var('constant_contact__contact_columns') %}
        contacts.{{ column.alias | default(column.name) }},
        {% endfor %}
        coalesce(lists.lists_count, 0) as lists_count,
        coalesce(engagement.sends, 0) as sends,
        coalesce(engagement.opens, 0) as opens,
        coalesce(engagement.clicks, 0) as clicks,
        coalesce(engagement.bounces, 0) as bounces,
        {% for days in [30, 90, 365] %}
        {% for type in ['send', 'open', 'click'] %}
        coalesce(engagement.{{ type }}s_{{ days }}_days, 0) as {{ type }}s_{{ days }}_days,
        {% endfor %}
        {% endfor %}
        engagement.last_sent_at,
        engagement.last_open_at,
        engagement.last_click_at,
        engagement.last_engaged_at,
        {{ dbt.datediff('engagement.last_engaged_at', 'as_of.as_of', 'day') }} as days_since_engaged,
        {{ dbt.datediff('coalesce(contacts.opt_in_at, contacts.created_at)', 'as_of.as_of', 'day') }}
            as days_since_joined
    from contacts
    left join as_of
        on contacts.source_relation = as_of.source_relation
    left join engagement
        on contacts.source_relation = engagement.source_relation
        and contacts.contact_id = engagement.contact_id
    left join lists
        on contacts.source_relation = lists.source_relation
        and contacts.contact_id = lists.contact_id
)

select
    *,
    case
        when status <> 'active' then 'unreachable'
        {{ constant_contact_bands('days_since_engaged') }}
        when days_since_joined < {{ var('constant_contact__new_days') }}
            or sends < {{ var('constant_contact__new_sends') }} then 'new'
        when sends >= {{ var('constant_contact__never_sends') }} then 'never'
        else 'new'
    end as engagement_band
from joined
