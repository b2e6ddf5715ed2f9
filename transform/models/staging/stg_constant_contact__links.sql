{#- Clicks of v2 name a link by its id alone. -#}
select
    source_relation,
    api_version,
    campaign_id as mailing_id,
    url_uid as link_id,
    max(url) as url,
    max(loaded_at) as loaded_at
from {{ constant_contact_records('v2', 'campaign_links', {
    'campaign_id': 'text', 'url_uid': 'text', 'url': 'text'}) }} as records
group by source_relation, api_version, campaign_id, url_uid
