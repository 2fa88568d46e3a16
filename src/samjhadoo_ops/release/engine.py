"""The capabilities of the installed Docker: its builder and its platform.

From https://docs.docker.com/build/buildkit/ and docker/cli's source: with buildx, `docker buildx build` uses
BuildKit. Without buildx, a CLI before version 23 uses the engine's own BuildKit with `DOCKER_BUILDKIT=1`;
newer ones fall back to the classic builder, which supports neither `RUN --mount` nor heredocs, and only the
engine's platform.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from samjhadoo_ops.engine import EngineUnavailable
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal["buildx", "buildkit", "classic"]

INFO = ("docker", "info", "--format", "{{json .}}")
NEEDS_BUILDX = 23
"""The first version of the CLI that uses BuildKit through buildx only."""
TIMEOUT = 60.0
"""Real seconds that `docker info` may take."""
INSTALL = "install buildx (packages docker-buildx or docker-buildx-plugin)"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}
_MAJOR = re.compile(r"\d+")


@dataclass(frozen=True)
class Engine:
    """A Docker engine and the CLI that reaches it.

    Attributes:
        kind: The builder: `buildx`; `buildkit` (the engine's own, used by an older CLI); or `classic`.
        platform: The engine's platform, such as `linux/amd64`.
        context: The Docker context; the engine's own builder has the same name.
        description: All of this in words.
    """

    kind: Kind
    platform: str
    context: str = "default"
    description: str = ""


def find_engine() -> Engine:
    """Return the engine that the CLI reaches, with one call of `docker info`.

    Raises:
        ConfigurationError: `docker` is not installed.
        EngineUnavailable: The engine does not answer, or refuses access.
    """
    status, output, error = _ask(INFO)
    try:
        info = json.loads(output)
    except ValueError:
        info = {}
    if not info.get("ServerVersion"):
        reasons = info.get("ServerErrors") or [
            error.strip() or f"docker info failed with exit status {status}"
        ]
        raise unavailable("; ".join(reasons))
    return read(info, os.environ.get("DOCKER_BUILDKIT", ""))


def unavailable(reason: str) -> EngineUnavailable:
    """Return the error for an engine that does not answer, with a hint."""
    if "permission denied" in reason.lower():
        hint = "give your user access to the engine (group docker, then log in again), or set DOCKER_HOST"
    else:
        hint = 'start Docker, or set DOCKER_HOST; build.builder = "oci" builds without an engine'
    return EngineUnavailable(f"Docker cannot build images: {reason}", hint=hint)


def read(info: Mapping[str, Any], wish: str = "") -> Engine:
    """Read the output of `docker info`; DOCKER_BUILDKIT=0 (`wish`) selects the classic builder."""
    client = info.get("ClientInfo") or {}
    plugins = {plugin.get("Name"): plugin.get("Version", "") for plugin in client.get("Plugins") or []}
    machine = str(info.get("Architecture", ""))
    platform = f"{info.get('OSType') or 'linux'}/{_ARCHITECTURES.get(machine, machine)}"
    kind: Kind
    if wish == "0":
        kind, what = "classic", "the classic builder (DOCKER_BUILDKIT=0)"
    elif "buildx" in plugins:
        kind, what = "buildx", f"buildx {plugins['buildx']}".rstrip()
    elif _reaches_buildkit(str(client.get("Version", ""))):
        kind, what = "buildkit", "its own BuildKit"
    else:
        kind, what = "classic", "the classic builder, because buildx is not installed"
    description = f"Docker engine {info.get('ServerVersion')} ({platform}) builds with {what}"
    return Engine(kind, platform, str(client.get("Context") or "default"), description)


def check_platform(engine: Engine, platform: str) -> None:
    """Raise `ConfigurationError` for a platform that is not the engine's, unless buildx is installed."""
    if engine.kind != "buildx" and platform not in ("native", engine.platform):
        raise ConfigurationError(
            f"build.platform is {platform}, but {engine.description.replace(' builds with ', ' has ')}",
            hint=f'set build.platform = "native", or {INSTALL}, and binfmt for the platform',
        )


def _reaches_buildkit(version: str) -> bool:
    """Return whether a CLI without buildx reaches BuildKit (`docker info` reports newer versions only)."""
    text = version or _ask(("docker", "--version"))[1]
    major = _MAJOR.search(text)
    return major is not None and int(major[0]) < NEEDS_BUILDX


def _ask(command: Sequence[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except (FileNotFoundError, PermissionError) as error:
        raise ConfigurationError(
            f"{command[0]} cannot be run: {error.strerror}",
            hint='install Docker, or set build.builder = "oci" to build without it',
        ) from error
    except subprocess.TimeoutExpired as error:
        raise unavailable(f"the engine has not answered within {TIMEOUT:g} s") from error
    return done.returncode, done.stdout, done.stderr
