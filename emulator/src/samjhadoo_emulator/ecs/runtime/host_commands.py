"""Commands of this machine that application images may run, in place of those of their base images.

`python` is the emulator's own interpreter or, if the base image names a version, that version's; it has the
packages that are installed here only for base images that `--host-packages` names. `java` is the version that
the base image names, where this machine has it. Other commands are named on the emulator's command line
(`--host-command NAME=COMMAND`), or found on PATH.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime.contract import CannotStartError
from samjhadoo_emulator.ecs.runtime.layout import DEFAULT_PATH, shebang

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_PYTHON_BASE = re.compile(r"(?:.*/)?python:(?P<version>3\.\d+)(?![\d])")
_JAVA_BASE = re.compile(r"java(?!script)|jdk|jre|temurin|corretto|zulu|liberica|semeru|sapmachine|graalvm")
_RELEASE = re.compile(r'^JAVA_VERSION="(?:1\.)?(?P<major>\d+)', re.MULTILINE)
_JAVA_HOMES = ("/usr/lib/jvm/*", "/opt/java/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")
_SDKMAN = ".sdkman/candidates/java/*"


@dataclass(frozen=True)
class BaseCommands:
    """What this machine has in place of a base image.

    Attributes:
        named: Command lines by name.
        path: The PATH on which other commands are found.
        folder: Has an executable for each name; it goes on the application's PATH.
        remark: How they differ from the base image's; empty if they do not, as far as is known.
        packages: Whether Python has the packages that are installed here.
    """

    named: Mapping[str, Sequence[str]]
    path: str
    folder: Path
    remark: str
    packages: bool

    def find(self, name: str) -> list[str] | None:
        """Return the command line for a program as an image names it; None if this machine has none."""
        base = name.rsplit("/", 1)[-1]
        base = "python" if _PYTHON.fullmatch(base) else base
        if base in self.named:
            return list(self.named[base])
        found = name if "/" in name and os.access(name, os.X_OK) else shutil.which(base, path=self.path)
        if found is None or (not self.packages and _is_python_script(Path(found))):
            return None
        return [found]

    def install(self) -> None:
        """Write the executables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("python3", *self.named):
            # A script, not a link: a linked interpreter of a virtual environment would not find its packages.
            command = self.folder / name
            command.write_text(f'#!/bin/sh\nexec {shlex.join(self.find(name) or [name])} "$@"\n')
            command.chmod(0o755)


