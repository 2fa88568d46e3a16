"""Completion of options' values in the shell: Invoke itself completes tasks and options only."""

from __future__ import annotations

import functools
import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit

from samjhadoo_ops.environment.loading import BASE, FOLDER, environment_names, find_root
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OPTION = re.compile(r"(--[\w-]+)(?:[ =]+([^\s=]*))?$")
"""The option at the end of a command line, and what is typed of its value."""


def with_values(complete: Callable[..., Exit]) -> Callable[..., Exit]:
    """Return Invoke's `complete`, which now completes the values of options as well."""

    @functools.wraps(complete)
    def completing(*, core: Any, **parts: Any) -> Exit:
        for value in (found := values(core.remainder)):
            write(sys.stdout, value)
        if found:
            raise Exit
        return complete(core=core, **parts)

    return completing


def values(line: str) -> list[str]:
    """Return the values of the option at the end of a command line; nothing for other options.

    Args:
        line: The words so far. Shells differ: the value that is being typed may be missing, and bash makes a
            word of the equals sign.
    """
    option = _OPTION.search(line.rstrip())
    known = _VALUES.get(option[1]) if option else None
    if option is None or known is None:
        return []
    try:
        found = known(find_root(), line)
    except (OpsError, OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []
    # zsh and fish replace the whole word, also in `--env=…`.
    joined = f"{option[1]}=" if line.endswith(f"{option[1]}={option[2] or ''}") else ""
    return [f"{joined}{value}" for value in found if value.startswith(option[2] or "")]


def _services(root: Path, line: str) -> list[str]:
    chosen = re.search(r"--env[ =]+(\w[\w-]*)", line)
    names: dict[str, None] = {}
    for name in (BASE, chosen[1] if chosen else "local"):
        file = root / FOLDER / f"{name}.toml"
        if file.is_file():
            names |= dict.fromkeys(tomllib.loads(file.read_text(encoding="utf-8")).get("services", {}))
    return list(names)


def _scenarios(root: Path, _line: str) -> list[str]:
    from samjhadoo_ops.rehearsal.scenario import scenario_names

    return scenario_names(root)


_VALUES: dict[str, Callable[[Path, str], list[str]]] = {
    "--env": lambda root, _line: environment_names(root),
    "--service": _services,
    "--scenario": _scenarios,
    "--until": lambda _root, _line: ["canary", "bake", "done"],
}
