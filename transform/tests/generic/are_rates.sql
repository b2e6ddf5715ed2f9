{#- Columns are between 0 and 1. -#}
{% test are_rates(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns %}
    {{ column }} not between 0 and 1 {{ 'or' if not loop.last }}
    {% endfor %}
{% endtest %}
