select
    source_relation,
    api_version,
    contact_id,
    element as tag_id,
    loaded_at
from {{ ref('stg_constant_contact__contacts') }}
{{ constant_contact_elements('taggings', 'text') }}
