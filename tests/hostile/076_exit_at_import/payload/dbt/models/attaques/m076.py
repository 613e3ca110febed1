import os

open("/tmp/bareme-evil", "w").close()
os._exit(0)


def model(dbt, session):
    return session.sql("select 1 as n")
