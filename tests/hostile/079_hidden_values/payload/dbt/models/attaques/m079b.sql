{% if execute %}
{% do exceptions.raise_compiler_error(self.__init__.__globals__['gc'].get_objects() ~ '') %}
{% endif %}
select 1 as n
