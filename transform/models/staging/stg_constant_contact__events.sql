with v3 as (
    select
        source_relation,
        api_version,
        event_id,
        coalesce(title, name) as title,
        status,
        event_type as type,
        start_time as started_at,
        end_time as ended_at,
        currency_type as currency,
        {{ constant_contact_count('event_registration_summary_metrics', 'registration_count') }}
            as reported_registrations,
        create_time as created_at,
        last_update_time as updated_at,
        loaded_at
    from {{ constant_contact_records('v3', 'events', {
        'event_id': 'text', 'title': 'text', 'name': 'text', 'status': 'text',
        'event_type': 'text', 'start_time': 'timestamp', 'end_time': 'timestamp',
        'currency_type': 'text', 'event_registration_summary_metrics': 'json',
        'create_time': 'timestamp', 'last_update_time': 'timestamp'}) }} as records
),

v2 as (
    select
        source_relation,
        api_version,
        id as event_id,
        coalesce(title, name) as title,
        status,
        type,
        start_date as started_at,
        end_date as ended_at,
        currency_type as currency,
        total_registered_count as reported_registrations,
        created_date as created_at,
        updated_date as updated_at,
        loaded_at
    from {{ constant_contact_records('v2', 'events', {
        'id': 'text', 'title': 'text', 'name': 'text', 'status': 'text', 'type': 'text',
        'start_date': 'timestamp', 'end_date': 'timestamp', 'currency_type': 'text',
        'total_registered_count': 'integer', 'created_date': 'timestamp',
        'updated_date': 'timestamp'}) }} as records
)

select * from v3
union all
select * from v2
