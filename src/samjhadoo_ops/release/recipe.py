"""A Dockerfile as data: the image's configuration, and the copies that make its layers.

Nothing can be run without a Docker engine. Instructions that need one, or that are not supported, are errors
with file and line; nothing is ignored silently.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.dockerfile import Instruction, words
from samjhadoo_ops.release.platform import platform_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DOCKER_ONLY = frozenset({"ADD", "MAINTAINER", "ONBUILD", "RUN", "SHELL"})
HINT = 'set build.builder = "docker" to build it with a Docker engine'
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH that Docker gives an image whose base has none."""
_OWNER = re.compile(r"(?P<user>\d+|root)(?::(?P<group>\d+|root))?")
_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)")
NANO = 1_000_000_000


@dataclass(frozen=True)
class Copy:
    """Files of the context that go into the image as one layer.

    Attributes:
        line: The instruction's line in the Dockerfile.
        sources: Paths or patterns, relative to the context.
        destination: An absolute path in the image.
        into: Whether the destination is a folder that receives the files.
        uid: The owner's user ID.
        gid: The owner's group ID.
        mode: Permissions of everything copied; None keeps each file's.
    """

    line: int
    sources: tuple[str, ...]
    destination: str
    into: bool
    uid: int = 0
    gid: int = 0
    mode: int | None = None


@dataclass
class Recipe:
    """An image as its Dockerfile describes it.

    Attributes:
        base: The image in FROM, with variables substituted; `scratch` for none.
        config: The `config` member of the OCI image configuration.
        steps: Copies, and folders (as text) that WORKDIR creates, in order.
    """

    base: str
    config: dict[str, Any]
    steps: list[Copy | str] = field(default_factory=list)


def base_of(
    instructions: Sequence[Instruction],
    arguments: Mapping[str, str],
    *,
    name: str,
    platform: str = "native",
) -> str:
    """Return the image in the only FROM; raise `ConfigurationError` if there is none, or more than one."""
    return _preamble(instructions, arguments, name, platform)[0]


def _preamble(
    instructions: Sequence[Instruction], arguments: Mapping[str, str], name: str, platform: str
) -> tuple[str, dict[str, str]]:
    """Return the image in FROM, and the arguments before it."""
    stages = [each for each in instructions if each.keyword == "FROM"]
    if not stages:
        raise ConfigurationError(f"{name} has no FROM")
    if len(stages) > 1:
        message = f"{name}:{stages[1].line}: a second FROM: multi-stage builds need a Docker engine"
        raise ConfigurationError(message, hint=HINT)
    reader = _Reader(name, {}, arguments)
    reader.args = {key: arguments.get(key, value) for key, value in platform_arguments(platform).items()}
    for each in instructions[: instructions.index(stages[0])]:
        if each.keyword != "ARG":
            raise ConfigurationError(f"{name}:{each.line}: {each.keyword} stands before FROM")
        reader.read(each)
    parts = [part for part in reader.words(stages[0]) if not part.startswith("--platform=")]
    if not parts or not parts[0]:
        raise ConfigurationError(f"{name}:{stages[0].line}: FROM names no image")
    return parts[0], reader.args


def read(
    instructions: Sequence[Instruction],
    arguments: Mapping[str, str],
    *,
    name: str,
    inherited: Mapping[str, Any] | None = None,
    platform: str = "native",
) -> Recipe:
    """Return the recipe of a Dockerfile.

    Args:
        name: The Dockerfile's name in errors.
        inherited: The base image's `config`.
        platform: The image's platform, for the predefined arguments.

    Raises:
        ConfigurationError: An instruction is wrong or needs a Docker engine.
    """
    base, outer = _preamble(instructions, arguments, name, platform)
    reader = _Reader(name, dict(inherited or {}), arguments, outer)
    start = next(index for index, each in enumerate(instructions) if each.keyword == "FROM")
    for instruction in instructions[start + 1 :]:
        reader.read(instruction)
    return Recipe(base, reader.finished(), reader.steps)


