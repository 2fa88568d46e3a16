from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.environment.layers import KeyPath, Layers, Problem, line_of
from samjhadoo_ops.environment.schema import Settings
from samjhadoo_ops.environment.validation import Validator
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "environments"
BASE = "base"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Environment(Settings, frozen=True, kw_only=True):
    """An environment's effective settings, its name, its project's root and where each value comes from."""

    name: str
    root: Path
    sources: dict[KeyPath, str]


def load_environment(
    name: str, *, root: Path | None = None, variables: Mapping[str, str] | None = None
) -> Environment:
    """Read, merge and validate an environment's settings.

    Args:
        name: The environment: the name of its file in `environments/`, without `.toml`.
        root: The project's root; by default found from the current folder upwards.
        variables: The process's environment variables; by default the real ones.

    Raises:
        ConfigurationError: Anything is wrong with them, all problems at once.

    """
    root = find_root() if root is None else root
    _refuse_unknown(name, root)
    layers = Layers()
    home = f"{FOLDER}/{name}.toml"
    layers.lay_file(root / FOLDER / f"{BASE}.toml", f"{FOLDER}/{BASE}.toml")
    layers.lay_file(root / home, home)
    layers.lay_variables(os.environ if variables is None else variables, Settings)
    validator = Validator(layers, home)
    settings = validator.section(Settings, layers.tree)
    if settings is None or validator.problems:
        raise _refusal(name, validator.problems, layers)
    values = {field: getattr(settings, field) for field in Settings.__struct_fields__}
    return Environment(**values, name=name, root=root, sources=dict(layers.sources))


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder upwards that has a folder `environments` with settings in it.

    Raises:
        ConfigurationError: There is none.

    """
    start = (Path.cwd() if start is None else start).absolute()
    for folder in (start, *start.parents):
        if environment_names(folder) or (folder / FOLDER / f"{BASE}.toml").is_file():
            return folder
    raise ConfigurationError(
        f"no project here: neither {start} nor a folder above it has {FOLDER}/*.toml",
        hint="change to the project's folder",
    )


def environment_names(root: Path) -> list[str]:
    """Return the names of the project's environments."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.toml") if path.stem != BASE)


def _refuse_unknown(name: str, root: Path) -> None:
    if _NAME.fullmatch(name) and name != BASE and (root / FOLDER / f"{name}.toml").is_file():
        return
    known = environment_names(root)
    raise ConfigurationError(
        f"unknown environment {name!r}; {FOLDER}/ has {', '.join(known) or 'none'}",
        hint=f"--env {known[0]}" if known else f"write {FOLDER}/{name}.toml",
    )


def _refusal(name: str, problems: list[Problem], layers: Layers) -> ConfigurationError:
    lines = tuple(dict.fromkeys(_sentence(problem, layers) for problem in problems))
    hint = f"invoke config --env {name} shows the effective settings once they are right"
    if len(lines) == 1:
        return ConfigurationError(lines[0], hint=hint)
    return ConfigurationError(f"{len(lines)} problems in the settings of {name}", details=lines, hint=hint)


def _sentence(problem: Problem, layers: Layers) -> str:
    text = layers.texts.get(problem.source, "")
    line = line_of(text, problem.path) or line_of(text, problem.path[:-1])
    place = f"{problem.source}:{line}" if line else problem.source
    return ": ".join(part for part in (place, ".".join(problem.path), problem.message) if part)
