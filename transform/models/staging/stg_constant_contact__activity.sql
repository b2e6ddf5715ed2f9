{%- set types = {
    'sends': {'type': 'send', 'time': 'send_date'},
    'opens': {'type': 'open', 'time': 'open_date'},
    'clicks': {'type': 'click', 'time': 'click_date'},
    'bounces': {'type': 'bounce', 'time': 'bounce_date'},
    'forwards': {'type': 'forward', 'time': 'forward_date'},
    'unsubscribes': {'type': 'unsubscribe', 'time': 'unsubscribe_date'},
} -%}

with v3 as (
    {% for report, each in types.items() %}
    select
        source_relation,
        api_version,
        campaign_activity_id as mailing_id,
        campaign_id,
        contact_id,
        '{{ each.type }}' as activity_type,
        created_time as occurred_at,
        email_address,
        {{ 'url_id' if report == 'clicks' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as link_id,
        {{ 'link_url' if report == 'clicks' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as url,
        {{ 'device_type' if report in ('opens', 'clicks') else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as device_type,
        {{ 'bounce_code' if report == 'bounces' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as bounce_code,
        {{ 'opt_out_reason' if report == 'unsubscribes' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as reason,
        row_number as duplicate_number,
        loaded_at
    from {{ constant_contact_records('v3', 'campaign_' ~ report, {
        'campaign_activity_id': 'text', 'campaign_id': 'text', 'contact_id': 'text',
        'created_time': 'timestamp', 'email_address': 'text', 'url_id': 'text', 'link_url': 'text',
        'device_type': 'text', 'bounce_code': 'text', 'opt_out_reason': 'text',
        'row_number': 'integer'}) }} as records
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

v2 as (
    {% for report, each in types.items() %}
    select
        source_relation,
        api_version,
        campaign_id as mailing_id,
        campaign_id,
        contact_id,
        '{{ each.type }}' as activity_type,
        {{ each.time }} as occurred_at,
        email_address,
        {{ 'link_id' if report == 'clicks' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as link_id,
        {{ 'link_uri' if report == 'clicks' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as url,
        cast(null as {{ dbt.type_string() }}) as device_type,
        {{ 'bounce_code' if report == 'bounces' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as bounce_code,
        {{ 'unsubscribe_reason' if report == 'unsubscribes' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as reason,
        cast(1 as {{ dbt.type_bigint() }}) as duplicate_number,
        loaded_at
    from {{ constant_contact_records('v2', 'campaign_' ~ report, {
        'campaign_id': 'text', 'contact_id': 'text', each.time: 'timestamp',
        'email_address': 'text', 'link_id': 'text', 'link_uri': 'text', 'bounce_code': 'text',
        'unsubscribe_reason': 'text'}) }} as records
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select * from v3
union all
select * from v2
