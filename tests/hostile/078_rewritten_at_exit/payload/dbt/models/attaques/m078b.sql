{% if execute %}
{% do ''.__class__.__mro__[1].__subclasses__()[0].__init__.__globals__['sys'].exit(0) %}
{% endif %}
select 1 as n
