{#- A row is a contact that unsubscribed. -#}
with contacts as (
    select * from {{ ref('constant_contact__contacts') }}
    where status = 'unsubscribed' or opt_out_at is not null
),

-- The unsubscribe that a mailing tracked last.
tracked as (
    select
        source_relation,
        contact_id,
        mailing_id,
        occurred_at,
        reason,
        row_number() over (
            partition by source_relation, contact_id
            order by occurred_at desc, mailing_id asc
        ) as place
    from {{ ref('constant_contact__activity') }}
    where activity_type = 'unsubscribe'
)

select
    contacts.source_relation,
    contacts.api_version,
    contacts.contact_id,
    coalesce(contacts.opt_out_at, tracked.occurred_at) as unsubscribed_at,
    contacts.opt_out_source,
    coalesce(contacts.opt_out_reason, tracked.reason) as reason,
    tracked.mailing_id,
    contacts.opt_in_at,
    {{ dbt.datediff(
        'coalesce(contacts.opt_in_at, contacts.created_at)',
        'coalesce(contacts.opt_out_at, tracked.occurred_at)',
        'day'
    ) }} as days_on_list,
    contacts.sends,
    contacts.opens,
    contacts.clicks
from contacts
left join tracked
    on contacts.source_relation = tracked.source_relation
    and contacts.contact_id = tracked.contact_id
    and tracked.place = 1
