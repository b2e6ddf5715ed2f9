select
    source_relation,
    api_version,
    tag_id,
    name,
    contacts_count as reported_contacts,
    created_at,
    updated_at,
    loaded_at
from {{ constant_contact_records('v3', 'tags', {
    'tag_id': 'text', 'name': 'text', 'contacts_count': 'integer', 'created_at': 'timestamp',
    'updated_at': 'timestamp'}) }} as records
