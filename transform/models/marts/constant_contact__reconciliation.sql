{#- A row compares a figure of a campaign in the warehouse with the API's own counter. -#}
{%- set types = {
    'sends': 'send', 'opens': 'open', 'unique_opens': 'open', 'clicks': 'click',
    'unique_clicks': 'click', 'bounces': 'bounce', 'forwards': 'forward',
    'unsubscribes': 'unsubscribe'
} -%}
with reported as (
    select * from {{ ref('stg_constant_contact__reported_counters') }}
),

freshness as (
    select * from {{ ref('constant_contact__freshness') }}
),

activity as (
    select * from {{ ref('constant_contact__activity') }}
),

-- Streams that are not selected have no records at all.
synced as (
    select distinct
        source_relation,
        activity_type
    from activity
),

counted as (
    select
        source_relation,
        campaign_id,
    {% for metric, type in types.items() %}
        {% if metric.startswith('unique') %}
        count(distinct case when activity_type = '{{ type }}' then contact_id end) as {{ metric }}
        {% else %}
        {{ constant_contact_activities(type) }} as {{ metric }}
        {% endif %}
        {{ ',' if not loop.last }}
    {% endfor %}
    from activity
    group by source_relation, campaign_id
),

compared as (
    {% for metric, type in types.items() %}
    select
        reported.source_relation,
        reported.api_version,
        reported.campaign_id,
        '{{ metric }}' as metric,
        coalesce(counted.{{ metric }}, 0) as counted,
        reported.{{ metric }} as reported,
        reported.reported_as_of,
        freshness.current_until,
        freshness.last_outcome,
        synced.activity_type is not null as is_synced
    from reported
    left join counted
        on reported.source_relation = counted.source_relation
        and reported.campaign_id = counted.campaign_id
    left join synced
        on reported.source_relation = synced.source_relation
        and synced.activity_type = '{{ type }}'
    left join freshness
        on reported.source_relation = freshness.source_relation
        and reported.api_version = freshness.api_version
        and freshness.stream = 'campaign_{{ type }}s'
    where reported.{{ metric }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    source_relation,
    api_version,
    campaign_id,
    metric,
    counted,
    reported,
    counted - reported as difference,
    case
        when not is_synced and reported > 0 then 'not synced'
        when counted = reported then 'equal'
        when counted < reported then 'short'
        else 'over'
    end as verdict,
    case
        when counted >= reported then null
        when not is_synced then 'The stream is not synced.'
        when last_outcome <> 'complete' then 'The last run was not complete: ' || last_outcome || '.'
        when current_until < reported_as_of then 'The counter is newer than the last sync.'
    end as reason,
    reported_as_of,
    current_until
from compared
