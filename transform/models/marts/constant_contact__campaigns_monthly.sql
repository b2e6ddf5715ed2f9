{#- A row is a month in which mailings were sent, in UTC. -#}
with mailings as (
    select
        *,
        {{ dbt.date_trunc('month', 'first_sent_at') }} as month,
        row_number() over (
            partition by source_relation, {{ dbt.date_trunc('month', 'first_sent_at') }}
            order by open_rate desc, mailing_id asc
        ) as place_from_top,
        row_number() over (
            partition by source_relation, {{ dbt.date_trunc('month', 'first_sent_at') }}
            order by open_rate, mailing_id
        ) as place_from_bottom
    from {{ ref('constant_contact__mailings') }}
    where first_sent_at is not null and open_rate is not null
),

figures as (
    select
        source_relation,
        api_version,
        month,
        count(*) as mailings,
        {{ constant_contact_summed_figures() }},
        max(case when place_from_top = 1 then subject end) as best_subject,
        max(case when place_from_bottom = 1 then subject end) as worst_subject
    from mailings
    group by source_relation, api_version, month
)

select
    figures.*,
    {{ constant_contact_rates('figures') }}
from figures
