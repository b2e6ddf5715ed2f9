{#-
Configuration of a model that replaces whole mailings. The key is one text: of a list of columns,
dbt-duckdb makes a join of all old rows of a mailing with all new ones.
-#}
{% macro constant_contact_by_mailing() %}
    {{ return({
        'materialized': 'incremental',
        'incremental_strategy': 'delete+insert',
        'unique_key': 'source_relation, mailing_id',
        'on_schema_change': 'append_new_columns',
    }) }}
{% endmacro %}

{#-
Activity of the mailings with records that were loaded since the last build. Records of a mailing
arrive in any order of their own times, so it is the time of the load that counts. Without one, and
for an account that is new, everything is selected.
-#}
{% macro constant_contact_changed_activity(relation) %}
    select activity.*
    from {{ relation }} as activity
    {% if is_incremental() %}
    inner join (
        select distinct
            loaded.source_relation,
            loaded.mailing_id
        from {{ relation }} as loaded
        left join (
            select
                existing.source_relation,
                {{ dbt.dateadd(
                    'hour', '-' ~ var('constant_contact__overlap_hours'), 'max(existing.loaded_at)'
                ) }} as built_until
            from {{ this }} as existing
            group by existing.source_relation
        ) as built
            on loaded.source_relation = built.source_relation
        where
            loaded.loaded_at is null
            or built.built_until is null
            or loaded.loaded_at > built.built_until
    ) as changed
        on activity.source_relation = changed.source_relation
        and activity.mailing_id = changed.mailing_id
    {% endif %}
{% endmacro %}
