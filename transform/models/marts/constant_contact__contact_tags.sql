{#- A row is a tag of a contact, as of the last sync. v2 has no tags. -#}
select
    contact_tags.source_relation,
    contact_tags.api_version,
    contact_tags.contact_id,
    contact_tags.tag_id,
    tags.name as tag_name,
    contacts.status as contact_status,
    contacts.engagement_band,
    contact_tags.loaded_at
from {{ ref('stg_constant_contact__contact_tags') }} as contact_tags
left join {{ ref('stg_constant_contact__tags') }} as tags
    on contact_tags.source_relation = tags.source_relation
    and contact_tags.tag_id = tags.tag_id
left join {{ ref('constant_contact__contacts') }} as contacts
    on contact_tags.source_relation = contacts.source_relation
    and contact_tags.contact_id = contacts.contact_id
