"""Merge the sources of settings: base file, environment file and variables, later ones first in rank."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from samjhadoo_ops.environment.section import is_table, section_of
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

PREFIX = "SAMJHADOO_"
STACK_VARIABLE = "SAMJHADOO_STACK"
IMAGES = ("stack", "images")

KeyPath = tuple[str, ...]


class Problem(NamedTuple):
    """A mistake in one setting.

    Args:
        source: The file or variable that holds it.
        path: The keys that lead to it.
        message: What is wrong; never the value of a secret.
    """

    source: str
    path: KeyPath
    message: str


@dataclass
class Layers:
    """The merged tables, with the source of each value.

    Args:
        tree: The merged settings: tables are merged key by key, lists and values are replaced.
        sources: The file or variable that each value and each table comes from.
        variables: The sources that are variables; their values are text.
        texts: The files' texts by name, for line numbers.
        problems: What could not be merged.
        written: A value's path in its file where that differs from its own path (`[services.NAME]`).
    """

    tree: dict[str, Any] = field(default_factory=dict)
    sources: dict[KeyPath, str] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    written: dict[KeyPath, KeyPath] = field(default_factory=dict)

    def merge_file(self, path: Path, name: str) -> None:
        """Merge a TOML file; raise `ConfigurationError` with the line if it cannot be read or parsed."""
        try:
            text = path.read_bytes().decode()
            self._merge(tomllib.loads(text), name, self.tree, ())
        except OSError as error:
            raise ConfigurationError(f"{name}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{name}: is not UTF-8 text: byte {error.start}") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{name}: is not valid TOML: {error}", hint=f"edit {name}") from None
        self.texts[name] = text

    def merge_variables(
        self,
        variables: Mapping[str, str],
        settings: type[msgspec.Struct],
        *,
        guarded: Collection[KeyPath],
        home: str,
    ) -> None:
        """Merge the variables `SAMJHADOO_TABLE__KEY` over the present settings; unknown ones are problems.

        Args:
            guarded: Settings and tables that only a local stack's environment takes from variables.
            home: The environment's file, where others set these.
        """
        names = sorted(name for name in variables if name.startswith(PREFIX) and "__" in name)
        guarded = () if isinstance(self.tree.get("stack"), dict) else guarded
        # The short form selects the kind of stack; it does not add a stack to an environment without one.
        if variables.get(STACK_VARIABLE) and isinstance(self.tree.get("stack"), dict):
            self._set(STACK_VARIABLE, ("stack", "kind"), variables[STACK_VARIABLE])
        for name in names:
            path, kind = resolve(name, settings)
            if kind is None:
                self.problems.append(
                    Problem(name, (), f"does not name a setting{suggestion(name, settings)}")
                )
            elif is_table(kind):
                self.problems.append(Problem(name, path, "is a table; set its keys one by one"))
            elif path[:2] == IMAGES and path[0] not in self.tree:
                continue  # exported for the local stack in a shell that is used for other environments, too
            elif path[0] not in self.tree:
                self.problems.append(Problem(name, path, f"the settings files have no table [{path[0]}]"))
            elif any(path[: len(guard)] == guard for guard in guarded):
                key = tuple(part.lower() for part in path)
                message = f"cannot be set by a variable without a local stack; set it in {home}"
                self.problems.append(Problem(name, key, message))
            else:
                self._set(name, path, _structured(variables[name], kind))

    def set_value(self, path: KeyPath, value: Any, *, source: str, written: KeyPath) -> None:
        """Set one value; an empty table leaves an existing one unchanged.

        Args:
            path: The setting's key path.
            source: The file that holds it.
        """
        node = self.tree
        for key in path[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        self.written[path] = written
        if value == {} and isinstance(node.get(path[-1]), dict):
            return
        self._forget(path)
        node[path[-1]] = value
        self.sources[path] = source

    def where(self, path: KeyPath) -> str:
        """Return the source of the value at `path`, or of the nearest table that contains it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.sources:
                return self.sources[path[:length]]
        return ""

    def _set(self, name: str, path: KeyPath, value: Any) -> None:
        self.variables.add(name)
        node = self.tree
        for key in path[:-1]:
            below = node.setdefault(key, {})
            if not isinstance(below, dict):  # validation reports the mistake in the file
                return
            node = below
        key = next((known for known in node if known.lower() == path[-1].lower()), path[-1])
        self._forget((*path[:-1], key))
        node.pop(key, None)
        self._merge({key: value}, name, node, path[:-1])

    def _merge(self, layer: Mapping[str, Any], source: str, node: dict[str, Any], path: KeyPath) -> None:
        for key, value in layer.items():
            here = (*path, key)
            if isinstance(value, dict):
                if not isinstance(node.get(key), dict):
                    self._forget(here)
                    node[key] = {}
                if not (self.sources.get(here) and node[key]):
                    self.sources[here] = source
                self._merge(value, source, node[key], here)
            else:
                self._forget(here)
                node[key] = value
                self.sources[here] = source

    def _forget(self, path: KeyPath) -> None:
        for known in [known for known in self.sources if known[: len(path)] == path]:
            del self.sources[known]


def resolve(name: str, settings: type[msgspec.Struct]) -> tuple[KeyPath, Any]:
    """Return the key path and type of the setting that a variable names; the type is None if unknown."""
    path: KeyPath = ()
    kind: Any = settings
    for part in name.removeprefix(PREFIX).split("__"):
        section = section_of(kind)
        if section is not None:
            fields = {entry.name: entry.type for entry in msgspec.structs.fields(section)}
            kind, path = fields.get(part.lower()), (*path, part.lower())
        elif kind == dict[str, str] and part:
            kind, path = str, (*path, part)  # a name that the user chose keeps its case
        else:
            return path, None
    return path, kind


def suggestion(name: str, settings: type[msgspec.Struct]) -> str:
    """Return the end of a sentence that names the variable probably meant, or the known ones."""
    section: Any = settings
    known = PREFIX
    for part in name.removeprefix(PREFIX).split("__"):
        fields = {entry.name.upper(): entry.type for entry in msgspec.structs.fields(section)}
        near = nearest(part, fields)
        if not near:
            return f"; known after {known} are {', '.join(sorted(fields))}"
        known += near
        section = section_of(fields[near])
        if section is None:
            break
        known += "__"
    return f"; did you mean {known}{'…' if known.endswith('__') else ''}?"


def _structured(text: str, kind: Any) -> Any:
    """Parse a variable's list (JSON, or comma-separated) or table (JSON); other values stay text."""
    origin = getattr(kind, "__origin__", None)
    if origin not in (list, dict):
        return text
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text  # validation reports the wrong type
    return [part.strip() for part in text.split(",") if part.strip()] if origin is list else text


def line_of(text: str, path: KeyPath) -> int:
    """Return the line number of a key in a TOML file; 0 if it cannot be found."""
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line)
        entry = re.match(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=", line)
        if header:
            table = _split(header[1])
        here = table if header else (*table, *_split(entry[1])) if entry else None
        if here == path:
            return number
    return 0


def _split(key: str) -> KeyPath:
    return tuple(part.strip().strip("\"'") for part in key.split("."))
