with v3 as (
    select
        source_relation,
        api_version,
        list_id,
        name,
        membership_count as reported_contacts,
        created_at,
        updated_at,
        deleted_at is not null as is_deleted,
        loaded_at
    from {{ constant_contact_records('v3', 'lists', {
        'list_id': 'text', 'name': 'text', 'channel_type': 'text', 'membership_count': 'integer',
        'created_at': 'timestamp', 'updated_at': 'timestamp', 'deleted_at': 'timestamp'}) }} as records
    where channel_type is null or channel_type <> 'sms'
),

v2 as (
    select
        source_relation,
        api_version,
        id as list_id,
        name,
        contact_count as reported_contacts,
        created_date as created_at,
        modified_date as updated_at,
        false as is_deleted,
        loaded_at
    from {{ constant_contact_records('v2', 'lists', {
        'id': 'text', 'name': 'text', 'contact_count': 'integer', 'created_date': 'timestamp',
        'modified_date': 'timestamp'}) }} as records
)

select * from v3
union all
select * from v2
