{#- A row is a weekday and hour, in the account's time, in which contacts first opened mailings. -#}
with first_opens as (
    select
        source_relation,
        api_version,
        mailing_id,
        contact_id,
        min(occurred_local) as opened_at
    from {{ ref('constant_contact__activity') }}
    where activity_type = 'open' and not is_likely_machine
    group by source_relation, api_version, mailing_id, contact_id
),

hours as (
    select
        source_relation,
        api_version,
        {{ constant_contact_weekday('opened_at') }} as weekday,
        cast(extract(hour from opened_at) as {{ dbt.type_bigint() }}) as hour
    from first_opens
)

select
    source_relation,
    api_version,
    weekday,
    hour,
    count(*) as unique_opens
from hours
group by source_relation, api_version, weekday, hour
