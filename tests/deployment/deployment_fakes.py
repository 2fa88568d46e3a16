"""Named fakes: a store in memory, and an ECS that goes through a deployment step by step."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.objects import Conflict, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryObjects:
    """An ObjectStore in memory, with S3's conditional writes."""

    def __init__(self) -> None:
        self._objects: dict[str, StoredObject] = {}
        self._writes: dict[str, int] = {}
        self._changed = threading.Condition()

    def create(self, key: str, body: bytes) -> str:
        with self._changed:
            if key in self._objects:
                raise Conflict(key)
            return self._store(key, body)

    def replace(self, key: str, body: bytes, *, etag: str) -> str:
        with self._changed:
            if key not in self._objects or self._objects[key].etag != etag:
                raise Conflict(key)
            return self._store(key, body)

    def read(self, key: str) -> StoredObject | None:
        return self._objects.get(key)

    def keys(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in self._objects if key.startswith(prefix))

    def age(self, key: str, seconds: float) -> None:
        """Make an object that old."""
        old = self._objects[key]
        self._objects[key] = StoredObject(old.body, old.etag, seconds)

    def wait_for_writes(self, key: str, count: int) -> bool:
        """Return whether an object was written so often within a few seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._writes.get(key, 0) >= count, timeout=5)

    def _store(self, key: str, body: bytes) -> str:
        self._writes[key] = self._writes.get(key, 0) + 1
        etag = f'"{self._writes[key]}-{hash(body)}"'
        self._objects[key] = StoredObject(body, etag, 0.0)
        self._changed.notify_all()
        return etag
