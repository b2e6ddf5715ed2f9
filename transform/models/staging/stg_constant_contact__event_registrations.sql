with v3 as (
    select
        source_relation,
        api_version,
        event_id,
        registration_id,
        email_address,
        first_name,
        last_name,
        upper(registration_status) as status,
        registration_time as registered_at,
        upper(payment_status) as payment_status,
        upper(checkin_status) = 'CHECKED_IN' as is_checked_in,
        coalesce(tickets, 1) as tickets,
        total as amount,
        loaded_at
    from {{ constant_contact_records('v3', 'event_registrations', {
        'event_id': 'text', 'registration_id': 'text', 'email_address': 'text',
        'first_name': 'text', 'last_name': 'text', 'registration_status': 'text',
        'registration_time': 'timestamp', 'payment_status': 'text', 'checkin_status': 'text',
        'tickets': 'integer', 'total': 'number'}) }} as records
),

v2 as (
    select
        source_relation,
        api_version,
        event_id,
        id as registration_id,
        email as email_address,
        first_name,
        last_name,
        upper(registration_status) as status,
        registration_date as registered_at,
        upper(payment_status) as payment_status,
        upper(attendance_status) = 'ATTENDED' as is_checked_in,
        1 + coalesce(guest_count, 0) as tickets,
        cast(
            {{ constant_contact_field(constant_contact_object('payment_summary', 'order'), 'total') }}
            as {{ dbt.type_float() }}
        ) as amount,
        loaded_at
    from {{ constant_contact_records('v2', 'event_registrants', {
        'event_id': 'text', 'id': 'text', 'email': 'text', 'first_name': 'text',
        'last_name': 'text', 'registration_status': 'text', 'registration_date': 'timestamp',
        'payment_status': 'text', 'attendance_status': 'text', 'guest_count': 'integer',
        'payment_summary': 'json'}) }} as records
)

select * from v3
union all
select * from v2
