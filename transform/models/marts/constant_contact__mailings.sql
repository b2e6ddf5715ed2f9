{#- A row is something that was sent: an email, or a resend of it. -#}
with recipients as (
    select * from {{ ref('constant_contact__campaign_recipients') }}
),

mailings as (
    select * from {{ ref('stg_constant_contact__mailings') }}
),

figures as (
    select
        source_relation,
        api_version,
        mailing_id,
        campaign_id,
        {{ constant_contact_figures() }}
    from recipients
    group by source_relation, api_version, mailing_id, campaign_id
),

sent as (
    select
        figures.*,
        mailings.role,
        mailings.subject,
        mailings.preheader,
        mailings.from_name,
        mailings.from_email
    from figures
    left join mailings
        on figures.source_relation = mailings.source_relation
        and figures.mailing_id = mailings.mailing_id
),

resends as (
    select
        sent.source_relation,
        sent.mailing_id,
        primary_mailings.mailing_id as primary_mailing_id,
        {{ dbt.datediff('primary_mailings.first_sent_at', 'sent.first_sent_at', 'hour') }}
            as hours_after_primary
    from sent
    inner join sent as primary_mailings
        on sent.source_relation = primary_mailings.source_relation
        and sent.campaign_id = primary_mailings.campaign_id
    where sent.role = 'resend' and primary_mailings.role = 'primary_email'
),

-- Contacts that opened a resend, and not the email before it.
gained as (
    select
        recipients.source_relation,
        recipients.mailing_id,
        count(distinct recipients.contact_id) as unique_opens_gained
    from recipients
    inner join resends
        on recipients.source_relation = resends.source_relation
        and recipients.mailing_id = resends.mailing_id
    left join recipients as earlier
        on recipients.source_relation = earlier.source_relation
        and recipients.contact_id = earlier.contact_id
        and resends.primary_mailing_id = earlier.mailing_id
        and earlier.was_opened
    where recipients.was_opened and earlier.contact_id is null
    group by recipients.source_relation, recipients.mailing_id
)

select
    sent.source_relation,
    sent.api_version,
    sent.mailing_id,
    sent.campaign_id,
    sent.role,
    sent.subject,
    sent.preheader,
    sent.from_name,
    sent.from_email,
    sent.first_sent_at,
    sent.last_sent_at,
    {{ constant_contact_local('sent.first_sent_at', 'accounts.time_zone') }} as first_sent_local,
    resends.hours_after_primary,
    case when sent.role = 'resend' then coalesce(gained.unique_opens_gained, 0) end
        as unique_opens_gained,
    {{ constant_contact_figures_and_rates('sent') }}
from sent
left join {{ ref('stg_constant_contact__accounts') }} as accounts
    on sent.source_relation = accounts.source_relation
    and sent.api_version = accounts.api_version
left join resends
    on sent.source_relation = resends.source_relation
    and sent.mailing_id = resends.mailing_id
left join gained
    on sent.source_relation = gained.source_relation
    and sent.mailing_id = gained.mailing_id
