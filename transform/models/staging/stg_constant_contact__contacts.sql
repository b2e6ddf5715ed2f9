{%- set more = var('constant_contact__contact_columns') %}
{%- set types = {} %}
{%- for column in more %}{% do types.update({column.name: column.type | default('text')}) %}{% endfor %}
with v3 as (
    select
        source_relation,
        api_version,
        contact_id,
        {{ constant_contact_field('email_address', 'address') }} as email_address,
        lower({{ constant_contact_field('email_address', 'permission_to_send') }}) as permission,
        {{ constant_contact_time('email_address', 'opt_in_date') }} as opt_in_at,
        {{ constant_contact_field('email_address', 'opt_in_source') }} as opt_in_source,
        {{ constant_contact_time('email_address', 'opt_out_date') }} as opt_out_at,
        {{ constant_contact_field('email_address', 'opt_out_source') }} as opt_out_source,
        {{ constant_contact_field('email_address', 'opt_out_reason') }} as opt_out_reason,
        first_name,
        last_name,
        job_title,
        company_name,
        create_source,
        created_at,
        updated_at,
        deleted_at,
        deleted_at is not null as is_deleted,
        list_memberships,
        taggings,
        custom_fields,
        {% for column in more %}
        {{ column.name }} as {{ column.alias | default(column.name) }},
        {% endfor %}
        loaded_at
    from {{ constant_contact_records('v3', 'contacts', dict({
        'contact_id': 'text', 'email_address': 'json', 'first_name': 'text', 'last_name': 'text',
        'job_title': 'text', 'company_name': 'text', 'create_source': 'text',
        'created_at': 'timestamp', 'updated_at': 'timestamp', 'deleted_at': 'date',
        'list_memberships': 'json', 'taggings': 'json', 'custom_fields': 'json'}, **types)) }} as records
),

v2_records as (
    select *
    from {{ constant_contact_records('v2', 'contacts', dict({
        'id': 'text', 'status': 'text', 'first_name': 'text', 'last_name': 'text',
        'job_title': 'text', 'company_name': 'text', 'source': 'text',
        'created_date': 'timestamp', 'modified_date': 'timestamp', 'email_addresses': 'json',
        'lists': 'json', 'custom_fields': 'json'}, **types)) }} as records
),

-- A contact of v2 has one address.
v2_addresses as (
    select
        source_relation,
        id,
        max({{ constant_contact_field('element', 'email_address') }}) as email_address,
        max({{ constant_contact_time('element', 'opt_in_date') }}) as opt_in_at,
        max({{ constant_contact_field('element', 'opt_in_source') }}) as opt_in_source,
        max({{ constant_contact_time('element', 'opt_out_date') }}) as opt_out_at,
        max({{ constant_contact_field('element', 'opt_out_source') }}) as opt_out_source
    from v2_records
    {{ constant_contact_elements('email_addresses', 'json') }}
    group by source_relation, id
),

v2 as (
    select
        v2_records.source_relation,
        v2_records.api_version,
        v2_records.id as contact_id,
        v2_addresses.email_address,
        case v2_records.status
            when 'ACTIVE' then 'implicit'
            when 'OPTOUT' then 'unsubscribed'
            when 'UNCONFIRMED' then 'pending_confirmation'
            when 'REMOVED' then 'implicit'
            else lower(v2_records.status)
        end as permission,
        v2_addresses.opt_in_at,
        v2_addresses.opt_in_source,
        v2_addresses.opt_out_at,
        v2_addresses.opt_out_source,
        cast(null as {{ dbt.type_string() }}) as opt_out_reason,
        v2_records.first_name,
        v2_records.last_name,
        v2_records.job_title,
        v2_records.company_name,
        v2_records.source as create_source,
        v2_records.created_date as created_at,
        v2_records.modified_date as updated_at,
        case when v2_records.status = 'REMOVED' then cast(v2_records.modified_date as date) end
            as deleted_at,
        v2_records.status = 'REMOVED' as is_deleted,
        v2_records.lists as list_memberships,
        {{ constant_contact_json('null') }} as taggings,
        v2_records.custom_fields,
        {% for column in more %}
        v2_records.{{ column.name }} as {{ column.alias | default(column.name) }},
        {% endfor %}
        v2_records.loaded_at
    from v2_records
    left join v2_addresses
        on v2_records.source_relation = v2_addresses.source_relation
        and v2_records.id = v2_addresses.id
)

select * from v3
union all
select * from v2
