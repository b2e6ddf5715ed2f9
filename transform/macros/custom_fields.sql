{#- Labels of the custom fields that have values, each with its type and a name for its column. -#}
{% macro constant_contact_custom_fields(relation) %}
    {% set fields = [] %}
    {% set taken = ['source_relation', 'api_version', 'contact_id', 'email_address',
        'custom_fields_count'] %}
    {% if execute and load_relation(relation) is not none %}
        {% set query %}
            select label, min(type) as type
            from {{ relation }}
            where label is not null
            group by label
            order by label
        {% endset %}
        {% for row in run_query(query) %}
            {% set plain = modules.re.sub('[^a-z0-9]+', '_', row[0] | lower).strip('_') %}
            {% if not plain or plain[0].isdigit() %}{% set plain = 'custom_' ~ plain %}{% endif %}
            {% set name = plain if plain not in taken else plain ~ '_' ~ loop.index %}
            {% do taken.append(name) %}
            {% do fields.append({'label': row[0], 'type': row[1], 'column': adapter.quote(name)}) %}
        {% endfor %}
    {% endif %}
    {{ return(fields) }}
{% endmacro %}

{#- Text as a number; null for anything else. -#}
{% macro constant_contact_number(value) %}
    {{ return(adapter.dispatch('constant_contact_number', 'constant_contact')(value)) }}
{% endmacro %}
{% macro default__constant_contact_number(value) %}{{ return('try_cast(' ~ value ~ ' as double)') }}{% endmacro %}
{% macro postgres__constant_contact_number(value) %}
    {{ return("case when " ~ value ~ " ~ '^-?[0-9]+([.][0-9]+)?$' then cast(" ~ value ~ " as double precision) end") }}
{% endmacro %}
{% macro snowflake__constant_contact_number(value) %}{{ return('try_to_double(' ~ value ~ ')') }}{% endmacro %}
