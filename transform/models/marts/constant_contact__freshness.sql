{#- A row is a stream of an account: since when it is current, and what the last run did. -#}
with audit as (
    select * from {{ ref('stg_constant_contact__sync_audit') }}
),

ranked as (
    select
        audit.*,
        row_number() over (
            partition by audit.source_relation, audit.api_version, audit.stream
            order by audit.run_started_at desc
        ) as place
    from audit
),

sums as (
    select
        source_relation,
        api_version,
        stream,
        max(case when outcome = 'complete' then run_started_at end) as current_until,
        sum(case when outcome = 'complete' then 1 else 0 end) as complete_runs,
        count(*) as runs,
        sum(
            case
                when run_started_at >= {{ dbt.dateadd('hour', -24, constant_contact_now()) }}
                    then requests
                else 0
            end
        ) as requests_last_day,
        sum(case when verdict = 'missing' then 1 else 0 end) as runs_with_missing_records
    from audit
    group by source_relation, api_version, stream
)

select
    ranked.source_relation,
    ranked.api_version,
    ranked.stream,
    sums.current_until,
    {{ dbt.datediff('sums.current_until', constant_contact_now(), 'hour') }} as hours_behind,
    ranked.run_started_at as last_run_at,
    ranked.outcome as last_outcome,
    ranked.requests as last_requests,
    ranked.records as last_records,
    ranked.verdict as last_verdict,
    ranked.difference as last_difference,
    sums.requests_last_day,
    sums.runs,
    sums.complete_runs,
    sums.runs_with_missing_records
from ranked
inner join sums
    on ranked.source_relation = sums.source_relation
    and ranked.api_version = sums.api_version
    and ranked.stream = sums.stream
where ranked.place = 1
