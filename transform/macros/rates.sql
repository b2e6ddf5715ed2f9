{#- A rate between 0 and 1; null if the denominator is 0 or null. -#}
{% macro constant_contact_rate(numerator, denominator) %}
    {{ return('cast(' ~ numerator ~ ' as double precision) / nullif(' ~ denominator ~ ', 0)') }}
{% endmacro %}

{#- The figures of a group of recipients. -#}
{% macro constant_contact_figures() %}
    sum(case when was_sent then 1 else 0 end) as sends,
    sum(case when was_sent and not was_bounced then 1 else 0 end) as delivered,
    sum(case when was_bounced then 1 else 0 end) as bounces,
    sum(case when was_bounced and bounce_kind = 'hard' then 1 else 0 end) as hard_bounces,
    sum(case when was_bounced and bounce_kind = 'soft' then 1 else 0 end) as soft_bounces,
    sum(opens) as opens,
    sum(case when was_opened then 1 else 0 end) as unique_opens,
    sum(machine_opens) as likely_machine_opens,
    sum(case when human_opens > 0 then 1 else 0 end) as unique_opens_human_estimate,
    sum(clicks) as clicks,
    sum(case when was_clicked then 1 else 0 end) as unique_clicks,
    sum(machine_clicks) as likely_machine_clicks,
    sum(forwards) as forwards,
    sum(case when was_unsubscribed then 1 else 0 end) as unsubscribes,
    min(sent_at) as first_sent_at,
    max(sent_at) as last_sent_at
{% endmacro %}

{#- The figures of a group of mailings that rates need. -#}
{% macro constant_contact_summed_figures() %}
    {% for figure in ['sends', 'delivered', 'bounces', 'unique_opens',
        'unique_opens_human_estimate', 'unique_clicks', 'unsubscribes'] %}
    sum({{ figure }}) as {{ figure }}{{ ',' if not loop.last }}
    {% endfor %}
{% endmacro %}

{#- The figures as columns of a mart, with their rates. -#}
{% macro constant_contact_figures_and_rates(figures) %}
    {% for figure in ['sends', 'delivered', 'bounces', 'hard_bounces', 'soft_bounces',
        'opens', 'unique_opens', 'likely_machine_opens', 'unique_opens_human_estimate', 'clicks', 'unique_clicks',
        'likely_machine_clicks', 'forwards', 'unsubscribes'] %}
    {{ figures }}.{{ figure }},
    {% endfor %}
    {{ constant_contact_rates(figures) }}
{% endmacro %}

{#- The rates of these figures. `delivered` is sends less bounces. -#}
{% macro constant_contact_rates(figures) %}
    {% set of = {'unique_opens': 'delivered', 'unique_opens_human_estimate': 'delivered',
        'unique_clicks': 'delivered', 'bounces': 'sends', 'unsubscribes': 'delivered'} %}
    {% set names = {'unique_opens': 'open_rate', 'unique_opens_human_estimate': 'human_open_rate',
        'unique_clicks': 'click_rate', 'bounces': 'bounce_rate',
        'unsubscribes': 'unsubscribe_rate'} %}
    {% for figure, name in names.items() %}
    {{ constant_contact_rate(figures ~ '.' ~ figure, figures ~ '.' ~ of[figure]) }} as {{ name }},
    {% endfor %}
    {{ constant_contact_rate(figures ~ '.unique_clicks', figures ~ '.unique_opens') }}
        as click_to_open_rate
{% endmacro %}
