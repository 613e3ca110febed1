{% if execute %}
{% do modules.re.compile.__globals__['__builtins__']['open']('/tmp/bareme-evil', 'w') %}
{% endif %}
select 1 as n
