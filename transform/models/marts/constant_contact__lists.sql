{#- A row is a list, with its contacts by status. -#}
with memberships as (
    select
        source_relation,
        list_id,
        count(*) as contacts,
        sum(case when contact_status = 'active' then 1 else 0 end) as active_contacts,
        sum(case when contact_status = 'unsubscribed' then 1 else 0 end) as unsubscribed_contacts,
        sum(case when engagement_band = 'engaged' then 1 else 0 end) as engaged_contacts,
        sum(case when engagement_band = 'never' then 1 else 0 end) as never_engaged_contacts
    from {{ ref('constant_contact__contact_lists') }}
    group by source_relation, list_id
),

-- Mailings to several lists count for each of them.
mailings as (
    select
        mailing_lists.source_relation,
        mailing_lists.list_id,
        count(*) as mailings,
        max(mailings.first_sent_at) as last_mailing_at,
        sum(mailings.delivered) as delivered,
        sum(mailings.unique_opens) as unique_opens,
        sum(mailings.unique_clicks) as unique_clicks
    from {{ ref('stg_constant_contact__mailing_lists') }} as mailing_lists
    inner join {{ ref('constant_contact__mailings') }} as mailings
        on mailing_lists.source_relation = mailings.source_relation
        and mailing_lists.mailing_id = mailings.mailing_id
    group by mailing_lists.source_relation, mailing_lists.list_id
),

growth as (
    select
        source_relation,
        list_id,
        sum(joined) as joined_30_days,
        sum(left_list) as left_30_days
    from {{ ref('constant_contact__list_growth') }}
    where day > cast({{ dbt.dateadd('day', -30, constant_contact_now()) }} as date)
    group by source_relation, list_id
)

select
    lists.source_relation,
    lists.api_version,
    lists.list_id,
    lists.name,
    lists.created_at,
    lists.updated_at,
    lists.is_deleted,
    coalesce(memberships.contacts, 0) as contacts,
    coalesce(memberships.active_contacts, 0) as active_contacts,
    coalesce(memberships.unsubscribed_contacts, 0) as unsubscribed_contacts,
    coalesce(memberships.engaged_contacts, 0) as engaged_contacts,
    coalesce(memberships.never_engaged_contacts, 0) as never_engaged_contacts,
    coalesce(growth.joined_30_days, 0) as joined_30_days,
    coalesce(growth.left_30_days, 0) as left_30_days,
    coalesce(mailings.mailings, 0) as mailings,
    mailings.last_mailing_at,
    {{ constant_contact_rate('mailings.unique_opens', 'mailings.delivered') }} as open_rate,
    {{ constant_contact_rate('mailings.unique_clicks', 'mailings.delivered') }} as click_rate,
    lists.reported_contacts
from {{ ref('stg_constant_contact__lists') }} as lists
left join memberships
    on lists.source_relation = memberships.source_relation
    and lists.list_id = memberships.list_id
left join mailings
    on lists.source_relation = mailings.source_relation
    and lists.list_id = mailings.list_id
left join growth
    on lists.source_relation = growth.source_relation
    and lists.list_id = growth.list_id
