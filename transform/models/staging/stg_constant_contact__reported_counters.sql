{#- Counters of the API for each campaign: records (v3 in the tracking window, v2), else people. -#}
with stats as (
    select
        source_relation,
        api_version,
        campaign_id,
        {{ constant_contact_count('stats', 'em_sends') }} as sends,
        {{ constant_contact_count('stats', 'em_opens_all') }} as opens,
        {{ constant_contact_count('stats', 'em_opens') }} as unique_opens,
        {{ constant_contact_count('stats', 'em_clicks_all') }} as clicks,
        {{ constant_contact_count('stats', 'em_clicks') }} as unique_clicks,
        {{ constant_contact_count('stats', 'em_bounces') }} as bounces,
        {{ constant_contact_count('stats', 'em_forwards') }} as forwards,
        {{ constant_contact_count('stats', 'em_optouts') }} as unsubscribes,
        last_refresh_time as reported_as_of
    from {{ constant_contact_records('v3', 'campaign_stats', {
        'campaign_id': 'text', 'stats': 'json', 'last_refresh_time': 'timestamp'}) }} as records
),

summaries as (
    select
        source_relation,
        api_version,
        campaign_id,
        {{ constant_contact_count('unique_counts', 'sends') }} as sends,
        {{ constant_contact_count('unique_counts', 'opens') }} as unique_opens,
        {{ constant_contact_count('unique_counts', 'clicks') }} as unique_clicks,
        {{ constant_contact_count('unique_counts', 'bounces') }} as bounces,
        {{ constant_contact_count('unique_counts', 'forwards') }} as forwards,
        {{ constant_contact_count('unique_counts', 'optouts') }} as unsubscribes,
        {{ constant_contact_count('unique_counts', 'abuse') }} as complaints,
        last_sent_date as last_sent_at,
        loaded_at
    from {{ constant_contact_records('v3', 'campaign_summaries', {
        'campaign_id': 'text', 'unique_counts': 'json', 'last_sent_date': 'timestamp'}) }} as records
),

v3 as (
    select
        summaries.source_relation,
        summaries.api_version,
        summaries.campaign_id,
        coalesce(stats.sends, summaries.sends) as sends,
        stats.opens,
        coalesce(stats.unique_opens, summaries.unique_opens) as unique_opens,
        stats.clicks,
        coalesce(stats.unique_clicks, summaries.unique_clicks) as unique_clicks,
        coalesce(stats.bounces, summaries.bounces) as bounces,
        coalesce(stats.forwards, summaries.forwards) as forwards,
        coalesce(stats.unsubscribes, summaries.unsubscribes) as unsubscribes,
        summaries.complaints,
        summaries.last_sent_at,
        coalesce(stats.reported_as_of, summaries.loaded_at) as reported_as_of
    from summaries
    left join stats
        on summaries.source_relation = stats.source_relation
        and summaries.campaign_id = stats.campaign_id
),

v2 as (
    select
        source_relation,
        api_version,
        id as campaign_id,
        {{ constant_contact_count('tracking_summary', 'sends') }} as sends,
        cast(null as {{ dbt.type_bigint() }}) as opens,
        {{ constant_contact_count('tracking_summary', 'opens') }} as unique_opens,
        cast(null as {{ dbt.type_bigint() }}) as clicks,
        {{ constant_contact_count('tracking_summary', 'clicks') }} as unique_clicks,
        {{ constant_contact_count('tracking_summary', 'bounces') }} as bounces,
        {{ constant_contact_count('tracking_summary', 'forwards') }} as forwards,
        {{ constant_contact_count('tracking_summary', 'unsubscribes') }} as unsubscribes,
        {{ constant_contact_count('tracking_summary', 'spam_count') }} as complaints,
        last_run_date as last_sent_at,
        loaded_at as reported_as_of
    from {{ constant_contact_records('v2', 'campaigns', {
        'id': 'text', 'tracking_summary': 'json', 'last_run_date': 'timestamp'}) }} as records
    where last_run_date is not null
)

select * from v3
union all
select * from v2
