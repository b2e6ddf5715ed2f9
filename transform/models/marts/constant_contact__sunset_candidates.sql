{#- A row is a contact that may be mailed and shows no engagement. -#}
with contacts as (
    select * from {{ ref('constant_contact__contacts') }}
    where status = 'active'
)

select
    source_relation,
    api_version,
    contact_id,
    email_address,
    domain,
    engagement_band,
    sends,
    bounces,
    last_sent_at,
    last_engaged_at,
    days_since_engaged,
    lists_count,
    case
        when bounces >= {{ var('constant_contact__sunset_bounces') }} then 'bounced repeatedly'
        when engagement_band = 'never' then 'never engaged'
        else 'silent'
    end as reason,
    case
        when bounces >= {{ var('constant_contact__sunset_bounces') }} then 'suppress'
        when engagement_band in ('lost', 'never')
            and sends >= {{ var('constant_contact__sunset_sends') }} then 'suppress'
        else 're-engage'
    end as suggested_action
from contacts
where
    engagement_band in ('dormant', 'lost', 'never')
    or bounces >= {{ var('constant_contact__sunset_bounces') }}
