{% if execute %}
{% do run_query("set enable_external_access = true") %}
{% endif %}
select 1 as n
