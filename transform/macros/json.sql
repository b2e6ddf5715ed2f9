{#- A column with an object or array as JSON: loaders differ in their types. -#}
{% macro constant_contact_json(value) %}
    {{ return(adapter.dispatch('constant_contact_json', 'constant_contact')(value)) }}
{% endmacro %}
{% macro default__constant_contact_json(value) %}{{ return('cast(' ~ value ~ ' as json)') }}{% endmacro %}
{% macro postgres__constant_contact_json(value) %}{{ return('to_jsonb(' ~ ('null::text' if value == 'null' else value) ~ ')') }}{% endmacro %}
{% macro snowflake__constant_contact_json(value) %}{{ return('cast(' ~ value ~ ' as variant)') }}{% endmacro %}

{#- A field of an object, as text. -#}
{% macro constant_contact_field(column, name) %}
    {{ return(adapter.dispatch('constant_contact_field', 'constant_contact')(column, name)) }}
{% endmacro %}
{% macro default__constant_contact_field(column, name) %}{{ return("json_extract_string(" ~ column ~ ", '$.\"" ~ name ~ "\"')") }}{% endmacro %}
{% macro postgres__constant_contact_field(column, name) %}{{ return("(" ~ column ~ " ->> '" ~ name ~ "')") }}{% endmacro %}
{% macro snowflake__constant_contact_field(column, name) %}{{ return("cast(get(" ~ column ~ ", '" ~ name ~ "') as varchar)") }}{% endmacro %}

{% macro constant_contact_count(column, name) %}
    {{ return('cast(' ~ constant_contact_field(column, name) ~ ' as ' ~ dbt.type_bigint() ~ ')') }}
{% endmacro %}

{#- A timestamp in a field of an object. -#}
{% macro constant_contact_time(column, name) %}
    {{ return(adapter.dispatch('constant_contact_time', 'constant_contact')(column, name)) }}
{% endmacro %}
{% macro default__constant_contact_time(column, name) %}{{ return('(cast(' ~ constant_contact_field(column, name) ~ " as timestamptz) at time zone 'UTC')") }}{% endmacro %}
{% macro snowflake__constant_contact_time(column, name) %}{{ return("cast(convert_timezone('UTC', cast(get(" ~ column ~ ", '" ~ name ~ "') as timestamp_tz)) as timestamp_ntz)") }}{% endmacro %}

{#- A join that gives `element` for each element of an array; `kind` is text or json. -#}
{% macro constant_contact_elements(column, kind) %}
    {{ return(adapter.dispatch('constant_contact_elements', 'constant_contact')(column, kind)) }}
{% endmacro %}
{% macro default__constant_contact_elements(column, kind) %}
    {{ return('cross join unnest(cast(' ~ column ~ ' as ' ~ ('varchar' if kind == 'text' else 'json') ~ '[])) as elements (element)') }}
{% endmacro %}
{% macro postgres__constant_contact_elements(column, kind) %}
    {% set function = 'jsonb_array_elements_text' if kind == 'text' else 'jsonb_array_elements' %}
    {{ return("cross join lateral " ~ function ~ "(case jsonb_typeof(" ~ column ~ ") when 'array' then " ~ column ~ " else '[]' end) as elements (element)") }}
{% endmacro %}
{% macro snowflake__constant_contact_elements(column, kind) %}
    {{ return('cross join lateral (select ' ~ ('cast(value as varchar)' if kind == 'text' else 'value') ~ ' as element from table(flatten(input => ' ~ column ~ '))) as elements') }}
{% endmacro %}

{#- An object in a field of an object. -#}
{% macro constant_contact_object(column, name) %}
    {{ return(adapter.dispatch('constant_contact_object', 'constant_contact')(column, name)) }}
{% endmacro %}
{% macro default__constant_contact_object(column, name) %}{{ return("json_extract(" ~ column ~ ", '$.\"" ~ name ~ "\"')") }}{% endmacro %}
{% macro postgres__constant_contact_object(column, name) %}{{ return("(" ~ column ~ " -> '" ~ name ~ "')") }}{% endmacro %}
{% macro snowflake__constant_contact_object(column, name) %}{{ return("get(" ~ column ~ ", '" ~ name ~ "')") }}{% endmacro %}

{#- A row per list in a column with lists, which are ids in v3 and objects in v2. -#}
{% macro constant_contact_lists_in(relation, column, fields) %}
    {% set ids = {'v3': ('text', 'element'), 'v2': ('json', constant_contact_field('element', 'id'))} %}
    {% for version, (kind, id) in ids.items() %}
    select
        source_relation,
        api_version,
        {{ fields | join(', ') }},
        {{ id }} as list_id,
        loaded_at
    from {{ relation }}
    {{ constant_contact_elements(column, kind) }}
    where api_version = '{{ version }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endmacro %}
