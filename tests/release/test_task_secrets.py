from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.redaction import clean
from samjhadoo_ops.release.task_secrets import conceal, references, secret_id, secret_values

ARN = "arn:aws:secretsmanager:ap-south-1:000000000000:secret:app-AbCdEf"
PARAMETER = "arn:aws:ssm:ap-south-1:000000000000:parameter/app/key"


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


class Store:
    """Secrets Manager and Systems Manager, as far as `conceal` asks them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.asked: list[dict[str, str]] = []

    def get_secret_value(self, **request: str) -> dict[str, Any]:
        self.asked.append(request)
        found = self.values.get(request["SecretId"])
        if found is None:
            raise denied("GetSecretValue")
        return {"SecretBinary": found} if isinstance(found, bytes) else {"SecretString": found}

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        assert WithDecryption
        if Name not in self.values:
            raise denied("GetParameter")
        return {"Parameter": {"Value": self.values[Name]}}


def concealed(store: Store, *containers: dict[str, Any]) -> str:
    aws: Any = SimpleNamespace(client=lambda _name: store)
    return conceal(load_environment("local", variables={}), aws, {"containerDefinitions": list(containers)})


def secret(name: str, reference: str) -> dict[str, str]:
    return {"name": name, "valueFrom": reference}


def test_the_values_that_a_task_gets_are_removed_from_what_is_shown() -> None:
    leaves = {
        "password": "leaf-planted-1",
        "more": [{"token": 83921734}],
        "port": 65432,
        "host": "db.example",
    }
    store = Store(
        {ARN: json.dumps(leaves), "/app/key": "parameter-planted-2", f"{ARN}2": b"binary-planted-3"}
    )
    unread = concealed(
        store,
        {"secrets": [secret("A", f"{ARN}:password:AWSPREVIOUS:"), secret("B", PARAMETER)]},
        {"logConfiguration": {"secretOptions": [secret("C", f"{ARN}2")]}},
    )
    assert unread == ""
    assert {"SecretId": ARN, "VersionStage": "AWSPREVIOUS"} in store.asked
    printed = "leaf-planted-1 parameter-planted-2 binary-planted-3 83921734 db.example 65432"
    assert clean(printed) == "*** *** *** *** db.example 65432"


def test_what_may_not_be_read_is_named_with_the_reason_and_the_rest_is_read() -> None:
    store = Store({"plain-name": "parameter-planted-4"})
    unread = concealed(
        store, {"secrets": [secret("A", ARN), secret("B", "plain-name"), secret("C", f"{PARAMETER}2")]}
    )
    assert unread == (
        "secrets, so they are not removed from what the tasks print: A, C (AccessDeniedException)"
    )
    assert clean("parameter-planted-4") == "***"


def test_what_the_settings_show_in_plain_text_is_no_secret() -> None:
    values = {"environment": "samjhadoo-service", "key": "not-in-a-setting"}
    assert list(secret_values(json.dumps(values), {"samjhadoo-service"}))[1:] == ["not-in-a-setting"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("just-text", ["just-text"]),
        ("[not JSON", ["[not JSON"]),
        ("redis://:p4ss-word@cache:6379/0", ["redis://:p4ss-word@cache:6379/0", "p4ss-word"]),
        ("http://[broken", ["http://[broken"]),
        ('{"a": true, "b": null, "c": 1.5}', ['{"a": true, "b": null, "c": 1.5}', "1.5"]),
        ('{"a": "[1, \\"inner\\"]"}', ['{"a": "[1, \\"inner\\"]"}', '[1, "inner"]', "1", "inner"]),
    ],
)
def test_the_parts_of_a_secret_are_secrets_too(text: str, values: list[str]) -> None:
    assert list(secret_values(text)) == values


KEYS = st.text().map("_{}".format)
JSON = st.recursive(st.text(min_size=1), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner))


@given(st.lists(JSON))
def test_every_text_in_a_secret_of_json_is_found(document: list[Any]) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        inner = value if isinstance(value, list) else value.values()
        return [text for item in inner for text in texts(item)]

    named = json.loads(
        json.dumps(document), object_pairs_hook=lambda pairs: {f"_{key}": item for key, item in pairs}
    )
    assert set(texts(named)) <= set(secret_values(json.dumps(named)))


def test_every_secret_of_a_task_definition_is_found_without_its_key() -> None:
    arn = "arn:aws:secretsmanager:r:a:secret:db"
    document = {
        "containerDefinitions": [
            {"secrets": [{"name": "DB", "valueFrom": f"{arn}:password::"}]},
            {"name": "other"},
        ]
    }
    assert [name for name, _ in references(document)] == ["DB"]
    assert secret_id(f"{arn}:password::") == arn
