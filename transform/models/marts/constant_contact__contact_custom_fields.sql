{#- A row is a value of a custom field of a contact, as of the last sync. -#}
select
    source_relation,
    api_version,
    contact_id,
    custom_field_id,
    label,
    type,
    value,
    loaded_at
from {{ ref('stg_constant_contact__contact_custom_fields') }}
