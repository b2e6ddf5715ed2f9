{#- A row is a campaign of text messages, with the API's counters. v2 has none. -#}
select
    source_relation,
    api_version,
    campaign_id,
    name,
    type,
    last_sent_at,
    sends,
    delivers,
    clicks,
    optouts,
    {{ constant_contact_rate('delivers', 'sends') }} as delivery_rate,
    {{ constant_contact_rate('clicks', 'delivers') }} as click_rate,
    {{ constant_contact_rate('optouts', 'delivers') }} as optout_rate
from {{ ref('stg_constant_contact__sms_campaigns') }}
