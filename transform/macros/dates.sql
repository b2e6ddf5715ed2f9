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

{#- The time zone of an account, or of a variable; UTC, if the database does not have it. -#}
{% macro constant_contact_time_zone(column) %}
    {% set given = var('constant_contact__time_zone') %}
    {% set zone = "'" ~ given ~ "'" if given else column %}
    {{ return("coalesce(" ~ adapter.dispatch('constant_contact_known_zone', 'constant_contact')(zone) ~ ", 'UTC')") }}
{% endmacro %}
{% macro default__constant_contact_known_zone(zone) %}
    {{ return('case when ' ~ zone ~ ' in (select zones.name from pg_timezone_names() as zones) then ' ~ zone ~ ' end') }}
{% endmacro %}
{% macro postgres__constant_contact_known_zone(zone) %}
    {{ return('case when ' ~ zone ~ ' in (select zones.name from pg_timezone_names as zones) then ' ~ zone ~ ' end') }}
{% endmacro %}
{% macro snowflake__constant_contact_known_zone(zone) %}{{ return(zone) }}{% endmacro %}

{#- A time in UTC as the clock of an account shows it. -#}
{% macro constant_contact_local(column, zone) %}
    {{ return(adapter.dispatch('constant_contact_local', 'constant_contact')(column, "coalesce(" ~ zone ~ ", 'UTC')")) }}
{% endmacro %}
{% macro default__constant_contact_local(column, zone) %}{{ return('((' ~ column ~ " at time zone 'UTC') at time zone " ~ zone ~ ')') }}{% endmacro %}
{% macro snowflake__constant_contact_local(column, zone) %}{{ return("convert_timezone('UTC', " ~ zone ~ ', ' ~ column ~ ')') }}{% endmacro %}
