{#- A row is a day and source of contacts: those that came, unsubscribed or were deleted, in UTC. -#}
with contacts as (
    select
        *,
        coalesce(create_source, '') as source
    from {{ ref('constant_contact__contacts') }}
    where status in ('active', 'unsubscribed', 'deleted')
),

changes as (
    select
        source_relation,
        api_version,
        source,
        cast(coalesce(created_at, opt_in_at, updated_at) as date) as day,
        1 as new_contacts,
        0 as unsubscribed,
        0 as deleted
    from contacts
    union all
    select
        source_relation,
        api_version,
        source,
        cast(coalesce(opt_out_at, updated_at, created_at) as date) as day,
        0 as new_contacts,
        1 as unsubscribed,
        0 as deleted
    from contacts
    where status = 'unsubscribed'
    union all
    select
        source_relation,
        api_version,
        source,
        coalesce(deleted_at, cast(updated_at as date), cast(created_at as date)) as day,
        0 as new_contacts,
        0 as unsubscribed,
        1 as deleted
    from contacts
    where status = 'deleted'
),

days as (
    select
        source_relation,
        api_version,
        source,
        day,
        sum(new_contacts) as new_contacts,
        sum(unsubscribed) as unsubscribed,
        sum(deleted) as deleted
    from changes
    where day is not null
    group by source_relation, api_version, source, day
)

select
    *,
    new_contacts - unsubscribed - deleted as net,
    sum(new_contacts - unsubscribed - deleted) over (
        partition by source_relation, source
        order by day
        rows between unbounded preceding and current row
    ) as active_contacts
from days