class _Reader:
    """Collects instructions into a configuration and steps."""

    def __init__(
        self,
        name: str,
        inherited: dict[str, Any],
        arguments: Mapping[str, str],
        outer: Mapping[str, str] | None = None,
    ) -> None:
        self.steps: list[Copy | str] = []
        self._name = name
        self._arguments = arguments
        self.args: dict[str, str] = {}
        self._outer = outer or {}
        self._config = inherited
        self._env = {"PATH": DEFAULT_PATH}
        self._env |= dict(entry.split("=", 1) for entry in inherited.get("Env") or [])
        self._inherits_command = True
        self._handlers: dict[str, Callable[[Instruction], None]] = {
            "ARG": self._arg,
            "ENV": self._set_env,
            "LABEL": self._label,
            "WORKDIR": self._workdir,
            "COPY": self._copy,
            "EXPOSE": self._expose,
            "VOLUME": self._volume,
            "USER": self._user,
            "STOPSIGNAL": self._stop_signal,
            "ENTRYPOINT": self._entrypoint,
            "CMD": self._command,
            "HEALTHCHECK": self._health_check,
        }

    def read(self, instruction: Instruction) -> None:
        handler = self._handlers.get(instruction.keyword)
        if handler is None:
            if instruction.keyword not in DOCKER_ONLY:
                raise self._error(instruction, f"{instruction.keyword} is not a Dockerfile instruction")
            raise self._error(instruction, f"{instruction.keyword} needs a Docker engine", hint=HINT)
        handler(instruction)

    def finished(self) -> dict[str, Any]:
        self._config["Env"] = [f"{key}={value}" for key, value in self._env.items()]
        return {key: value for key, value in sorted(self._config.items()) if value}

    def words(self, instruction: Instruction, text: str | None = None, *, split: bool = True) -> list[str]:
        """Return an instruction's words, with variables substituted; ENV takes precedence over ARG."""
        try:
            variables = {**self.args, **self._env}
            text = instruction.value if text is None else text
            return words(text, variables, split=split, escape=instruction.escape)
        except ValueError as error:
            raise self._error(instruction, str(error)) from error

    def _error(self, instruction: Instruction, message: str, *, hint: str = "") -> ConfigurationError:
        return ConfigurationError(f"{self._name}:{instruction.line}: {message}", hint=hint)

    def _arg(self, instruction: Instruction) -> None:
        for word in self.words(instruction):
            key, stated, default = word.partition("=")
            value = self._arguments.get(key, default if stated else self._outer.get(key))
            if value is not None:
                self.args[key] = value

    def _pairs(self, instruction: Instruction) -> dict[str, str]:
        first = instruction.value.split(maxsplit=1)
        if len(first) > 1 and "=" not in first[0]:  # the legacy form: NAME and the rest of the line
            return {first[0]: "".join(self.words(instruction, first[1], split=False))}
        pairs = [word.partition("=") for word in self.words(instruction)]
        wrong = [key for key, equals, _ in pairs if not equals or not key]
        if wrong or not pairs:
            raise self._error(
                instruction, f"{instruction.keyword} expects NAME=value, not {' '.join(wrong)!r}"
            )
        return {key: value for key, _, value in pairs}

    def _set_env(self, instruction: Instruction) -> None:
        self._env.update(self._pairs(instruction))

    def _label(self, instruction: Instruction) -> None:
        self._config["Labels"] = {**(self._config.get("Labels") or {}), **self._pairs(instruction)}

    def _workdir(self, instruction: Instruction) -> None:
        path = self._absolute("".join(self.words(instruction, split=False)))
        self._config["WorkingDir"] = path
        self.steps.append(path)

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._config.get("WorkingDir") or "/", path))

    def _expose(self, instruction: Instruction) -> None:
        ports: dict[str, Any] = {
            port if "/" in port else f"{port}/tcp": {} for port in self.words(instruction)
        }
        self._config["ExposedPorts"] = {**(self._config.get("ExposedPorts") or {}), **ports}

    def _volume(self, instruction: Instruction) -> None:
        paths = _json_list(instruction.value) or self.words(instruction)
        self._config["Volumes"] = {**(self._config.get("Volumes") or {}), **{path: {} for path in paths}}

    def _user(self, instruction: Instruction) -> None:
        self._config["User"] = "".join(self.words(instruction))

    def _stop_signal(self, instruction: Instruction) -> None:
        self._config["StopSignal"] = "".join(self.words(instruction))

    def _entrypoint(self, instruction: Instruction) -> None:
        self._config["Entrypoint"] = self._exec_form(instruction.value)
        if self._inherits_command:  # a new entry point resets the base image's command
            self._config.pop("Cmd", None)

    def _command(self, instruction: Instruction) -> None:
        self._config["Cmd"] = self._exec_form(instruction.value)
        self._inherits_command = False

    def _exec_form(self, value: str) -> list[str]:
        parts = _json_list(value)
        return parts if parts is not None else ["/bin/sh", "-c", value]

    def _health_check(self, instruction: Instruction) -> None:
        flags, rest = _flags(instruction.value)
        if rest.upper() == "NONE":
            self._config["Healthcheck"] = {"Test": ["NONE"]}
            return
        keyword, _, command = rest.partition(" ")
        if keyword.upper() != "CMD":
            raise self._error(instruction, "HEALTHCHECK expects CMD or NONE")
        parts = _json_list(command.strip())
        test = ["CMD", *parts] if parts is not None else ["CMD-SHELL", command.strip()]
        self._config["Healthcheck"] = {"Test": test, **self._health_flags(instruction, flags)}

    def _health_flags(self, instruction: Instruction, flags: dict[str, str]) -> dict[str, int]:
        names = {
            "interval": "Interval",
            "timeout": "Timeout",
            "start-period": "StartPeriod",
            "start-interval": "StartInterval",
        }
        settings: dict[str, int] = {}
        for flag, value in flags.items():
            if flag == "retries" and value.isdecimal():
                settings["Retries"] = int(value)
            elif flag in names and re.fullmatch(f"({_SPAN.pattern})+", value):
                seconds = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(value))
                settings[names[flag]] = round(seconds * NANO)
            else:
                raise self._error(instruction, f"HEALTHCHECK does not support --{flag}={value}")
        return settings

    def _copy(self, instruction: Instruction) -> None:
        flags, rest = _flags(instruction.value)
        unknown = set(flags) - {"chown", "chmod", "link"}
        if unknown or "<<" in rest:
            what = f"COPY --{min(unknown)}" if unknown else "a COPY of a here-document"
            raise self._error(instruction, f"{what} needs a Docker engine", hint=HINT)
        listed = _json_list(rest)
        paths = (
            [part for item in listed for part in self.words(instruction, item, split=False)]
            if listed
            else None
        )
        paths = self.words(instruction, rest) if paths is None else paths
        if len(paths) < 2:  # noqa: PLR2004 - a source and a destination
            raise self._error(instruction, "COPY expects sources and a destination")
        *sources, destination = paths
        into = destination.endswith("/") or posixpath.normpath(destination) in (".", "..")
        if len(sources) > 1 and not into:
            raise self._error(instruction, f"several sources need a folder: write {destination}/")
        uid, gid = self._owner(instruction, flags.get("chown"))
        self.steps.append(
            Copy(
                instruction.line,
                tuple(sources),
                self._absolute(destination),
                into=into,
                uid=uid,
                gid=gid,
                mode=self._mode(instruction, flags.get("chmod")),
            )
        )

    def _owner(self, instruction: Instruction, text: str | None) -> tuple[int, int]:
        if text is None:
            return 0, 0
        owner = "".join(self.words(instruction, text))
        match = _OWNER.fullmatch(owner)
        if match is None:
            message = f"--chown={owner}: names need the base image, which is not read; use numeric IDs"
            raise self._error(instruction, message, hint=HINT)
        user = 0 if match["user"] == "root" else int(match["user"])
        group = match["group"]
        return user, user if group is None else 0 if group == "root" else int(group)

    def _mode(self, instruction: Instruction, text: str | None) -> int | None:
        if text is None:
            return None
        mode = "".join(self.words(instruction, text))
        if not re.fullmatch(r"[0-7]{3,4}", mode):
            raise self._error(instruction, f"--chmod={mode} is not an octal mode", hint=HINT)
        return int(mode, 8)


def _json_list(text: str) -> list[str] | None:
    """Return the exec form of an instruction; None if it has another form."""
    if not text.startswith("["):
        return None
    try:
        parts = json.loads(text)
    except ValueError:
        return None
    return parts if isinstance(parts, list) and all(isinstance(part, str) for part in parts) else None


def _flags(text: str) -> tuple[dict[str, str], str]:
    """Return an instruction's leading `--name=value` flags, and the rest."""
    flags: dict[str, str] = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        key, _, value = flag.removeprefix("--").partition("=")
        flags[key] = value
        text = text.lstrip()
    return flags, text
