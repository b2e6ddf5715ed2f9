{#- A row is a campaign, sent or not. In v3, it contains an email and its resends. -#}
with campaigns as (
    select * from {{ ref('stg_constant_contact__campaigns') }}
),

mailings as (
    select * from {{ ref('stg_constant_contact__mailings') }}
    where role = 'primary_email'
),

-- A contact that a resend reached too counts once.
recipients as (
    select
        source_relation,
        campaign_id,
        contact_id,
        min(sent_at) as sent_at,
        min(bounce_kind) as bounce_kind,
        sum(opens) as opens,
        sum(human_opens) as human_opens,
        sum(machine_opens) as machine_opens,
        sum(clicks) as clicks,
        sum(machine_clicks) as machine_clicks,
        sum(forwards) as forwards,
        max(case when was_sent then 1 else 0 end) = 1 as was_sent,
        min(case when was_bounced then 1 else 0 end) = 1 as was_bounced,
        max(case when was_opened then 1 else 0 end) = 1 as was_opened,
        max(case when was_clicked then 1 else 0 end) = 1 as was_clicked,
        max(case when was_unsubscribed then 1 else 0 end) = 1 as was_unsubscribed
    from {{ ref('constant_contact__campaign_recipients') }}
    group by source_relation, campaign_id, contact_id
),

figures as (
    select
        source_relation,
        campaign_id,
        {{ constant_contact_figures() }}
    from recipients
    group by source_relation, campaign_id
),

reported as (
    select * from {{ ref('stg_constant_contact__reported_counters') }}
),

reconciled as (
    select
        source_relation,
        campaign_id,
        min(case when verdict = 'short' then 0 when verdict in ('equal', 'over') then 1 end) = 1
            as is_complete
    from {{ ref('constant_contact__reconciliation') }}
    group by source_relation, campaign_id
),

newest as (
    select
        source_relation,
        max(first_sent_at) as first_sent_at
    from figures
    group by source_relation
),

-- Campaigns of the last twelve months, the best first.
ranked as (
    select
        figures.source_relation,
        figures.campaign_id,
        rank() over (
            partition by figures.source_relation
            order by
                coalesce({{ constant_contact_rate('figures.unique_opens', 'figures.delivered') }}, 0) desc
        ) as open_rate_rank,
        rank() over (
            partition by figures.source_relation
            order by
                coalesce({{ constant_contact_rate('figures.unique_clicks', 'figures.delivered') }}, 0) desc
        ) as click_rate_rank
    from figures
    inner join newest
        on figures.source_relation = newest.source_relation
    where figures.first_sent_at > {{ dbt.dateadd('month', -12, 'newest.first_sent_at') }}
)

select
    campaigns.source_relation,
    campaigns.api_version,
    campaigns.campaign_id,
    campaigns.name,
    campaigns.type,
    campaigns.status,
    mailings.subject,
    mailings.from_name,
    mailings.from_email,
    campaigns.created_at,
    campaigns.updated_at,
    figures.first_sent_at,
    coalesce(reported.last_sent_at, figures.last_sent_at) as last_sent_at,
    {{ constant_contact_figures_and_rates('figures') }},
    ranked.open_rate_rank,
    ranked.click_rate_rank,
    reported.sends as reported_sends,
    reported.unique_opens as reported_unique_opens,
    reported.unique_clicks as reported_unique_clicks,
    reported.bounces as reported_bounces,
    reported.unsubscribes as reported_unsubscribes,
    reported.complaints as reported_complaints,
    {{ constant_contact_rate('reported.complaints', 'figures.delivered') }} as complaint_rate,
    reported.reported_as_of,
    reconciled.is_complete,
    campaigns.status = 'REMOVED' as is_deleted
from campaigns
left join mailings
    on campaigns.source_relation = mailings.source_relation
    and campaigns.campaign_id = mailings.campaign_id
left join figures
    on campaigns.source_relation = figures.source_relation
    and campaigns.campaign_id = figures.campaign_id
left join ranked
    on campaigns.source_relation = ranked.source_relation
    and campaigns.campaign_id = ranked.campaign_id
left join reconciled
    on campaigns.source_relation = reconciled.source_relation
    and campaigns.campaign_id = reconciled.campaign_id
left join reported
    on campaigns.source_relation = reported.source_relation
    and campaigns.campaign_id = reported.campaign_id
