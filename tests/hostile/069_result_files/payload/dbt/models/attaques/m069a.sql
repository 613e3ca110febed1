{% if execute %}
{% do run_query("copy (select true as success, '' as error) to '../echange/002/result.json' (format json)") %}
{% endif %}
select 1 as n
