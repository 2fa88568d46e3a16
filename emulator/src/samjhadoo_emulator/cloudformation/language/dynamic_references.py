"""Dynamic references: `{{resolve:ssm:NAME}}` and others, read just before they are needed.

Facts: "Get values stored in other services using dynamic references" in CloudFormation's user guide; the
texts are what AWS answered to such templates.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.service import AwsApi

_REFERENCE: Final = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")
_ARN_PARTS: Final = 7
_VERSION: Final = re.compile(r"[1-9][0-9]*")
_SECURE: Final = {
    "AWS::DirectoryService::MicrosoftAD": {"Password"},
    "AWS::DirectoryService::SimpleAD": {"Password"},
    "AWS::ElastiCache::ReplicationGroup": {"AuthToken"},
    "AWS::IAM::User": {"LoginProfile"},
    "AWS::KinesisFirehose::DeliveryStream": {"RedshiftDestinationConfiguration"},
    "AWS::OpsWorks::App": {"AppSource"},
    "AWS::OpsWorks::Stack": {"CustomCookbooksSource", "RdsDbInstances"},
    "AWS::RDS::DBCluster": {"MasterUserPassword"},
    "AWS::RDS::DBInstance": {"MasterUserPassword"},
    "AWS::Redshift::Cluster": {"MasterUserPassword"},
}
"""The properties, by type, where `ssm-secure` is allowed."""


def found_in(value: Any) -> Iterator[str]:
    """Yield the dynamic references in an evaluated value, as text."""
    if isinstance(value, str):
        yield from (match[0] for match in _REFERENCE.finditer(value))
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from found_in(member)


def check(type_name: str, properties: dict[str, Any]) -> None:
    """Check the form of a resource's dynamic references, and where it has secure ones.

    Raises:
        AwsError: A version is no number, or `ssm-secure` is in a property that does not allow it.
    """
    for name, value in properties.items():
        for reference in found_in(value):
            service, key = _parts(reference)
            if service == "secretsmanager":
                continue
            version = key.partition(":")[2] if not key.startswith("arn:") else ""
            if version and not _VERSION.fullmatch(version):
                raise validation_error(
                    f"Incorrect format is used in the following SSM reference: [{reference}]"
                )
            if service == "ssm-secure" and name not in _SECURE.get(type_name, ()):
                raise validation_error(
                    f"SSM Secure reference is not supported in: [{type_name}/Properties/{name}]"
                )


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


def _parts(reference: str) -> tuple[str, str]:
    service, _, key = reference.removeprefix("{{resolve:").removesuffix("}}").partition(":")
    return service, key


async def _read(reference: str, aws: AwsApi) -> str:
    service, key = _parts(reference)
    if service == "secretsmanager":
        return await _secret(reference, key, aws)
    answer = await read_parameter(key, aws)
    if service == "ssm" and answer["Type"] == "SecureString":
        raise validation_error(f"Non-secure ssm prefix was used for secure parameter {answer['Name']}")
    return str(answer["Value"])


async def read_parameter(name: str, aws: AwsApi) -> dict[str, Any]:
    """Return an SSM parameter as GetParameter describes it.

    Raises:
        AwsError: There is none of this name and version.
    """
    try:
        answer = await aws.call("ssm", "GetParameter", Name=name, WithDecryption=True)
    except AwsError as error:
        if error.code not in {"ParameterNotFound", "ParameterVersionNotFound"}:
            raise
        raise validation_error(
            f"Unable to fetch parameters [{name}] from parameter store for this account."
        ) from None
    parameter: dict[str, Any] = answer["Parameter"]
    return parameter


async def _secret(reference: str, key: str, aws: AwsApi) -> str:
    parts = key.split(":")
    split = _ARN_PARTS if key.startswith("arn:") else 1
    name, rest = ":".join(parts[:split]), parts[split:]
    kind, member, stage, version = [*rest, "", "", "", ""][:4]
    if kind not in {"", "SecretString"}:
        raise validation_error(
            f"Incorrect format is used in the following Secrets Manager reference: [{reference}]"
        )
    given = {"VersionStage": stage, "VersionId": version}
    answer = await aws.call(
        "secretsmanager",
        "GetSecretValue",
        SecretId=name,
        **{option: chosen for option, chosen in given.items() if chosen},
    )
    text = str(answer.get("SecretString", ""))
    return _member(text, member) if member else text


def _member(text: str, member: str) -> str:
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise validation_error("Could not parse SecretString JSON")
    if member not in members:
        raise validation_error("Could not find a value associated with JSONKey in SecretString")
    found = members[member]
    return found if isinstance(found, str) else json.dumps(found)
