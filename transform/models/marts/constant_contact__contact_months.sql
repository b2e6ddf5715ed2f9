{#- A row is a contact and a month with mail or a reaction to it, in UTC. -#}
with months as (
    select
        source_relation,
        api_version,
        contact_id,
        cast({{ dbt.date_trunc('month', 'occurred_at') }} as date) as month,
        {{ constant_contact_activities('send') }} as sends,
        {{ constant_contact_activities('open') }} as opens,
        {{ constant_contact_activities('click') }} as clicks,
        {{ constant_contact_engaged_at() }} as engaged_at
    from {{ ref('constant_contact__activity') }}
    where activity_type in ('send', 'open', 'click')
    group by
        source_relation, api_version, contact_id,
        cast({{ dbt.date_trunc('month', 'occurred_at') }} as date)
),

running as (
    select
        *,
        sum(sends) over (
            partition by source_relation, contact_id order by month
            rows between unbounded preceding and current row
        ) as sends_so_far,
        max(engaged_at) over (
            partition by source_relation, contact_id order by month
            rows between unbounded preceding and current row
        ) as last_engaged_at
    from months
),

aged as (
    select
        *,
        {{ dbt.datediff('last_engaged_at', dbt.dateadd('month', 1, 'month'), 'day') }} as days_since_engaged
    from running
),

banded as (
    select
        *,
        case
            {{ constant_contact_bands('days_since_engaged') }}
            when sends_so_far >= {{ var('constant_contact__never_sends') }} then 'never'
            else 'new'
        end as engagement_band
    from aged
),

followed as (
    select
        *,
        lag(engagement_band) over (
            partition by source_relation, contact_id order by month
        ) as previous_band
    from banded
)

select
    source_relation,
    api_version,
    contact_id,
    month,
    sends,
    opens,
    clicks,
    engaged_at is not null as is_engaged_in_month,
    last_engaged_at,
    engagement_band,
    previous_band,
    case
        when previous_band is null then 'new'
        when engagement_band = previous_band then 'kept'
        when engagement_band = 'engaged' then 'won back'
        when engagement_band in ('lost', 'never') then 'lost'
        else 'slipped'
    end as movement
from followed
