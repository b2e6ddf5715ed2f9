with v3 as (
    select
        source_relation,
        api_version,
        campaign_id,
        name,
        type,
        upper(current_status) as status,
        created_at,
        updated_at,
        loaded_at
    from {{ constant_contact_records('v3', 'campaigns', {
        'campaign_id': 'text', 'name': 'text', 'type': 'text', 'current_status': 'text',
        'created_at': 'timestamp', 'updated_at': 'timestamp'}) }} as records
),

v2 as (
    select
        source_relation,
        api_version,
        id as campaign_id,
        name,
        template_type as type,
        case status when 'SENT' then 'DONE' when 'RUNNING' then 'EXECUTING' else status end as status,
        created_date as created_at,
        modified_date as updated_at,
        loaded_at
    from {{ constant_contact_records('v2', 'campaigns', {
        'id': 'text', 'name': 'text', 'template_type': 'text', 'status': 'text',
        'created_date': 'timestamp', 'modified_date': 'timestamp'}) }} as records
)

select * from v3
union all
select * from v2
