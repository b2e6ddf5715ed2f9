with v3 as (
    select
        source_relation,
        api_version,
        campaign_activity_id as mailing_id,
        campaign_id,
        lower(role) as role,
        subject,
        preheader,
        from_name,
        from_email,
        contact_list_ids as list_ids,
        loaded_at
    from {{ constant_contact_records('v3', 'campaign_activities', {
        'campaign_activity_id': 'text', 'campaign_id': 'text', 'role': 'text', 'subject': 'text',
        'preheader': 'text', 'from_name': 'text', 'from_email': 'text',
        'contact_list_ids': 'json'}) }} as records
    where lower(role) <> 'permalink'
),

v2 as (
    select
        source_relation,
        api_version,
        id as mailing_id,
        id as campaign_id,
        'primary_email' as role,
        subject,
        cast(null as {{ dbt.type_string() }}) as preheader,
        from_name,
        from_email,
        sent_to_contact_lists as list_ids,
        loaded_at
    from {{ constant_contact_records('v2', 'campaigns', {
        'id': 'text', 'subject': 'text', 'from_name': 'text', 'from_email': 'text',
        'sent_to_contact_lists': 'json'}) }} as records
)

select * from v3
union all
select * from v2
