"""Runs application images on the host, their paths mapped to the folder where they are unpacked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime import layout
from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Invocation, not_found
from samjhadoo_emulator.ecs.runtime.layout import DEFAULT_PATH, mapped, search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_emulator.ecs.runtime.host_commands import BaseCommands

# Variables that name files by what they are called; other variables of a task definition may hold a path
# of a URL that happens to exist in the image too.
_NAMES_FILES = re.compile(r"(PATH|DIR|DIRS|HOME|FILE|FILES|FOLDER|ROOT|CONFIG|LOCATION)$")


class HostFilesystem:
    """The execution context of a container of an application image: the host, nothing isolated.

    Args:
        root: The folder that stands for `/`: the image's own, or a copy the container may write to.
        image_names: The variables the image itself sets; these may all hold paths.
        environment: The container's environment, in the container's terms.
        folder: The working directory, in the container's terms.
        commands: Programs of this machine that replace those of the image's base image.
        scratch: A folder for HOME and TMPDIR.
    """

    def __init__(
        self,
        *,
        image: Path,
        root: Path,
        image_names: frozenset[str],
        environment: Mapping[str, str],
        folder: str,
        commands: BaseCommands,
        scratch: Path,
    ) -> None:
        self._commands = commands
        self._image = image
        self._root = root
        self._path = environment.get("PATH") or DEFAULT_PATH
        self._folder = folder or "/"
        self._environment = self._on_host(environment, image_names, scratch)

    def invocation(self, argv: Sequence[str], *, join: int = 0) -> Invocation:  # noqa: ARG002 - not isolated
        """Return how to run a command line; see `ExecutionContext`."""
        folder = self._root.joinpath(self._folder.lstrip("/"))
        folder.mkdir(parents=True, exist_ok=True)
        words = [mapped(word, image=self._image, root=self._root) for word in argv[1:]]
        return Invocation([*self._executable(argv[0]), *words], self._environment, folder)

    def _executable(self, name: str) -> list[str]:
        found = search(self._image, name, path=self._path, folder=self._folder)
        if found is None:
            command = self._commands.find(name)
            if command is None:
                raise CannotStartError(not_found(name))
            return command
        executable = self._root / found.relative_to(self._image)
        interpreter = layout.shebang(found)
        if not interpreter:
            return [os.fspath(executable)]
        words = (
            interpreter[1].split()
            if interpreter[0].endswith("/env") and len(interpreter) > 1
            else interpreter
        )
        return [*self._executable(words[0]), *words[1:], os.fspath(executable)]

    def _on_host(
        self, environment: Mapping[str, str], image_names: frozenset[str], scratch: Path
    ) -> dict[str, str]:
        result = {}
        for name, value in environment.items():
            holds_paths = name in image_names or _NAMES_FILES.search(name)
            result[name] = mapped(value, image=self._image, root=self._root) if holds_paths else value
        path = mapped(self._path, image=self._image, root=self._root).split(":")
        own = [entry for entry in path if entry.startswith(os.fspath(self._root))]
        result["PATH"] = ":".join([*own, os.fspath(self._commands.folder), self._commands.path])
        for name, folder in (("HOME", scratch), ("TMPDIR", scratch)):
            result.setdefault(name, os.fspath(folder))
        return result
