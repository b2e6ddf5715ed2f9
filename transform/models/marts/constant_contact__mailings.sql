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
    {{ constant_contact_figures_and_rates('figures') }}
from figures
left join mailings
    on figures.source_relation = mailings.source_relation
    and figures.mailing_id = mailings.mailing_id
