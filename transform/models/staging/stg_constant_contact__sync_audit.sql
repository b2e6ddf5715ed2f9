{%- set columns = {
    'run_started_at': 'timestamp', 'run_ended_at': 'timestamp', 'stream': 'text',
    'outcome': 'text', 'requests': 'integer', 'records': 'integer',
    'objects_checked': 'integer', 'reported': 'integer', 'received': 'integer',
    'difference': 'integer', 'verdict': 'text'
} -%}
{%- for version in ['v3', 'v2'] %}
select
    source_relation,
    api_version,
    run_started_at,
    run_ended_at,
    stream,
    outcome,
    requests,
    records,
    objects_checked,
    reported,
    received,
    difference,
    verdict,
    loaded_at
from {{ constant_contact_records(version, 'sync_audit', columns) }} as records_{{ version }}
{{ 'union all' if not loop.last }}
{%- endfor %}
