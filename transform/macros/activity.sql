{#- The number of a kind of activity in a group. -#}
{% macro constant_contact_activities(type) %}
    {{ return("sum(case when activity_type = '" ~ type ~ "' then 1 else 0 end)") }}
{% endmacro %}

{#- The last click, or open that was not likely a machine's, in a group. -#}
{% macro constant_contact_engaged_at() %}
    max(
        case when activity_type in ('open', 'click') and not is_likely_machine
            then occurred_at end
    )
{% endmacro %}

{#- Cases of the engagement bands of contacts that were ever engaged. -#}
{% macro constant_contact_bands(days) %}
    when {{ days }} <= {{ var('constant_contact__engaged_days') }} then 'engaged'
    when {{ days }} <= {{ var('constant_contact__cooling_days') }} then 'cooling'
    when {{ days }} <= {{ var('constant_contact__dormant_days') }} then 'dormant'
    when {{ days }} is not null then 'lost'
{% endmacro %}

{#- Kind of a bounce: hard if the address does not exist or is suspended, else soft. -#}
{% macro constant_contact_bounce_kind(code) %}
    case when {{ code }} in ('B', 'S') then 'hard' when {{ code }} is not null then 'soft' end
{% endmacro %}
