{#-
A row is an A/B test of subjects. The API has no figures per variant: those of the mailing count
both, and the winner is the subject that the mailing carries after the test.
-#}
select
    tests.source_relation,
    tests.api_version,
    tests.mailing_id,
    tests.campaign_id,
    mailings.subject,
    tests.alternative_subject,
    tests.test_size,
    tests.winner_wait_duration,
    mailings.first_sent_at,
    {{ constant_contact_figures_and_rates('mailings') }}
from {{ ref('stg_constant_contact__ab_tests') }} as tests
left join {{ ref('constant_contact__mailings') }} as mailings
    on tests.source_relation = mailings.source_relation
    and tests.mailing_id = mailings.mailing_id
