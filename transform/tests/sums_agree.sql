{#- Sums over mailings, recipients and activity are the same. -#}
with activity as (
    select
        sum(case when activity_type = 'send' then 1 else 0 end) as sends,
        sum(case when activity_type = 'open' then 1 else 0 end) as opens,
        sum(case when activity_type = 'click' then 1 else 0 end) as clicks
    from {{ ref('constant_contact__activity') }}
),

recipients as (
    select
        sum(opens) as opens,
        sum(clicks) as clicks
    from {{ ref('constant_contact__campaign_recipients') }}
),

mailings as (
    select
        sum(opens) as opens,
        sum(clicks) as clicks
    from {{ ref('constant_contact__mailings') }}
)

select
    activity.opens,
    recipients.opens as opens_of_recipients,
    mailings.opens as opens_of_mailings,
    activity.clicks,
    recipients.clicks as clicks_of_recipients,
    mailings.clicks as clicks_of_mailings
from activity
cross join recipients
cross join mailings
where activity.opens <> recipients.opens
    or activity.opens <> mailings.opens
    or activity.clicks <> recipients.clicks
    or activity.clicks <> mailings.clicks
