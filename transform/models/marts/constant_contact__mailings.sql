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

primary_mailings as (
    select
        mailings.source_relation,
        mailings.campaign_id,
        mailings.mailing_id,
        figures.first_sent_at
    from mailings
    inner join figures
        on mailings.source_relation = figures.source_relation
        and mailings.mailing_id = figures.mailing_id
    where mailings.role = 'primary_email'
),

-- Contacts that opened a resend, and not the email before it.
gained as (
    select
        recipients.source_relation,
        recipients.mailing_id,
        count(distinct recipients.contact_id) as unique_opens_gained
    from recipients
    inner join mailings
        on recipients.source_relation = mailings.source_relation
        and recipients.mailing_id = mailings.mailing_id
        and mailings.role = 'resend'
    inner join primary_mailings
        on recipients.source_relation = primary_mailings.source_relation
        and recipients.campaign_id = primary_mailings.campaign_id
    left join recipients as earlier
        on recipients.source_relation = earlier.source_relation
        and recipients.contact_id = earlier.contact_id
        and primary_mailings.mailing_id = earlier.mailing_id
        and earlier.was_opened
    where recipients.was_opened and earlier.contact_id is null
    group by recipients.source_relation, recipients.mailing_id
)

select
    figures.source_relation,
    figures.api_version,
    figures.mailing_id,
    figures.campaign_id,
    mailings.role,
    mailings.subject,
    mailings.preheader,
    mailings.from_name,
    mailings.from_email,
    figures.first_sent_at,
    figures.last_sent_at,
    {{ constant_contact_local('figures.first_sent_at', 'accounts.time_zone') }} as first_sent_local,
    case
        when mailings.role = 'resend'
            then {{ dbt.datediff('primary_mailings.first_sent_at', 'figures.first_sent_at', 'hour') }}
    end as hours_after_primary,
    case when mailings.role = 'resend' then coalesce(gained.unique_opens_gained, 0) end
        as unique_opens_gained,
    {{ constant_contact_figures_and_rates('figures') }}
from figures
left join {{ ref('stg_constant_contact__accounts') }} as accounts
    on figures.source_relation = accounts.source_relation
    and figures.api_version = accounts.api_version
left join mailings
    on figures.source_relation = mailings.source_relation
    and figures.mailing_id = mailings.mailing_id
left join primary_mailings
    on figures.source_relation = primary_mailings.source_relation
    and figures.campaign_id = primary_mailings.campaign_id
left join gained
    on figures.source_relation = gained.source_relation
    and figures.mailing_id = gained.mailing_id
