with contacts as (
    select * from {{ ref('stg_constant_contact__contacts') }}
),

v3 as (
    select
        source_relation,
        api_version,
        contact_id,
        element as list_id,
        permission,
        loaded_at
    from contacts
    {{ constant_contact_elements('list_memberships', 'text') }}
    where api_version = 'v3'
),

v2 as (
    select
        source_relation,
        api_version,
        contact_id,
        {{ constant_contact_field('element', 'id') }} as list_id,
        permission,
        loaded_at
    from contacts
    {{ constant_contact_elements('list_memberships', 'json') }}
    where api_version = 'v2'
)

select * from v3
union all
select * from v2
