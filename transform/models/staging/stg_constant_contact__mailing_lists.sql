with mailings as (
    select * from {{ ref('stg_constant_contact__mailings') }}
),

v3 as (
    select
        source_relation,
        api_version,
        mailing_id,
        element as list_id,
        loaded_at
    from mailings
    {{ constant_contact_elements('list_ids', 'text') }}
    where api_version = 'v3'
),

v2 as (
    select
        source_relation,
        api_version,
        mailing_id,
        {{ constant_contact_field('element', 'id') }} as list_id,
        loaded_at
    from mailings
    {{ constant_contact_elements('list_ids', 'json') }}
    where api_version = 'v2'
)

select * from v3
union all
select * from v2
