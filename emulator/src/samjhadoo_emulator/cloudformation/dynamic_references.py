"""Dynamic references: `{{resolve:ssm:NAME}}` and others, read just before they are needed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.service import AwsApi

_REFERENCE: Final = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")


def found_in(value: Any) -> Iterator[str]:
    """Yield the dynamic references in an evaluated value, as text."""
    if isinstance(value, str):
        yield from (match[0] for match in _REFERENCE.finditer(value))
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from found_in(member)


async def resolve(value: Any, aws: AwsApi) -> Any:
    """Return an evaluated value with its dynamic references replaced by what they refer to.

    Raises:
        AwsError: What is referred to does not exist, or has no such key or version.
    """
    answers = {reference: await _read(reference, aws) for reference in dict.fromkeys(found_in(value))}
    return _replaced(value, answers) if answers else value


def _replaced(value: Any, answers: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: answers[match[0]], value)
    if isinstance(value, dict):
        return {name: _replaced(member, answers) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, answers) for member in value]
    return value


async def _read(reference: str, aws: AwsApi) -> str:
    match = _REFERENCE.fullmatch(reference)
    service, key = match.groups() if match else ("", "")
    if service == "secretsmanager":
        return await _secret(reference, key, aws)
    return await _parameter(key, aws)


async def _parameter(name: str, aws: AwsApi) -> str:
    try:
        answer = await aws.call("ssm", "GetParameter", Name=name, WithDecryption=True)
    except AwsError as error:
        if error.code not in {"ParameterNotFound", "ParameterVersionNotFound"}:
            raise
        raise validation_error(
            f"Unable to fetch parameters [{name}] from parameter store for this account."
        ) from None
    return str(answer["Parameter"]["Value"])


async def _secret(reference: str, key: str, aws: AwsApi) -> str:
    name, _, rest = key.partition(":") if not key.startswith("arn:") else _secret_arn(key)
    kind, member, stage, version = [*rest.split(":"), "", "", "", ""][:4]
    if kind not in {"", "SecretString"}:
        raise validation_error(f"Invalid dynamic reference {reference}: only SecretString is supported")
    given = {"VersionStage": stage, "VersionId": version}
    answer = await aws.call(
        "secretsmanager",
        "GetSecretValue",
        SecretId=name,
        **{option: chosen for option, chosen in given.items() if chosen},
    )
    text = str(answer["SecretString"])
    return text if not member else _member(text, member)


def _secret_arn(key: str) -> tuple[str, str, str]:
    parts = key.split(":")
    return ":".join(parts[:7]), ":", ":".join(parts[7:])


def _member(text: str, member: str) -> str:
    try:
        found = json.loads(text)[member]
    except (ValueError, KeyError, TypeError):
        raise validation_error("Could not find a value associated with JSONKey in SecretString") from None
    return found if isinstance(found, str) else json.dumps(found)
