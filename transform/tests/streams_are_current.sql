{#- Streams that no run has synced completely for too long, of accounts that are synced at all. -#}
{{ config(severity='warn') }}

select *
from {{ ref('constant_contact__freshness') }}
where current_until is null
    or hours_behind > {{ var('constant_contact__stale_hours') }}
