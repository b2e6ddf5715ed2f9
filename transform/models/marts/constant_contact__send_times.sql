{#- A row is a weekday and hour in which mailings were sent, in UTC. -#}
with figures as (
    select
        source_relation,
        api_version,
        {{ constant_contact_weekday('first_sent_at') }} as weekday,
        cast(extract(hour from first_sent_at) as {{ dbt.type_bigint() }}) as hour,
        count(*) as mailings,
        sum(sends) as sends,
        sum(delivered) as delivered,
        sum(bounces) as bounces,
        sum(unique_opens) as unique_opens,
        sum(unique_opens_human_estimate) as unique_opens_human_estimate,
        sum(unique_clicks) as unique_clicks,
        sum(unsubscribes) as unsubscribes
    from {{ ref('constant_contact__mailings') }}
    where first_sent_at is not null
    group by
        source_relation, api_version, {{ constant_contact_weekday('first_sent_at') }},
        cast(extract(hour from first_sent_at) as {{ dbt.type_bigint() }})
)

select
    figures.*,
    {{ constant_contact_rates('figures') }}
from figures
