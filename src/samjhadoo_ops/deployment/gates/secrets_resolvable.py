"""A task whose secret is missing never starts; better to know before the migration than after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.deployment.gates.ground import Ground

_ARN_PARTS = 7
_ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})


def check(ground: Ground) -> Finding:
    """Refuse when a secret or parameter that the task definition names doesn't exist."""
    from botocore.exceptions import ClientError

    try:
        document = ground.render()
    except OpsError:
        return skipped("the task definition doesn't render")
    missing, count = [], 0
    for name, reference in references(document):
        count += 1
        try:
            found = _look(ground, reference)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _ABSENT:
                missing.append(f"{name} ({reference}: {code})")
            elif code == "ValidationException" and not reference.startswith("arn:"):
                missing.append(f"{name} ({reference} is no parameter's name; a secret needs its whole ARN)")
            else:
                raise
        else:
            if found.get("DeletedDate"):
                missing.append(f"{name} ({reference}: it is being deleted)")
    if missing:
        return refused(
            f"not there: {', '.join(missing)}", remedy="create them, or correct the task definition"
        )
    return ok(f"{count} of {count}")


def references(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the variable and the reference of each secret of a task definition."""
    for container in document.get("containerDefinitions", ()):
        for secret in container.get("secrets", ()):
            yield secret["name"], secret["valueFrom"]


def secret_id(reference: str) -> str:
    """Return the secret's own ARN of a `valueFrom`: without JSON key, version stage and version id."""
    return ":".join(reference.split(":")[:_ARN_PARTS])


def _look(ground: Ground, reference: str) -> dict[str, Any]:
    """Ask for the secret's existence, never for its value."""
    if ":secretsmanager:" in reference:
        found: dict[str, Any] = ground.aws.client("secretsmanager").describe_secret(
            SecretId=secret_id(reference)
        )
        return found
    name = reference.partition(":parameter")[2] or reference
    ground.aws.client("ssm").get_parameter(Name=name)
    return {}


GATE = Gate("secrets", "secrets and parameters are there", check)
