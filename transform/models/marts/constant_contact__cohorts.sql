{#- A row is a month in which contacts joined and a later month, with those that were still there. -#}
with contacts as (
    select
        *,
        cast({{ dbt.date_trunc('month', 'coalesce(opt_in_at, created_at)') }} as date)
            as joined_month,
        case
            when status = 'deleted' then cast(deleted_at as timestamp)
            when status = 'unsubscribed' then coalesce(opt_out_at, updated_at)
        end as left_at
    from {{ ref('constant_contact__contacts') }}
    where coalesce(opt_in_at, created_at) is not null
),

engaged as (
    select
        source_relation,
        contact_id,
        month
    from {{ ref('constant_contact__contact_months') }}
    where is_engaged_in_month
),

months as (
    select
        source_relation,
        joined_month as month
    from contacts
    union
    select
        source_relation,
        month
    from engaged
),

figures as (
    select
        contacts.source_relation,
        contacts.api_version,
        contacts.joined_month,
        months.month,
        {{ dbt.datediff('contacts.joined_month', 'months.month', 'month') }} as months_since,
        count(*) as contacts,
        sum(
            case
                when contacts.left_at is null
                    or {{ dbt.date_trunc('month', 'contacts.left_at') }} > months.month then 1
                else 0
            end
        ) as reachable_contacts,
        count(engaged.contact_id) as engaged_contacts
    from contacts
    inner join months
        on contacts.source_relation = months.source_relation
        and contacts.joined_month <= months.month
    left join engaged
        on contacts.source_relation = engaged.source_relation
        and contacts.contact_id = engaged.contact_id
        and months.month = engaged.month
    group by contacts.source_relation, contacts.api_version, contacts.joined_month, months.month
)

select
    *,
    {{ constant_contact_rate('reachable_contacts', 'contacts') }} as reachable_rate,
    {{ constant_contact_rate('engaged_contacts', 'contacts') }} as engaged_rate
from figures
