{% if execute %}
{% do run_query("attach '/tmp/bareme-evil'") %}
{% endif %}
select 1 as n
