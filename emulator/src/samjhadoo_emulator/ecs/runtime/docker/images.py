"""The images of the engine: those of the emulated registry by digest, others as the engine has them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from docker.utils import parse_repository_tag

from samjhadoo_emulator.ecs.runtime.contract import CannotPullError, ImageConfig, PulledImage
from samjhadoo_emulator.ecs.runtime.distribution import RegistryClient, config_of
from samjhadoo_emulator.ecs.runtime.docker.engine import EngineError, Missing
from samjhadoo_emulator.ecs.runtime.reference import emulated, parse_reference
from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.runtime.docker.engine import Engine

log = logging.getLogger(__name__)

PULLS = 4
"""Images pulled at the same time."""
RETRIED = "pull image manifest has been retried 1 time(s): failed to resolve ref "
_HUB = "docker.io"


class DockerImages:
    """Pulls images, and removes those of the emulated registry again."""

    def __init__(self, engine: Engine, edge_url: str, password: str) -> None:
        self._engine = engine
        self._registry = RegistryClient(edge_url)
        self._login = {"username": "AWS", "password": password}
        self._port = urlsplit(edge_url).port
        self._few = asyncio.Semaphore(PULLS)
        self._pulls: dict[str, asyncio.Task[PulledImage]] = {}
        self._pulled: set[str] = set()

    async def pull(self, text: str) -> PulledImage:
        """Return an image, pulled if the engine does not have it; pulls of the same one share a pull."""
        pull = self._pulls.get(text)
        if pull is None:
            pull = asyncio.get_running_loop().create_task(self._pull(text), name=f"pull {text}")
            self._pulls[text] = pull
            pull.add_done_callback(lambda done: self._ended(text, done))
        return await asyncio.shield(pull)  # a cancelled caller leaves the pull to the others

    async def close(self) -> None:
        """End all pulls; take the references of the emulated registry out of the engine."""
        for pull in list(self._pulls.values()):
            pull.cancel()
        await asyncio.gather(*map(self._remove, self._pulled))
        self._registry.close()

    def _ended(self, text: str, pull: asyncio.Task[PulledImage]) -> None:
        self._pulls.pop(text, None)
        if not pull.cancelled():
            pull.exception()  # retrieved, even if no caller waits any more

    async def _pull(self, text: str) -> PulledImage:
        async with self._few:
            return await (self._emulated(text) if emulated(text) else self._foreign(text))

    async def _emulated(self, text: str) -> PulledImage:
        reference = parse_reference(text)
        # The registry is in this process: its answers need the event loop, this needs a thread.
        digest, _ = await asyncio.to_thread(self._registry.manifest, reference)
        name = f"{LOOPBACK}:{self._port}/{reference.repository}@{digest}"
        found = await self._inspect(name)
        if found is None:
            self._pulled.add(name)
            await self._fetch(name, failed=f"{RETRIED}{reference}: ", login=self._login)
            found = await self._inspect(name)
        if found is None:
            raise CannotPullError(f"{RETRIED}{reference}: {reference}: not found")
        return PulledImage(text, digest, _config(found), name=name)

    async def _foreign(self, text: str) -> PulledImage:
        found = await self._inspect(text)
        if found is None:
            full = canonical(text)
            await self._fetch(full, failed=f"{RETRIED}{full}: ")
            found = await self._inspect(text)
        if found is None:
            raise CannotPullError(f"{RETRIED}{canonical(text)}: {canonical(text)}: not found")
        repository = parse_repository_tag(text)[0]
        digests = [
            each.partition("@")[2] for each in found.get("RepoDigests") or [] if each.startswith(repository)
        ]
        return PulledImage(text, digests[0] if digests else str(found["Id"]), _config(found), name=text)

    async def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = await self._engine.call(self._engine.api.inspect_image, name)
        except Missing:
            return None
        except EngineError as error:
            raise CannotPullError(str(error)) from error
        return found

    async def _fetch(self, name: str, *, failed: str, login: dict[str, str] | None = None) -> None:
        try:
            await self._engine.call(_fetch, self._engine.api, name, login)
        except Missing as error:
            raise CannotPullError(f"{failed}{name}: not found") from error
        except EngineError as error:
            raise CannotPullError(f"{failed}{error}") from error

    async def _remove(self, name: str) -> None:
        with suppress(EngineError):
            await self._engine.call(self._engine.api.remove_image, name)


def canonical(text: str) -> str:
    """Return a reference with the registry, the folder and the tag that Docker leaves out."""
    host, slash, rest = text.partition("/")
    named = slash and (host == "localhost" or "." in host or ":" in host)
    path = rest if named else text
    if not named or host == _HUB:
        host, path = _HUB, path if "/" in path else f"library/{path}"
    last = path.rpartition("/")[2]
    return f"{host}/{path}" + ("" if ":" in last or "@" in last else ":latest")


def _fetch(api: Any, name: str, login: dict[str, str] | None) -> None:
    """Pull an image. Blocking.

    Raises:
        EngineError: The engine reported it while it pulled.
    """
    for line in api.pull(name, stream=True, decode=True, auth_config=login):
        if "error" in line:
            text = str(line["error"])
            raise (Missing if "not found" in text or "manifest unknown" in text else EngineError)(text)


def _config(found: dict[str, Any]) -> ImageConfig:
    return config_of(found.get("Config") or {})
