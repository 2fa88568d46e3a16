"""The images of this host: pulled once, unpacked once per digest, shared by all tasks."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime import layers
from samjhadoo_emulator.ecs.runtime.contract import CannotPullError, PulledImage
from samjhadoo_emulator.ecs.runtime.distribution import parse_config
from samjhadoo_emulator.ecs.runtime.reference import Reference, parse_reference
from samjhadoo_emulator.ecs.runtime.room import Room

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_emulator.ecs.runtime.distribution import RegistryClient

BASE_NAME = "org.opencontainers.image.base.name"
PULLS = 4
"""Images pulled at the same time."""
LONGEST_END = 5.0
"""Real seconds that pulls get to end when the store is closed."""


class ImageStore:
    """Images under a folder: `<digest>/rootfs` and `<digest>/config.json`.

    A folder named after a digest is complete: it is filled under another name first.

    Args:
        folder: Where images are kept.
        registry: Where they come from.
    """

    def __init__(self, folder: Path, registry: RegistryClient) -> None:
        self._folder = folder
        self._registry = registry
        # Threads of its own: the registry is in this process and needs the event loop's to answer.
        self._threads = ThreadPoolExecutor(PULLS, "pull")
        self._pulls: dict[tuple[str, str, str], asyncio.Future[PulledImage]] = {}

    async def pull(self, text: str) -> PulledImage:
        """Return an image, fetched if it is not here. Pulls of the same image at the same time share one."""
        reference = parse_reference(text)
        key = (reference.region, reference.repository, reference.version)
        pull = self._pulls.get(key)
        if pull is None:
            pull = asyncio.get_running_loop().run_in_executor(self._threads, self._pull, reference)
            self._pulls[key] = pull
            pull.add_done_callback(lambda done: self._pulled(key, done))
        # A caller that is cancelled leaves the pull to the others.
        return dataclasses.replace(await asyncio.shield(pull), reference=text)

    async def close(self) -> None:
        """Begin no further pull, and wait for those under way: they end at their next request."""
        pulls = list(self._pulls.values())
        self._registry.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if pulls:
            await asyncio.wait(pulls, timeout=LONGEST_END)

    def _pulled(self, key: tuple[str, str, str], pull: asyncio.Future[PulledImage]) -> None:
        self._pulls.pop(key, None)
        if not pull.cancelled():
            pull.exception()  # retrieved, even if no caller waits any more

    def _pull(self, reference: Reference) -> PulledImage:
        digest, manifest = self._registry.manifest(reference)
        home = self._folder / digest.replace(":", "-")
        if not home.exists():
            self._fetch(reference, manifest, home)
        config = parse_config((home / "config.json").read_bytes())
        base = str((manifest.get("annotations") or {}).get(BASE_NAME, ""))
        return PulledImage(reference.repository, digest, config, home / "rootfs", base=base)

    def _fetch(self, reference: Reference, manifest: dict[str, Any], home: Path) -> None:
        partial = self._folder / f".partial-{uuid.uuid4().hex}"
        root = partial / "rootfs"
        root.mkdir(parents=True)
        room = Room(root)
        try:
            self._registry.fetch(reference, manifest["config"]["digest"], partial / "config.json")
            for descriptor in manifest["layers"]:
                blob = partial / "layer"
                self._registry.fetch(reference, descriptor["digest"], blob)
                layers.unpack(blob, root, room)
                blob.unlink()
            root.chmod(0o755)
            try:
                partial.rename(home)
            except OSError:
                if not home.exists():
                    raise
        except OSError as error:
            raise CannotPullError(f"failed to store the image: {error}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
