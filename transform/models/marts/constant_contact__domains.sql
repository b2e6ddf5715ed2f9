{#- A row is a domain of recipients of a mailing. -#}
with addresses as (
    select
        source_relation,
        mailing_id,
        contact_id,
        max(lower({{ dbt.split_part('email_address', "'@'", 2) }})) as domain
    from {{ ref('constant_contact__activity') }}
    where email_address is not null
    group by source_relation, mailing_id, contact_id
),

figures as (
    select
        recipients.source_relation,
        recipients.api_version,
        recipients.mailing_id,
        recipients.campaign_id,
        addresses.domain,
        {{ constant_contact_figures() }}
    from {{ ref('constant_contact__campaign_recipients') }} as recipients
    inner join addresses
        on recipients.source_relation = addresses.source_relation
        and recipients.mailing_id = addresses.mailing_id
        and recipients.contact_id = addresses.contact_id
    group by
        recipients.source_relation, recipients.api_version, recipients.mailing_id,
        recipients.campaign_id, addresses.domain
)

select
    figures.source_relation,
    figures.api_version,
    figures.mailing_id,
    figures.campaign_id,
    figures.domain,
    case
        when figures.domain in ('gmail.com', 'googlemail.com') then 'Google'
        when figures.domain in ('outlook.com', 'hotmail.com', 'live.com', 'msn.com')
            then 'Microsoft'
        when figures.domain in ('yahoo.com', 'ymail.com', 'aol.com', 'rocketmail.com')
            then 'Yahoo'
        when figures.domain in ('icloud.com', 'me.com', 'mac.com') then 'Apple'
        else 'Other'
    end as domain_group,
    {{ constant_contact_figures_and_rates('figures') }},
    {{ constant_contact_rate('figures.unique_opens', 'figures.delivered') }} - mailings.open_rate
        as open_rate_difference
from figures
inner join {{ ref('constant_contact__mailings') }} as mailings
    on figures.source_relation = mailings.source_relation
    and figures.mailing_id = mailings.mailing_id
