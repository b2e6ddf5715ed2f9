select
    source_relation,
    api_version,
    custom_field_id,
    label,
    type,
    created_at,
    updated_at,
    loaded_at
from {{ constant_contact_records('v3', 'custom_fields', {
    'custom_field_id': 'text', 'label': 'text', 'type': 'text', 'created_at': 'timestamp',
    'updated_at': 'timestamp'}) }} as records
