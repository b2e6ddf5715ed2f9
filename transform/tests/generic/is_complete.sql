{#- No figure is short of the API's counter. -#}
{% test is_complete(model) %}
select *
from {{ model }}
where verdict = 'short'
{% endtest %}
