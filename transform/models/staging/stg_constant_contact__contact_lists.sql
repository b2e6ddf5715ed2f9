{{ constant_contact_lists_in(
    ref('stg_constant_contact__contacts'), 'list_memberships', ['contact_id', 'permission']
) }}
