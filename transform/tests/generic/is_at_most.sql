{#- A rate is not above an alert level: a variable of the project. -#}
{% test is_at_most(model, column_name, variable) %}
{{ config(severity='warn') }}
select *
from {{ model }}
where {{ column_name }} > {{ var(variable) }}
{% endtest %}
