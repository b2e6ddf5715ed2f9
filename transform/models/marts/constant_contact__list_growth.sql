{#- A row is a day on which contacts joined or left a list, in UTC. -#}
with history as (
    select * from {{ ref('constant_contact__memberships') }}
),

-- A change of permission gives a contact several rows.
memberships as (
    select
        source_relation,
        api_version,
        contact_id,
        list_id,
        min(dbt_valid_from) as seen_from,
        max(case when dbt_valid_to is null then 1 else 0 end) = 1 as is_current,
        max(dbt_valid_to) as seen_until
    from history
    group by source_relation, api_version, contact_id, list_id
),

first_snapshots as (
    select
        source_relation,
        min(seen_from) as first_seen_at
    from memberships
    group by source_relation
),

dated as (
    select
        memberships.source_relation,
        memberships.api_version,
        memberships.list_id,
        memberships.seen_from > first_snapshots.first_seen_at as is_observed,
        case
            when memberships.seen_from > first_snapshots.first_seen_at then memberships.seen_from
            else coalesce(contacts.opt_in_at, contacts.created_at, memberships.seen_from)
        end as joined_at,
        case when not memberships.is_current then memberships.seen_until end as left_at
    from memberships
    inner join first_snapshots
        on memberships.source_relation = first_snapshots.source_relation
    left join {{ ref('constant_contact__contacts') }} as contacts
        on memberships.source_relation = contacts.source_relation
        and memberships.contact_id = contacts.contact_id
),

changes as (
    select
        source_relation,
        api_version,
        list_id,
        cast(joined_at as date) as day,
        is_observed,
        1 as joined,
        0 as left_list
    from dated
    union all
    select
        source_relation,
        api_version,
        list_id,
        cast(left_at as date) as day,
        true as is_observed,
        0 as joined,
        1 as left_list
    from dated
    where left_at is not null
),

days as (
    select
        source_relation,
        api_version,
        list_id,
        day,
        sum(joined) as joined,
        sum(left_list) as left_list,
        max(case when is_observed then 1 else 0 end) = 1 as is_observed
    from changes
    group by source_relation, api_version, list_id, day
)

select
    *,
    joined - left_list as net,
    sum(joined - left_list) over (
        partition by source_relation, list_id
        order by day
        rows between unbounded preceding and current row
    ) as contacts
from days
