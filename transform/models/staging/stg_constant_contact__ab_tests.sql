select
    source_relation,
    api_version,
    campaign_activity_id as mailing_id,
    campaign_id,
    alternative_subject,
    test_size,
    winner_wait_duration,
    loaded_at
from {{ constant_contact_records('v3', 'campaign_ab_tests', {
    'campaign_activity_id': 'text', 'campaign_id': 'text', 'alternative_subject': 'text',
    'test_size': 'integer', 'winner_wait_duration': 'integer'}) }} as records