class HostCommands:
    """The commands of this machine, for each base image.

    Args:
        named: Command lines by name.
        folder: Where executables and interpreters without packages are put.
        packages_for: Base images whose packages are those that are installed here; `*` for all.
    """

    def __init__(
        self, named: Mapping[str, Sequence[str]], folder: Path, packages_for: Collection[str] = ()
    ) -> None:
        self._named = {name: list(words) for name, words in named.items()}
        self._folder = folder
        self._packages_for = packages_for
        self._made: dict[str, BaseCommands] = {}

    def of(self, base: str) -> BaseCommands:
        """Return the commands in place of a base image; an empty name is one that is not known. Blocking.

        Raises:
            CannotStartError: No interpreter can be made.
        """
        if base not in self._made:
            packages = base in self._packages_for or "*" in self._packages_for
            named = dict(self._named)
            remarks = [self._use_java(named, base)]
            if "python" not in named:
                remarks.append(self._use_python(named, base, packages=packages))
            remark = "; ".join(filter(None, remarks))
            name = hashlib.sha256(base.encode()).hexdigest()[:12]
            found = BaseCommands(named, _path(packages=packages), self._folder / name, remark, packages)
            found.install()
            self._made[base] = found
        return self._made[base]

    def _use_python(self, named: dict[str, list[str]], base: str, *, packages: bool) -> str:
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        match = _PYTHON_BASE.match(base)
        wanted = match["version"] if match else own
        found = sys.executable if wanted == own else shutil.which(f"python{wanted}")
        version = wanted if found else own
        interpreter = found or sys.executable
        named["python"] = [interpreter if packages else self._without_packages(interpreter, version)]
        return (
            "" if found else f"{base} has Python {wanted}, but the task runs on Python {own} of this machine"
        )

    def _without_packages(self, interpreter: str, version: str) -> str:
        """Return an interpreter that has the standard library only, as that of a plain base image."""
        folder = self._folder / f"python{version}"
        executable = folder / "bin" / "python"
        if not executable.exists():
            command = [interpreter, "-I", "-m", "venv", "--without-pip", os.fspath(folder)]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                reason = (made.stderr or made.stdout).strip()
                raise CannotStartError(f"failed to create task: {shlex.join(command)}: {reason}")
        return os.fspath(executable)

    def _use_java(self, named: dict[str, list[str]], base: str) -> str:
        wanted = _java_of(base)
        if not wanted:
            return ""
        if not self._javas:
            return f"{base} has Java {wanted}, but this machine has none whose version is known"
        # A newer Java runs what was compiled for an older one.
        chosen = min((each for each in self._javas if each >= wanted), default=max(self._javas))
        named["java"] = [os.fspath(self._javas[chosen])]
        if chosen == wanted:
            return ""
        has = ", ".join(map(str, sorted(self._javas)))
        return f"{base} has Java {wanted}, but the task runs on Java {chosen}: this machine has only {has}"

    @cached_property
    def _javas(self) -> dict[int, Path]:
        """The Java executables of this machine by major version."""
        return {version: java for java in self._java_executables() if (version := java_version(java))}

    def _java_executables(self) -> Iterator[Path]:
        """Yield Java executables; of two of the same version, the later is used."""
        for command in (self._named.get("java", [""])[0], shutil.which("java") or ""):
            if command:
                yield Path(command)
        places = [path for pattern in _JAVA_HOMES for path in Path("/").glob(pattern.lstrip("/"))]
        homes = [
            *sorted(places),
            *sorted(Path.home().glob(_SDKMAN)),
            Path(os.environ.get("JAVA_HOME", "/none")),
        ]
        yield from (java for home in homes if os.access(java := home / "bin" / "java", os.X_OK))


def _java_of(base: str) -> int:
    """Return the major version of Java that the name of a base image states; 0 if it states none."""
    name, _, tag = base.partition("@")[0].rpartition("/")[2].partition(":")
    stated = re.search(r"java(\d+)", name) or re.match(r"(?:1\.)?(\d+)", tag)
    return int(stated[1]) if stated and _JAVA_BASE.search(name) else 0


def java_version(java: Path) -> int:
    """Return the major version of a Java executable, which is not started; 0 if it is not known."""
    try:
        text = (Path(os.path.realpath(java)).parents[1] / "release").read_text(errors="replace")
    except OSError:
        return 0
    match = _RELEASE.search(text)
    return int(match["major"]) if match else 0


def _path(*, packages: bool) -> str:
    """Return this machine's PATH; without packages, without the emulator's own virtual environment."""
    path = os.environ.get("PATH", DEFAULT_PATH)
    own = {os.path.realpath(Path(sys.prefix, "bin"))} if sys.prefix != sys.base_prefix else set()
    return path if packages else ":".join(p for p in path.split(":") if os.path.realpath(p) not in own)


def _is_python_script(file: Path) -> bool:
    """Return whether a command is a Python script, which comes with a package of this machine."""
    try:
        return "python" in " ".join(shebang(file))
    except OSError:
        return False


def parse_host_command(text: str) -> tuple[str, list[str]]:
    """Return the name and the words of `NAME=COMMAND`.

    Raises:
        ValueError: It has no name or no command, or the name is a path.
    """
    name, _, command = text.partition("=")
    words = shlex.split(command)
    if not name or "/" in name or not words:
        raise ValueError(f"expected NAME=COMMAND, found {text!r}")
    return name, words
