{#- Day of the week: 1 is Monday, 7 is Sunday. -#}
{% macro constant_contact_weekday(column) %}
    {{ return(adapter.dispatch('constant_contact_weekday', 'constant_contact')(column)) }}
{% endmacro %}
{% macro default__constant_contact_weekday(column) %}
    {{ return('cast(extract(isodow from ' ~ column ~ ') as ' ~ dbt.type_bigint() ~ ')') }}
{% endmacro %}
{% macro snowflake__constant_contact_weekday(column) %}{{ return('dayofweekiso(' ~ column ~ ')') }}{% endmacro %}

{#- The start of the build, in UTC: all models of a build have the same time. -#}
{% macro constant_contact_now() %}
    {{ return("cast('" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S') ~ "' as timestamp)") }}
{% endmacro %}
