{% if execute %}
{% do run_query("copy (select 1) to 'x/../../../bareme-evil'") %}
{% endif %}
select 1 as n
