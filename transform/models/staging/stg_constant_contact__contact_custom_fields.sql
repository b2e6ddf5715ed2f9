with contacts as (
    select * from {{ ref('stg_constant_contact__contacts') }}
),

elements as (
    select
        source_relation,
        api_version,
        contact_id,
        element,
        loaded_at
    from contacts
    {{ constant_contact_elements('custom_fields', 'json') }}
)

select
    elements.source_relation,
    elements.api_version,
    elements.contact_id,
    {{ constant_contact_field('elements.element', 'custom_field_id') }} as custom_field_id,
    fields.label,
    fields.type,
    {{ constant_contact_field('elements.element', 'value') }} as value,
    elements.loaded_at
from elements
left join {{ ref('stg_constant_contact__custom_fields') }} as fields
    on elements.source_relation = fields.source_relation
    and {{ constant_contact_field('elements.element', 'custom_field_id') }} = fields.custom_field_id
where elements.api_version = 'v3'
union all
select
    source_relation,
    api_version,
    contact_id,
    {{ constant_contact_field('element', 'name') }} as custom_field_id,
    coalesce(
        nullif({{ constant_contact_field('element', 'label') }}, ''),
        {{ constant_contact_field('element', 'name') }}
    ) as label,
    'string' as type,
    {{ constant_contact_field('element', 'value') }} as value,
    loaded_at
from elements
where api_version = 'v2'
