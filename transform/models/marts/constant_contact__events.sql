{#- A row is an event, with its registrations. -#}
with registrations as (
    select
        source_relation,
        event_id,
        sum(case when is_registered then 1 else 0 end) as registrations,
        sum(case when not is_registered then 1 else 0 end) as cancellations,
        sum(case when is_registered and is_checked_in then 1 else 0 end) as checked_in,
        sum(case when is_registered and is_paid then 1 else 0 end) as paid,
        sum(case when is_registered then tickets else 0 end) as tickets,
        sum(case when is_registered and is_paid then amount else 0 end) as revenue
    from {{ ref('constant_contact__event_registrations') }}
    group by source_relation, event_id
)

select
    events.source_relation,
    events.api_version,
    events.event_id,
    events.title,
    events.status,
    events.type,
    events.started_at,
    events.ended_at,
    events.currency,
    coalesce(registrations.registrations, 0) as registrations,
    coalesce(registrations.cancellations, 0) as cancellations,
    coalesce(registrations.checked_in, 0) as checked_in,
    coalesce(registrations.paid, 0) as paid,
    coalesce(registrations.tickets, 0) as tickets,
    coalesce(registrations.revenue, 0) as revenue,
    events.reported_registrations,
    {{ constant_contact_rate('registrations.checked_in', 'registrations.registrations') }}
        as check_in_rate
from {{ ref('stg_constant_contact__events') }} as events
left join registrations
    on events.source_relation = registrations.source_relation
    and events.event_id = registrations.event_id
