{% if execute %}
{% do run_query("copy (select 20 as score) to 'results.json' (format json)") %}
{% endif %}
select 1 as n
