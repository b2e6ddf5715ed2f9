{{ constant_contact_lists_in(ref('stg_constant_contact__mailings'), 'list_ids', ['mailing_id']) }}
