{% if execute %}
{% do run_query("install httpfs") %}
{% endif %}
select 1 as n
