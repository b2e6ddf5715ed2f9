{#- A row is a contact on a list, as of the last sync. -#}
select
    memberships.source_relation,
    memberships.api_version,
    memberships.contact_id,
    memberships.list_id,
    lists.name as list_name,
    contacts.status as contact_status,
    contacts.engagement_band,
    memberships.loaded_at
from {{ ref('stg_constant_contact__contact_lists') }} as memberships
left join {{ ref('stg_constant_contact__lists') }} as lists
    on memberships.source_relation = lists.source_relation
    and memberships.list_id = lists.list_id
left join {{ ref('constant_contact__contacts') }} as contacts
    on memberships.source_relation = contacts.source_relation
    and memberships.contact_id = contacts.contact_id
