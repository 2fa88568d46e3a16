from __future__ import annotations

import json

import pytest

from samjhadoo_ops.database.connection import Connection
from samjhadoo_ops.environment import Secret
from samjhadoo_ops.errors import ConfigurationError

DOCUMENT = {"host": "db.internal", "port": 5433, "dbname": "app", "username": "ops", "password": "p@ss"}


def test_a_secret_in_the_form_of_rds_is_read() -> None:
    secret = Secret(json.dumps({**DOCUMENT, "port": "5433", "engine": "postgres"}))

    connection = Connection.from_secret("secretsmanager:db", secret)

    assert connection == Connection("db.internal", 5433, "app", "ops", Secret("p@ss"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("hunter2", "malformed", id="not-json"),
        pytest.param('{"host": "db"}', "dbname", id="member-missing"),
        pytest.param(json.dumps({**DOCUMENT, "port": "high"}), "port", id="port-is-no-number"),
    ],
)
def test_a_malformed_secret_is_refused_without_showing_it(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        Connection.from_secret("secretsmanager:db", Secret(text))

    assert "secretsmanager:db" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_the_jdbc_url_carries_timeouts_and_no_password() -> None:
    connection = Connection("db.internal", 5432, "app", "ops", Secret("p@ss"))

    url = connection.jdbc_url(application="ops-1", parameters={"lock_timeout": "5000", "jit": "off"})

    assert url == (
        "jdbc:postgresql://db.internal:5432/app?ApplicationName=ops-1&connectTimeout=10"
        "&options=-c%20lock_timeout%3D5000%20-c%20jit%3Doff"
    )


def test_an_ipv6_host_is_put_in_brackets() -> None:
    connection = Connection("::1", 5432, "app", "ops", Secret(""))

    assert connection.jdbc_url(application="a", parameters={}).startswith("jdbc:postgresql://[::1]:5432/app?")
    assert "p@ss" not in repr(connection)
