{#- A row is a month in which contacts joined, with those that are still there. -#}
with contacts as (
    select
        *,
        {{ dbt.date_trunc('month', 'coalesce(opt_in_at, created_at)') }} as joined_month
    from {{ ref('constant_contact__contacts') }}
    where coalesce(opt_in_at, created_at) is not null
)

select
    source_relation,
    api_version,
    joined_month,
    count(*) as contacts,
    sum(case when status = 'active' then 1 else 0 end) as reachable_contacts,
    sum(case when engagement_band = 'engaged' then 1 else 0 end) as engaged_contacts,
    {{ constant_contact_rate("sum(case when status = 'active' then 1 else 0 end)", 'count(*)') }}
        as reachable_rate,
    {{ constant_contact_rate("sum(case when engagement_band = 'engaged' then 1 else 0 end)", 'count(*)') }}
        as engaged_rate
from contacts
group by source_relation, api_version, joined_month
