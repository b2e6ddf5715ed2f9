{#- A row is a contact that a mailing was sent to. -#}
{{ config(**constant_contact_by_mailing()) }}
with activity as (
    {{ constant_contact_changed_activity(ref('constant_contact__activity')) }}
)

select
    source_relation,
    api_version,
    mailing_id,
    campaign_id,
    contact_id,
    min(case when activity_type = 'send' then occurred_at end) as sent_at,
    max(case when activity_type = 'bounce' then bounce_code end) as bounce_code,
    min(case when activity_type = 'bounce' then {{ constant_contact_bounce_kind('bounce_code') }} end)
        as bounce_kind,
    min(case when activity_type = 'open' then occurred_at end) as first_open_at,
    min(case when activity_type = 'click' then occurred_at end) as first_click_at,
    {{ constant_contact_activities('open') }} as opens,
    {{ constant_contact_activities('click') }} as clicks,
    count(distinct case when activity_type = 'click' then link_id end) as links_clicked,
    sum(case when activity_type = 'open' and not is_likely_machine then 1 else 0 end)
        as human_opens,
    sum(case when activity_type = 'open' and is_likely_machine then 1 else 0 end)
        as machine_opens,
    sum(case when activity_type = 'click' and is_likely_machine then 1 else 0 end)
        as machine_clicks,
    {{ constant_contact_activities('forward') }} as forwards,
    {{ constant_contact_activities('send') }} > 0 as was_sent,
    {{ constant_contact_activities('bounce') }} > 0 as was_bounced,
    {{ constant_contact_activities('open') }} > 0 as was_opened,
    {{ constant_contact_activities('click') }} > 0 as was_clicked,
    {{ constant_contact_activities('forward') }} > 0 as was_forwarded,
    {{ constant_contact_activities('unsubscribe') }} > 0 as was_unsubscribed,
    min(case when activity_type = 'open' then minutes_since_send end) as minutes_to_open,
    min(case when activity_type = 'click' then minutes_since_send end) as minutes_to_click,
    max(loaded_at) as loaded_at
from activity
group by source_relation, api_version, mailing_id, campaign_id, contact_id
