{#- A row is a contact, with a column for each custom field. -#}
{%- set fields = constant_contact_custom_fields(ref('constant_contact__contact_custom_fields')) %}
with field_values as (
    select
        source_relation,
        contact_id,
        {% for field in fields %}
        max(case when label = '{{ field.label | replace("'", "''") }}' then value end)
            as {{ field.column }},
        {% endfor %}
        count(*) as custom_fields_count
    from {{ ref('constant_contact__contact_custom_fields') }}
    group by source_relation, contact_id
)

select
    contacts.source_relation,
    contacts.api_version,
    contacts.contact_id,
    contacts.email_address,
    {% for field in fields %}
    {% if field.type in ('number', 'currency') %}
    {{ constant_contact_number('field_values.' ~ field.column) }} as {{ field.column }},
    {% elif field.type == 'boolean' %}
    lower(field_values.{{ field.column }}) = 'true' as {{ field.column }},
    {% else %}
    field_values.{{ field.column }},
    {% endif %}
    {% endfor %}
    coalesce(field_values.custom_fields_count, 0) as custom_fields_count
from {{ ref('constant_contact__contacts') }} as contacts
left join field_values
    on contacts.source_relation = field_values.source_relation
    and contacts.contact_id = field_values.contact_id
