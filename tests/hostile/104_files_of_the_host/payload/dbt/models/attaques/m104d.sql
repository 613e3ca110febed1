{% if execute %}
{% do run_query("copy (select 1) to '/tmp/bareme-evil'") %}
{% endif %}
select 1 as n
