select
    source_relation,
    api_version,
    campaign_id,
    campaign_name as name,
    campaign_type as type,
    last_sent_date as last_sent_at,
    {{ constant_contact_count('unique_counts', 'sends') }} as sends,
    {{ constant_contact_count('unique_counts', 'delivers') }} as delivers,
    {{ constant_contact_count('unique_counts', 'clicks') }} as clicks,
    {{ constant_contact_count('unique_counts', 'optouts') }} as optouts,
    loaded_at
from {{ constant_contact_records('v3', 'sms_summaries', {
    'campaign_id': 'text', 'campaign_name': 'text', 'campaign_type': 'text',
    'last_sent_date': 'timestamp', 'unique_counts': 'json'}) }} as records
