"""What a task must not print: the values that ECS injects into its containers.

They are read only where text of a release's tasks is about to be shown.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from samjhadoo_ops.aws_errors import AwsCallFailed, aws_errors
from samjhadoo_ops.environment.view import rows
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.redaction import register_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

_FIELDS = 7
_ADDRESSES = frozenset(
    {"database", "dbclusteridentifier", "dbinstanceidentifier", "dbname", "engine", "host", "hostname"}
    | {"masterarn", "port", "user", "username"}
)
"""Keys of a database's secret (Secrets Manager user guide, "JSON structure") that are no secrets."""


def references(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the variable and the reference of each secret of a task definition."""
    for container in document.get("containerDefinitions", ()):
        log_options = container.get("logConfiguration", {}).get("secretOptions", ())
        for secret in (*container.get("secrets", ()), *log_options):
            yield secret["name"], secret["valueFrom"]


def secret_id(reference: str) -> str:
    """Return the secret's own ARN of a `valueFrom`: without JSON key, version stage and version id."""
    return ":".join(reference.split(":")[:_FIELDS])


def conceal(env: Environment, aws: Aws, document: Mapping[str, Any]) -> str:
    """Remove the secrets of a task definition from everything that is shown.

    Returns:
        What could not be read, and why; empty if all was.
    """
    wanted: dict[str, list[str]] = {}
    for name, reference in references(document):
        wanted.setdefault(reference, []).append(name)
    if not wanted:
        return ""
    plain = {env.name, *(str(value) for _, value, _ in rows(env))}
    unread: dict[str, list[str]] = {}
    for reference, names in wanted.items():
        try:
            with aws_errors():
                text = _value(aws, reference)
        except OpsError as error:
            why = error.code if isinstance(error, AwsCallFailed) and error.code else error.message
            unread.setdefault(why, []).extend(names)
        else:
            for value in secret_values(text, plain):
                register_secret(value)
    reasons = "; ".join(f"{', '.join(names)} ({why})" for why, names in unread.items())
    return f"secrets, so they are not removed from what the tasks print: {reasons}" if reasons else ""


def secret_values(text: str, plain: Collection[str] = ()) -> Iterator[str]:
    """Yield a secret's value, the leaves of JSON, and the password of a URL, without what is known anyway.

    Args:
        text: The value.
        plain: What the settings show in plain text.
    """
    if text not in plain:
        yield text
    document: Any = None
    if text.lstrip().startswith(("{", "[")):
        try:
            document = json.loads(text)
        except ValueError:
            document = None
    for leaf in _leaves(document):
        yield from secret_values(leaf, plain)
    try:
        password = urlsplit(text).password
    except ValueError:
        password = None
    if password:
        yield password


def _leaves(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, item in document.items():
            if key.lower() not in _ADDRESSES:
                yield from _leaves(item)
    elif isinstance(document, list):
        for item in document:
            yield from _leaves(item)
    elif document is not None and not isinstance(document, bool):
        yield str(document)


def _value(aws: Aws, reference: str) -> str:
    """Return the whole value behind a `valueFrom`, whichever of its keys the task gets."""
    if ":secretsmanager:" not in reference:
        name = reference.partition(":parameter")[2] or reference
        return str(aws.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    _, stage, version = (*reference.split(":")[_FIELDS:], "", "", "")[:3]
    which = {key: value for key, value in (("VersionStage", stage), ("VersionId", version)) if value}
    found = aws.client("secretsmanager").get_secret_value(SecretId=secret_id(reference), **which)
    return str(found.get("SecretString") or found["SecretBinary"].decode(errors="replace"))
