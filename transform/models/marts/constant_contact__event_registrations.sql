{#- A row is a registration for an event. -#}
select
    registrations.source_relation,
    registrations.api_version,
    registrations.event_id,
    events.title as event_title,
    registrations.registration_id,
    registrations.email_address,
    registrations.first_name,
    registrations.last_name,
    registrations.status,
    registrations.registered_at,
    registrations.payment_status,
    coalesce(registrations.status, '') not like 'CANCEL%' as is_registered,
    coalesce(registrations.is_checked_in, false) as is_checked_in,
    coalesce(registrations.payment_status in ('PAID', 'COMPLETED'), false) as is_paid,
    registrations.tickets,
    registrations.amount
from {{ ref('stg_constant_contact__event_registrations') }} as registrations
left join {{ ref('stg_constant_contact__events') }} as events
    on registrations.source_relation = events.source_relation
    and registrations.event_id = events.event_id
