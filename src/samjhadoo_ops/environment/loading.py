from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec

from samjhadoo_ops.environment import services as service_tables
from samjhadoo_ops.environment.layers import (
    STACK_VARIABLE,
    KeyPath,
    Layers,
    Problem,
    line_of,
)
from samjhadoo_ops.environment.schema import GUARDED, Settings
from samjhadoo_ops.environment.secret import looks_secret
from samjhadoo_ops.environment.section import is_optional, is_table, section_of
from samjhadoo_ops.environment.stack_output import FORM, SCHEME, StackOutput
from samjhadoo_ops.environment.value_types import (
    custom_type,
    expectation,
    is_text,
    limit,
    parse,
    plain,
)
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.environment.section import Section

FOLDER = "environments"
BASE = "base"
STACKS = "stacks"
KIND_VARIABLE = f"{STACK_VARIABLE}__KIND"
FIRST = frozenset({"aws", "clock", "infrastructure", "stack"})
"""Tables whose values are needed before a stack can be read."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Environment(Settings, frozen=True, kw_only=True):
    """An environment's effective settings, with its name, the project's root and each value's source.

    Attributes:
        variables: The sources that are variables.
        services: The environment of each service, by the name of its table; empty if there is only one.
        key: The name of the service's table in an environment with several services; otherwise empty.
        after: The services that must be deployed before this one.
    """

    name: str
    root: Path
    sources: dict[KeyPath, str]
    variables: frozenset[str] = frozenset()
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
        each.merge_variables(variables, Settings, guarded=GUARDED, home=home)
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
    """Return the environment of one of several services; raise `ConfigurationError` if there is none."""
    if service in environment.services:
        return environment.services[service]
    known = ", ".join(environment.services)
    services = f"its services are {known}" if known else f"it has only {environment.service.name}"
    raise ConfigurationError(
        f"the environment {environment.name} has no service {service!r}; {services}",
        hint=_which_service(service, environment),
    )


def _which_service(service: str, environment: Environment) -> str:
    if not environment.services:
        return "leave --service out"
    near = nearest(service, environment.services)
    return f"did you mean --service {near}?" if near else "choose one of these with --service"


def _environment(settings: Settings, layers: Layers, name: str, root: Path, **fields: Any) -> Environment:
    values = {field: getattr(settings, field) for field in Settings.__struct_fields__}
    sources, variables = dict(layers.sources), frozenset(layers.variables)
    return Environment(**values, name=name, root=root, sources=sources, variables=variables, **fields)


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder from `start` upwards with settings, or raise `ConfigurationError`."""
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
    files = (path for path in (root / FOLDER).glob("*.toml") if path.is_file())
    return sorted(path.stem for path in files if path.stem != BASE)


def _refuse_unknown(name: str, root: Path) -> None:
    if _NAME.fullmatch(name) and name != BASE and (root / FOLDER / f"{name}.toml").is_file():
        return
    known = environment_names(root)
    near = nearest(name, known)
    create = f"create {FOLDER}/{name if _NAME.fullmatch(name) else 'local'}.toml"
    hint = f"did you mean --env {near}?" if near else "choose one of these with --env" if known else create
    raise ConfigurationError(
        f"unknown environment {name!r}; known are {', '.join(known) or 'none'}", hint=hint
    )


def _refusal(name: str, problems: list[str]) -> ConfigurationError:
    lines = tuple(dict.fromkeys(problems))
    them = "it" if len(lines) == 1 else "them"
    hint = f"correct {them}; invoke config --env {name} then shows the effective settings"
    if len(lines) == 1:
        return ConfigurationError(lines[0], hint=hint)
    return ConfigurationError(f"{len(lines)} problems in the settings of {name}", details=lines, hint=hint)


def _sentence(problem: Problem, layers: Layers) -> str:
    path = layers.written.get(problem.path, problem.path)
    text = layers.texts.get(problem.source, "")
    line = line_of(text, path) or line_of(text, path[:-1])
    place = f"{problem.source}:{line}" if line else problem.source
    return ": ".join(part for part in (place, ".".join(path), problem.message) if part)


S = TypeVar("S", bound="Section")


