{% if execute %}
{% do run_query("load '/tmp/bareme-evil.duckdb_extension'") %}
{% endif %}
select 1 as n
