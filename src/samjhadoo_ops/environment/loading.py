from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.environment import services as service_tables
from samjhadoo_ops.environment.layers import (
    STACK_VARIABLE,
    KeyPath,
    Layers,
    Problem,
    line_of,
)
from samjhadoo_ops.environment.schema import Settings
from samjhadoo_ops.environment.validation import Validator
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "environments"
BASE = "base"
STACKS = "stacks"
KIND_VARIABLE = f"{STACK_VARIABLE}__KIND"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Environment(Settings, frozen=True, kw_only=True):
    """An environment's effective settings, with its name, the project's root and each value's source.

    Attributes:
        services: The environment of each service, by the name of its table; empty if there is only one.
        key: The name of the service's table in an environment with several services; otherwise empty.
        after: The services that must be deployed before this one.

    """

    name: str
    root: Path
    sources: dict[KeyPath, str]
    services: dict[str, Environment] = msgspec.field(default_factory=dict)
    key: str = ""
    after: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The environment's name for people, with the service's name where there are several."""
        return f"{self.name}/{self.key}" if self.key else self.name

    @property
    def options(self) -> str:
        """The command line options that select it."""
        return f"--env {self.name} --service {self.key}" if self.key else f"--env {self.name}"


def load_environment(
    name: str, *, service: str = "", root: Path | None = None, variables: Mapping[str, str] | None = None
) -> Environment:
    """Read, merge and validate an environment's settings.

    Args:
        name: The name of the environment's file in `environments/`, without `.toml`.
        service: The service, if the environment has several; empty for the settings they share.
        root: The project's root; by default the nearest one above the current folder.
        variables: Environment variables; by default those of this process.

    Raises:
        ConfigurationError: The settings are wrong (all problems are reported), or there is no such service.

    """
    root = find_root() if root is None else root
    _refuse_unknown(name, root)
    layers = Layers()
    home = f"{FOLDER}/{name}.toml"
    layers.merge_file(root / FOLDER / f"{BASE}.toml", f"{FOLDER}/{BASE}.toml")
    layers.merge_file(root / home, home)
    variables = os.environ if variables is None else variables
    _merge_stack(layers, root, variables)
    tables = service_tables.take(layers)
    merged = {"": layers} | {key: service_tables.merged(layers, key, table) for key, table in tables.items()}
    read: dict[str, Settings] = {}
    problems: list[str] = []
    for key, each in merged.items():
        each.merge_variables(variables, Settings)
        validator = Validator(each, home)
        settings = validator.section(Settings, each.tree)
        found = [_sentence(problem, each) for problem in validator.problems]
        if settings is not None and not found:
            read[key] = settings
        # A mistake in the shared settings is reported once, not for each service.
        problems += [f"{text} (service {key})" if key else text for text in found if text not in problems]
    common = read.pop("", None)
    order = {key: service_tables.after(table) for key, table in tables.items()}
    problems += [
        _sentence(Problem(layers.where(path), path, message), layers)
        for path, message in service_tables.conflicts(
            read, {key: service_tables.after(table) for key, table in tables.items()}
        )
    ]
    if common is None or problems:
        raise _refusal(name, problems)
    made = {
        key: _environment(settings, merged[key], name, root, key=key, after=order[key])
        for key, settings in read.items()
    }
    environment = _environment(common, layers, name, root, services=made)
    return service_of(environment, service) if service else environment


def _merge_stack(layers: Layers, root: Path, variables: Mapping[str, str]) -> None:
    """Merge the settings of the stack's kind (`environments/stacks/KIND.toml`) over the environment's."""
    stack = layers.tree.get("stack")
    if not isinstance(stack, dict):
        return
    kind = str(variables.get(KIND_VARIABLE) or variables.get(STACK_VARIABLE) or stack.get("kind"))
    file = f"{FOLDER}/{STACKS}/{kind}.toml"
    if _NAME.fullmatch(kind) and (root / file).is_file():
        layers.merge_file(root / file, file)


def service_of(environment: Environment, service: str) -> Environment:
    """Return the environment of one of several services.

    Raises:
        ConfigurationError: There is no such service.

    """
    if service in environment.services:
        return environment.services[service]
    known = ", ".join(environment.services)
    services = f"its services are {known}" if known else f"it has only {environment.service.name}"
    raise ConfigurationError(
        f"the environment {environment.name} has no service {service!r}; {services}",
        hint=f"--service {next(iter(environment.services))}" if known else "leave --service out",
    )


def _environment(settings: Settings, layers: Layers, name: str, root: Path, **fields: Any) -> Environment:
    values = {field: getattr(settings, field) for field in Settings.__struct_fields__}
    return Environment(**values, name=name, root=root, sources=dict(layers.sources), **fields)


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from `start` upwards, that contains `environments/` with settings.

    Raises:
        ConfigurationError: There is no such folder.

    """
    start = (Path.cwd() if start is None else start).absolute()
    for folder in (start, *start.parents):
        if environment_names(folder) or (folder / FOLDER / f"{BASE}.toml").is_file():
            return folder
    raise ConfigurationError(
        f"no project found: neither {start} nor a folder above it has {FOLDER}/*.toml",
        hint="change to your project's folder",
    )


def environment_names(root: Path) -> list[str]:
    """Return the names of the project's environments."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.toml") if path.stem != BASE)


def _refuse_unknown(name: str, root: Path) -> None:
    if _NAME.fullmatch(name) and name != BASE and (root / FOLDER / f"{name}.toml").is_file():
        return
    known = environment_names(root)
    raise ConfigurationError(
        f"unknown environment {name!r}; known are {', '.join(known) or 'none'}",
        hint=f"--env {known[0]}" if known else f"create {FOLDER}/{name}.toml",
    )


def _refusal(name: str, problems: list[str]) -> ConfigurationError:
    lines = tuple(dict.fromkeys(problems))
    hint = f"correct them; invoke config --env {name} then shows the effective settings"
    if len(lines) == 1:
        return ConfigurationError(lines[0], hint=hint)
    return ConfigurationError(f"{len(lines)} problems in the settings of {name}", details=lines, hint=hint)


def _sentence(problem: Problem, layers: Layers) -> str:
    path = layers.written.get(problem.path, problem.path)
    text = layers.texts.get(problem.source, "")
    line = line_of(text, path) or line_of(text, path[:-1])
    place = f"{problem.source}:{line}" if line else problem.source
    return ": ".join(part for part in (place, ".".join(path), problem.message) if part)
