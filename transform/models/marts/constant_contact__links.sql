{#- A row is a link of a mailing that was clicked. -#}
with clicks as (
    select * from {{ ref('constant_contact__activity') }}
    where activity_type = 'click'
),

links as (
    select
        source_relation,
        api_version,
        mailing_id,
        campaign_id,
        link_id,
        max(url) as url,
        count(*) as clicks,
        count(distinct contact_id) as unique_clicks,
        sum(case when is_likely_machine then 1 else 0 end) as likely_machine_clicks,
        min(occurred_at) as first_click_at,
        max(occurred_at) as last_click_at
    from clicks
    group by source_relation, api_version, mailing_id, campaign_id, link_id
)

select
    *,
    {{ constant_contact_rate(
        'clicks', 'sum(clicks) over (partition by source_relation, mailing_id)'
    ) }} as share_of_clicks,
    row_number() over (
        partition by source_relation, mailing_id
        order by clicks desc, link_id asc
    ) as position
from links
