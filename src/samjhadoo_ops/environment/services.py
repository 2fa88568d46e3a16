"""Several services in one environment: a table `[services.NAME]` holds one service's differences."""

from __future__ import annotations

import re
from copy import deepcopy
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.layers import KeyPath, Layers, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from samjhadoo_ops.environment.schema import Settings

TABLE = "services"
AFTER = "after"
SHARED = frozenset({"aws", "clock", "stack", "journal", "lock", "rollout"})
"""Tables that all services share."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

Tables = dict[str, dict[str, Any]]


def take(layers: Layers) -> Tables:
    """Remove the services' tables from the layers, and return the valid ones.

    Mistakes (names, `after`, shared tables) are added to the problems of the layers.
    """
    found = layers.tree.pop(TABLE, {})
    if not isinstance(found, dict):
        _wrong(layers, (TABLE,), "expected a table for each service")
        return {}
    tables: Tables = {}
    for name, table in found.items():
        if not _NAME.fullmatch(name):
            _wrong(layers, (TABLE, name), "expected a name made of letters, digits, - and _")
        elif not isinstance(table, dict):
            _wrong(layers, (TABLE, name), "expected a table")
        else:
            tables[name] = table
            for key in sorted(SHARED & table.keys()):
                _wrong(layers, (TABLE, name, key), f"is shared by all services: set [{key}]")
    _check_order(layers, tables)
    return tables


def after(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the services that must be deployed before the service with this table."""
    return tuple(table.get(AFTER, ()))


def merged(layers: Layers, name: str, table: Mapping[str, Any]) -> Layers:
    """Return a service's layers: the environment's settings with its own table merged over them."""
    result = Layers(
        tree=deepcopy(layers.tree), sources=dict(layers.sources), texts=layers.texts, variables=set()
    )
    own = {key: value for key, value in table.items() if key != AFTER and key not in SHARED}
    for path, value in _leaves(own, ()):
        written = (TABLE, name, *path)
        result.set_value(path, value, source=layers.where(written), written=written)
    return result


def conflicts(
    services: Mapping[str, Settings], order: Mapping[str, Sequence[str]]
) -> Iterator[tuple[KeyPath, str]]:
    """Yield what two services may not both use, as (key path, message); `order` names those before each."""
    taken: dict[tuple[Any, ...], str] = {}
    built: dict[str, tuple[str, Any]] = {}
    for name, settings in services.items():
        service = settings.service
        ports = {
            "production_listener_port": service.production_listener_port,
            "test_listener_port": service.test_listener_port,
        }
        claims: list[tuple[str, tuple[Any, ...]]] = [("name", ("name", service.name))]
        claims += [("target_groups", ("target group", group)) for group in service.target_groups]
        claims += [(key, ("port", service.load_balancer, port)) for key, port in ports.items()]
        for key, claim in claims:
            owner = taken.setdefault(claim, name)
            if owner != name:
                yield (TABLE, name, "service", key), f"the service {owner} already has {claim[-1]}"
        other, build = built.setdefault(settings.build.repository, (name, settings.build))
        if build != settings.build:
            message = f"the service {other} has it, too, but its [build] differs"
            yield (TABLE, name, "build", "repository"), message
        elif other != name and other not in _before(name, order) and name not in _before(other, order):
            message = f"is missing: {other} uses the same image, so one must come after the other"
            yield (TABLE, name, AFTER), message


def _check_order(layers: Layers, tables: Tables) -> None:
    graph: dict[str, list[str]] = {}
    for name, table in tables.items():
        path, wanted = (TABLE, name, AFTER), table.get(AFTER, [])
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            _wrong(layers, path, "expected a list of service names")
            table[AFTER] = []
            continue
        for other in wanted:
            if other not in tables:
                _wrong(layers, path, f"unknown service {other!r}; known are {', '.join(sorted(tables))}")
        graph[name] = [other for other in wanted if other in tables]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        _wrong(layers, (TABLE, circle[0], AFTER), f"is circular: {' after '.join(circle)}")


def _before(name: str, order: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        new = [other for other in order.get(ahead.pop(), ()) if other not in found]
        found.update(new)
        ahead += new
    return found


def _leaves(table: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in table.items():
        here = (*path, key)
        if isinstance(value, dict) and value:
            yield from _leaves(value, here)
        else:
            yield here, value


def _wrong(layers: Layers, path: KeyPath, message: str) -> None:
    layers.problems.append(Problem(layers.where(path), path, message))
