"""Settings as table rows: key, value and source."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.environment.schema import Settings
from samjhadoo_ops.environment.secret import SecretRef, looks_secret
from samjhadoo_ops.environment.window import Window
from samjhadoo_ops.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.environment.layers import KeyPath
    from samjhadoo_ops.environment.loading import Environment

_SECRET_NAME = re.compile(r"passw|secret|token|credential|api_?key|private", re.IGNORECASE)
_REFERENCE = re.compile(r"(secretsmanager|ssm|env|arn):\S+")


def rows(environment: Environment) -> list[tuple[str, Any, str]]:
    """Return every setting as (dotted key, value, source), with secrets redacted.

    For several services, only their differences are returned, as `services.NAME.…`.
    """
    found = _settings(environment)
    common = {key: value for key, value, _ in found}
    for name, service in environment.services.items():
        own = [row for row in _settings(service) if row[0] not in common or common[row[0]] != row[1]]
        after = environment.sources.get(("services", name, "after")) or environment.sources["services", name]
        found += [(f"services.{name}.after", ", ".join(service.after) or "[]", after)]
        found += [(f"services.{name}.{key}", value, source) for key, value, source in own]
    return found


def set_by_variables(environment: Environment) -> dict[str, dict[str, str]]:
    """Return the settings whose values come from variables, with both: no file shows them afterwards."""
    return {
        key: {"value": str(value), "variable": source}
        for key, value, source in _settings(environment)
        if source in environment.variables
    }


def _settings(environment: Environment) -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for entry in msgspec.structs.fields(Settings):
        value = getattr(environment, entry.name)
        found += _rows(value, (entry.name,), environment)
    return found


def _rows(value: Any, path: KeyPath, environment: Environment) -> Iterator[tuple[str, Any, str]]:
    if isinstance(value, msgspec.Struct):
        for entry in msgspec.structs.fields(type(value)):
            yield from _rows(getattr(value, entry.name), (*path, entry.name), environment)
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _rows(item, (*path, key), environment)
    else:
        yield ".".join(path), _shown(path, value), _source(path, environment)


def _shown(path: KeyPath, value: Any) -> Any:
    if isinstance(value, (Duration, Window, SecretRef)):
        return str(value)
    if isinstance(value, str) and value and (looks_secret(value) or _names_secret(path, value)):
        return REDACTED
    if isinstance(value, bool) or (isinstance(value, (list, dict)) and not value):
        return json.dumps(value)
    return value


def _names_secret(path: KeyPath, value: str) -> bool:
    """Return whether a setting is a secret by its name; a policy has the name of its gate, as `secrets`."""
    is_policy = path[:-1] == ("gates", "policy")
    return not is_policy and _SECRET_NAME.search(path[-1]) is not None and _REFERENCE.fullmatch(value) is None


def _source(path: KeyPath, environment: Environment) -> str:
    for length in range(len(path), 0, -1):
        if path[:length] in environment.sources:
            return environment.sources[path[:length]]
    return "default"
