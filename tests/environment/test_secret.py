from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from samjhadoo_ops.environment import Secret, SecretRef
from samjhadoo_ops.errors import ConfigurationError, ExitCode, OpsError

values = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6).filter(
    # Stars are what is shown; `dir` shows the type's own names, which a value may be a part of.
    lambda text: "*" not in text and text not in str(dir(Secret))
)


@dataclasses.dataclass
class Holder:
    token: Secret


@given(values)
def test_a_secret_never_prints(value: str) -> None:
    secret = Secret(value)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{secret!r}",
        "".join(map(str, [secret])),
    ]
    shown += [repr([secret]), repr({"token": secret}), repr(Holder(secret)), str(ValueError(secret))]
    shown += [
        repr(dataclasses.asdict(Holder(secret))),
        json.dumps({"token": secret}, default=str),
        str(dir(secret)),
    ]
    shown += [repr(copy.copy(secret)), repr(copy.deepcopy([secret]))]
    shown.append(logging.LogRecord("n", 20, "p", 1, "%s", (secret,), None).getMessage())
    assert secret.reveal() == value
    assert all(value not in text for text in shown)


@pytest.mark.parametrize(
    "write",
    [pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins, vars],
)
def test_a_secret_is_not_written(write: Any) -> None:
    planted = "planted-value"
    with pytest.raises(TypeError) as caught:
        write(Secret(planted))
    assert planted not in str(caught.value)


def test_equal_secrets_are_equal_and_no_text_is() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("secretsmanager:samjhadoo/local/database", SecretRef("secretsmanager", "samjhadoo/local/database")),
        ("secretsmanager:stripe#secret_key", SecretRef("secretsmanager", "stripe", "secret_key")),
        (
            "secretsmanager:arn:aws:secretsmanager:ap-south-1:111122223333:secret:db-AbCdEf#password",
            SecretRef(
                "secretsmanager",
                "arn:aws:secretsmanager:ap-south-1:111122223333:secret:db-AbCdEf",
                "password",
            ),
        ),
        ("ssm:/samjhadoo/token", SecretRef("ssm", "/samjhadoo/token")),
        ("env:STRIPE_SECRET_KEY", SecretRef("env", "STRIPE_SECRET_KEY")),
    ],
)
def test_a_reference_is_read_and_written(text: str, reference: SecretRef) -> None:
    assert SecretRef.parse(text) == reference
    assert str(reference) == text


@given(st.one_of(values, st.builds("{}:{}".format, st.sampled_from(["env", "ssm", "vault"]), values)))
def test_an_invalid_reference_is_refused_without_being_shown(text: str) -> None:
    try:
        reference = SecretRef.parse(text)
    except ValueError as error:
        message = str(error)
        assume(
            text
            not in "expected a reference (secretsmanager:NAME[#KEY], ssm:/NAME or env:NAME), not the secret"
        )
        assert text not in message
    else:
        assert str(reference) == text


@pytest.mark.parametrize(
    "literal", ["sk_live_4eC39HqLyjWDarjtT1zdp7dc", "env:sk_test_4eC39HqLyjWDarjtT1zdp7dc"]
)
def test_a_secret_in_place_of_its_reference_is_refused_without_being_shown(literal: str) -> None:
    with pytest.raises(ValueError, match="not the secret itself") as caught:
        SecretRef.parse(literal)
    assert "4eC39" not in str(caught.value)


class Vault:
    """AWS's two stores, with one secret each."""

    def client(self, service: str) -> Vault:
        return self

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        assert WithDecryption
        return {"Parameter": {"Value": f"value of {Name}"}}

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        if SecretId == "binary":
            return {"SecretBinary": b"\x00"}
        return {
            "SecretString": "plain-value" if SecretId == "plain" else '{"password": "p4ss", "port": 5432}'
        }


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("ssm:/a/b", "value of /a/b"),
        ("secretsmanager:plain", "plain-value"),
        ("secretsmanager:db#password", "p4ss"),
        ("secretsmanager:db#port", "5432"),
        ("env:TOKEN", "from-variable"),
    ],
)
def test_references_are_resolved_late(reference: str, value: str) -> None:
    secret = SecretRef.parse(reference).resolve(Vault(), variables={"TOKEN": "from-variable"})
    assert secret.reveal() == value


@pytest.mark.parametrize(
    "reference", ["secretsmanager:db#user", "secretsmanager:plain#key", "secretsmanager:binary", "env:ABSENT"]
)
def test_a_secret_that_is_not_there_is_named_and_nothing_of_it_shown(reference: str) -> None:
    with pytest.raises(ConfigurationError, match=reference) as caught:
        SecretRef.parse(reference).resolve(Vault(), variables={})
    shown = "".join(traceback.format_exception(caught.value))
    assert "p4ss" not in shown
    assert "plain-value" not in shown


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("ResourceNotFoundException", ExitCode.USAGE), ("AccessDeniedException", ExitCode.UNEXPECTED)],
)
def test_a_refusal_by_aws_is_reported_with_the_reference(code: str, exit_code: ExitCode) -> None:
    from botocore.exceptions import ClientError

    class Closed(Vault):
        def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
            raise ClientError({"Error": {"Code": code, "Message": f"no {SecretId}"}}, "GetSecretValue")

    with pytest.raises(OpsError, match="secretsmanager:db#password: AWS GetSecretValue: .*: no db") as caught:
        SecretRef.parse("secretsmanager:db#password").resolve(Closed())
    assert caught.value.exit_code == exit_code
    assert caught.value.hint
