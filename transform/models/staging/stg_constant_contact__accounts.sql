with accounts as (
    select
        source_relation,
        api_version,
        organization_name as name,
        time_zone_id as time_zone,
        loaded_at
    from {{ constant_contact_records('v3', 'account', {
        'organization_name': 'text', 'time_zone_id': 'text'}) }} as records_v3
    union all
    select
        source_relation,
        api_version,
        organization_name as name,
        time_zone,
        loaded_at
    from {{ constant_contact_records('v2', 'account', {
        'organization_name': 'text', 'time_zone': 'text'}) }} as records_v2
),

-- The key of v2 is the address of the owner, who may change.
newest as (
    select
        *,
        row_number() over (
            partition by source_relation, api_version
            order by loaded_at desc
        ) as place
    from accounts
)

select
    source_relation,
    api_version,
    name,
    {{ constant_contact_time_zone('time_zone') }} as time_zone,
    loaded_at
from newest
where place = 1
