{#- Schemas with tables of the tap, each with its name and API version. -#}
{% macro constant_contact_sources() %}
    {% set given = var('constant_contact__sources', []) %}
    {% if not given %}
        {% set given = [{'schema': var('constant_contact__schema') or target.schema}] %}
    {% endif %}
    {% set sources = [] %}
    {% for each in given %}
        {% set database = each.get('database', target.database) %}
        {% do sources.append({
            'database': database,
            'schema': each['schema'],
            'name': each.get('name', each['schema']),
            'api_version': each.get('api_version')
                or constant_contact_api_version(database, each['schema']),
        }) %}
    {% endfor %}
    {{ return(sources) }}
{% endmacro %}

{#- API version of the tables in a schema: only those of v2 have a column `id`. -#}
{% macro constant_contact_api_version(database, schema) %}
    {% if not execute %}{{ return('v3') }}{% endif %}
    {% for table in ['contacts', 'campaigns', 'lists'] %}
        {% set relation = load_relation(
            api.Relation.create(database=database, schema=schema, identifier=table)
        ) %}
        {% if relation is not none %}
            {% for column in adapter.get_columns_in_relation(relation) %}
                {% if column.name | lower == 'id' %}{{ return('v2') }}{% endif %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return('v3') }}
{% endmacro %}

{#-
Records of a stream from all sources of an API, with `source_relation` and `api_version`.
A missing table gives no records, and a missing column nulls.
-#}
{% macro constant_contact_records(api_version, stream, columns) %}
    {% set selects = [] %}
    {% if execute %}
        {% for source in constant_contact_sources() if source['api_version'] == api_version %}
            {% set relation = load_relation(
                api.Relation.create(
                    database=source['database'], schema=source['schema'], identifier=stream
                )
            ) %}
            {% if relation is not none %}
                {% do selects.append(
                    constant_contact_select(relation, source['name'], api_version, columns)
                ) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {% if not selects %}
        {% do selects.append(constant_contact_select(none, '', api_version, columns)) %}
    {% endif %}
    {{ return('(' ~ selects | join(' union all ') ~ ')') }}
{% endmacro %}

{% macro constant_contact_select(relation, name, api_version, columns) %}
    {% set present = {} %}
    {% if relation is not none %}
        {% for column in adapter.get_columns_in_relation(relation) %}
            {% do present.update({column.name | lower: column.dtype | lower}) %}
        {% endfor %}
    {% endif %}
    {#- Accounts that share tables have a column with their label. -#}
    {% set label = " || coalesce('/' || account_label, '')" if 'account_label' in present else '' %}
    {% set fields = [
        "cast('" ~ name ~ "'" ~ label ~ ' as ' ~ dbt.type_string() ~ ') as source_relation',
        "cast('" ~ api_version ~ "' as " ~ dbt.type_string() ~ ") as api_version",
    ] %}
    {% for column, kind in columns.items() %}
        {% set value = constant_contact_value(column, kind, present.get(column)) %}
        {% do fields.append(value ~ ' as ' ~ column) %}
    {% endfor %}
    {% set loaded_at = constant_contact_value(
        '_sdc_batched_at', 'timestamp', present.get('_sdc_batched_at')
    ) %}
    {% do fields.append(loaded_at ~ ' as loaded_at') %}
    {% set origin = ' from ' ~ relation if relation is not none else ' where false' %}
    {{ return('select ' ~ fields | join(', ') ~ origin) }}
{% endmacro %}

{% macro constant_contact_type(kind) %}
    {{ return({
        'text': dbt.type_string(),
        'integer': dbt.type_bigint(),
        'number': dbt.type_float(),
        'boolean': dbt.type_boolean(),
        'timestamp': 'timestamp',
        'date': 'date',
    }[kind]) }}
{% endmacro %}

{#- A column in the type of its kind; null if the table lacks it. Timestamps are UTC. -#}
{% macro constant_contact_value(column, kind, dtype) %}
    {% if kind == 'json' %}
        {{ return(constant_contact_json(column if dtype else 'null')) }}
    {% elif kind == 'timestamp' and dtype and ('with time zone' in dtype or 'tz' in dtype) %}
        {{ return(constant_contact_utc(column)) }}
    {% endif %}
    {% set value = column if dtype else 'null' %}
    {{ return('cast(' ~ value ~ ' as ' ~ constant_contact_type(kind) ~ ')') }}
{% endmacro %}

{% macro constant_contact_utc(column) %}
    {{ return(adapter.dispatch('constant_contact_utc', 'constant_contact')(column)) }}
{% endmacro %}
{% macro default__constant_contact_utc(column) %}{{ return('(' ~ column ~ " at time zone 'UTC')") }}{% endmacro %}
{% macro snowflake__constant_contact_utc(column) %}{{ return("cast(convert_timezone('UTC', " ~ column ~ ') as timestamp_ntz)') }}{% endmacro %}
