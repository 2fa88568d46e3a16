"""What the Docker at hand can: which builder it has, and for which platform it builds.

The facts, from https://docs.docker.com/build/buildkit/ and docker/cli's sources: with buildx, `docker buildx
build` is BuildKit. Without it, a CLI before 23 reaches the engine's own BuildKit by `DOCKER_BUILDKIT=1`;
newer ones do that through buildx alone and fall back to the classic builder, which knows no `RUN --mount`, no
heredocs and no other platform than the engine's.
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
"""The CLI's first version that reaches BuildKit through buildx only."""
TIMEOUT = 60.0
"""Real seconds for an engine to say what it is."""
INSTALL = "install buildx (packages docker-buildx or docker-buildx-plugin)"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}
_MAJOR = re.compile(r"\d+")


@dataclass(frozen=True)
class Engine:
    """A Docker engine and the CLI that reaches it.

    Attributes:
        kind: What builds: `buildx`; `buildkit`, the engine's own, by an older CLI; `classic`.
        platform: What the engine runs, such as `linux/amd64`.
        context: The Docker context, whose name is also that of the engine's own builder.
        told: All this in words.

    """

    kind: Kind
    platform: str
    context: str = "default"
    told: str = ""


def find_engine() -> Engine:
    """Ask the CLI, in one call, what there is.

    Raises:
        ConfigurationError: There is no `docker`.
        EngineUnavailable: The engine does not answer, or does not let us in.

    """
    status, output, error = _ask(INFO)
    try:
        info = json.loads(output)
    except ValueError:
        info = {}
    if not info.get("ServerVersion"):
        reasons = info.get("ServerErrors") or [error.strip() or f"docker info ended with status {status}"]
        raise unavailable("; ".join(reasons))
    return read(info, os.environ.get("DOCKER_BUILDKIT", ""))


def unavailable(reason: str) -> EngineUnavailable:
    """Return the error of an engine that does not answer, with what to do about it."""
    if "permission denied" in reason.lower():
        hint = "let your user reach the engine (group docker; log in again), or set DOCKER_HOST"
    else:
        hint = 'start Docker, or set DOCKER_HOST; build.builder = "oci" builds without an engine'
    return EngineUnavailable(f"no image can be built: {reason}", hint=hint)


def read(info: Mapping[str, Any], wish: str = "") -> Engine:
    """Return what `docker info` says; DOCKER_BUILDKIT=0 (`wish`) asks for the classic builder as ever."""
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
        kind, what = "classic", "the classic builder, as there is no buildx"
    told = f"Docker engine {info.get('ServerVersion')} ({platform}) builds by {what}"
    return Engine(kind, platform, str(client.get("Context") or "default"), told)


def check_platform(engine: Engine, platform: str) -> None:
    """Refuse a platform that the builder at hand cannot build for.

    Raises:
        ConfigurationError: It is another one than the engine's, and there is no buildx.

    """
    if engine.kind != "buildx" and platform not in ("native", engine.platform):
        raise ConfigurationError(
            f"build.platform is {platform}, but {engine.told.replace(' builds by ', ' has ')}",
            hint=f'set build.platform = "native", or {INSTALL}, and binfmt for what the build runs',
        )


def _reaches_buildkit(version: str) -> bool:
    """Tell whether a CLI without buildx reaches BuildKit (`docker info` tells newer versions only)."""
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
        raise unavailable(f"the engine has not answered for {TIMEOUT:g} s") from error
    return done.returncode, done.stdout, done.stderr