class Validator:
    """Builds sections from layers and collects all problems; missing keys belong into the file `home`."""

    def __init__(self, layers: Layers, home: str) -> None:
        self.layers = layers
        self.home = home
        self.problems: list[Problem] = list(layers.problems)

    def section(self, kind: type[S], node: Any, path: KeyPath = ()) -> S | None:
        """Return the section, or None if anything in it is wrong."""
        if not isinstance(node, dict):
            self._wrong(path, f"expected a table{_got(node)}")
            return None
        before = len(self.problems)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        for key in node:
            if key not in fields:
                self._wrong((*path, key), f"unknown key{_near(key, fields)}")
        values = {
            name: self._field(field, node[name], (*path, name))
            for name, field in fields.items()
            if name in node or self._is_missing(field, (*path, name))
        }
        if len(self.problems) > before:
            return None
        built = kind(**values)
        for key, message in built.problems():
            self._wrong((*path, *key.split(".")), message)
        return None if len(self.problems) > before else built

    def _is_missing(self, field: Any, path: KeyPath) -> bool:
        """Report a missing required key; always return False, so that the caller leaves it out."""
        if field.required:
            what = "table is missing" if is_table(field.type) else "is missing"
            self.problems.append(Problem(self.home, path, f"{what}: neither this file nor base.toml has it"))
        return False

    def _field(self, field: Any, value: Any, path: KeyPath) -> Any:
        section = section_of(field.type)
        if section is not None:
            return self.section(section, value, path)
        if is_optional(field.type) and value == "":
            return None
        return self._value(field.type, value, path)

    def _value(self, kind: Any, value: Any, path: KeyPath) -> Any:
        """Return a list, a table or a single value, with each item converted."""
        origin, inner = getattr(kind, "__origin__", None), get_args(kind)
        if origin is list and isinstance(value, str) and value.startswith(SCHEME):
            value = [value]  # an output with several values, separated by commas
        if origin is list and isinstance(value, list):
            return [self._single(inner[0], item, path, f"item {n}: ") for n, item in enumerate(value, 1)]
        if origin is dict and isinstance(value, dict):
            return {key: self._single(inner[1], item, (*path, key)) for key, item in value.items()}
        return self._single(kind, value, path)

    def _single(self, kind: Any, value: Any, path: KeyPath, item: str = "") -> Any:
        lenient = self.layers.where(path) in self.layers.variables
        own = custom_type(kind)
        if isinstance(value, str) and value.startswith(SCHEME) and is_text(kind):
            return self._output(value, path, item)
        try:
            converted = msgspec.convert(value, kind, strict=not lenient) if own is None else parse(own, value)
        except msgspec.ValidationError:
            given = _number(value) if lenient and {int, float} & set(plain(kind)) else value
            self._wrong(path, f"{item}expected {expectation(kind)}{_got(given, kind)}")
            return None
        except ValueError as error:
            self._wrong(path, f"{item}{error}")
            return None
        message = limit(kind, converted)
        if message:
            self._wrong(path, item + message)
        if isinstance(converted, str) and looks_secret(converted):
            self._wrong(path, f"{item}holds a secret (not shown); write a reference to it instead")
        return converted

    def _output(self, text: str, path: KeyPath, item: str) -> str:
        """Return a reference to a stack's output; it is resolved later (`environment.outputs`)."""
        if path[0] in FIRST:
            self._wrong(path, f"{item}cannot come from a stack: it is needed to find the stacks")
        elif StackOutput.parse(text) is None:
            self._wrong(path, f"{item}expected {FORM}")
        return text

    def _wrong(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self.layers.where(path) or self.home, path, message))


def _got(value: Any, kind: Any = None) -> str:
    """Return the type of a wrong value, for an error message; of values only numbers are shown."""
    expected = plain(kind)
    if isinstance(value, int | float) and not isinstance(value, bool) and set(expected) & {int, float}:
        return f", got {value}"
    if isinstance(value, str) and expected == (str,):
        return ""
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return f", got {kinds.get(type(value), 'a table' if isinstance(value, dict) else type(value).__name__)}"


def _number(value: Any) -> Any:
    """Return the number that a variable's text is; any other value as it is."""
    for read in (int, float):
        with suppress(ValueError, TypeError):
            return read(value)
    return value


def _near(key: str, known: Mapping[str, Any]) -> str:
    near = nearest(key, known)
    return f"; did you mean {near}?" if near else f"; known are {', '.join(sorted(known))}"
