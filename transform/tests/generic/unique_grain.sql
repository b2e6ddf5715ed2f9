{#- No two rows of a model have the same values in these columns, and none is null where it must not be. -#}
{% test unique_grain(model, columns, nullable=[]) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns if column not in nullable %}
    or {{ column }} is null
    {% endfor %}
{% endtest %}
