"""What would change: the differences between documents of the ECS API, defaults of AWS left out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.secret import looks_secret
from samjhadoo_ops.redaction import REDACTED, clean, register_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

# What ECS adds to a task definition when it registers one.
_ADDED = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
        "tags",
    }
)
# Variables that are secrets by their names. They belong into `secrets`; where they don't, they aren't shown.
_SECRET_NAME = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET_?KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_KEYS = ("name", "containerPort", "key", "targetType", "containerPath")


@dataclass(frozen=True)
class Difference:
    """One value that differs; None stands for absence."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.path}: {_shown(self.after)}"
        if self.after is None:
            return f"- {self.path}: {_shown(self.before)}"
        return f"~ {self.path}: {_shown(self.before)} -> {_shown(self.after)}"


def task_definition_differences(
    registered: Mapping[str, Any], rendered: Mapping[str, Any]
) -> list[Difference]:
    """Return what a rendered task definition changes of a registered one."""
    for document in (registered, rendered):
        _keep_out_secrets(document)
    return list(_walk("", _settled(registered), _settled(rendered)))


def configuration_differences(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Difference]:
    """Return what a deployment configuration changes of the service's."""
    return list(_walk("", _plain(current), _plain(wanted)))


def service_differences(service: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Difference]:
    """Return what members of UpdateService change of a service; their lists are sets."""
    current = {key: service.get(key) for key in wanted}
    return list(_walk("", _plain(_sorted(current)), _plain(_sorted(wanted))))


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(item) for key, item in value.items()}
    return sorted(value) if isinstance(value, list | tuple) else value


def _keep_out_secrets(document: Mapping[str, Any]) -> None:
    """Remove the values of variables whose names mark them as secrets from everything that is shown."""
    for container in document.get("containerDefinitions", ()):
        for variable in container.get("environment", ()):
            if _SECRET_NAME.search(str(variable.get("name", ""))):
                register_secret(str(variable.get("value", "")))


def _settled(document: Mapping[str, Any]) -> Any:
    """Return a task definition without what ECS adds and with the defaults it fills in."""
    kept = {key: value for key, value in document.items() if key not in _ADDED}
    kept["containerDefinitions"] = [
        {
            **container,
            "essential": container.get("essential", True),
            "portMappings": [
                {
                    **mapping,
                    "hostPort": mapping.get("hostPort") or mapping["containerPort"],
                    "protocol": mapping.get("protocol", "tcp"),
                }
                for mapping in container.get("portMappings", ())
            ],
        }
        for container in document.get("containerDefinitions", ())
    ]
    return _plain(kept)


def _plain(value: Any) -> Any:
    """Return a document without empty values, lists of named things keyed by their names."""
    if isinstance(value, dict):
        plain = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item not in (None, [], {}, "", 0)}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        if items and all(isinstance(item, dict) for item in items):
            return _keyed(items)
        return items
    return value


def _keyed(items: list[dict[str, Any]]) -> Any:
    for key in _KEYS:
        names = [item.get(key) for item in items]
        if None not in names and len(set(map(str, names))) == len(names):
            return {
                f"[{name}]": {k: v for k, v in item.items() if k != key} or True
                for name, item in zip(names, items, strict=True)
            }
    return {f"[{number}]": item for number, item in enumerate(items)}


def _walk(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            where = f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}"
            yield from _walk(where, before.get(key), after.get(key))
    elif before != after:
        yield Difference(path, before, after)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    return REDACTED if looks_secret(text) else clean(text)
