{#- A row is a weekday and hour in which mailings were sent, in the account's time. -#}
with figures as (
    select
        source_relation,
        api_version,
        {{ constant_contact_weekday('first_sent_local') }} as weekday,
        cast(extract(hour from first_sent_local) as {{ dbt.type_bigint() }}) as hour,
        count(*) as mailings,
        {{ constant_contact_summed_figures() }}
    from {{ ref('constant_contact__mailings') }}
    where first_sent_local is not null
    group by
        source_relation, api_version, {{ constant_contact_weekday('first_sent_local') }},
        cast(extract(hour from first_sent_local) as {{ dbt.type_bigint() }})
)

select
    figures.*,
    {{ constant_contact_rates('figures') }}
from figures
