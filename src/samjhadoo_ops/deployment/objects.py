"""Objects with conditional writes: what the lock and the journal are made of.

S3 compares and writes in one step (`If-None-Match: *`, `If-Match: <etag>`); that is all the
coordination deployers need.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_MISSING = frozenset({"NoSuchKey", "404"})
_ARCHIVED = "InvalidObjectState"
_LONGEST = 8 * 1024 * 1024  # the minutes of a canary of days have some hundred kilobytes


class Conflict(Exception):
    """Another writer was first."""


class Unreadable(Exception):
    """An object is there but cannot be read: it is damaged, archived, or of another program."""


@dataclass(frozen=True)
class StoredObject:
    """An object as it was read.

    Attributes:
        etag: Names this version; a conditional write compares it.
        age: Seconds since it was written, by the store's own clock; local clocks don't matter.
    """

    body: bytes
    etag: str
    age: float


class ObjectStore(Protocol):
    """A store whose writes can be made conditional."""

    def create(self, key: str, body: bytes) -> str:
        """Write a new object and return its ETag; raise `Conflict` if it exists."""

    def replace(self, key: str, body: bytes, *, etag: str) -> str:
        """Replace the version `etag` and return the new ETag; raise `Conflict` if another is current."""

    def read(self, key: str) -> StoredObject | None:
        """Return an object (of a very large one the beginning), or None; raise `Unreadable` if archived."""

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Return the keys under a prefix, in order; with `after`, only those that come behind it."""

    def folders(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Return what the keys under a prefix begin with, up to the next slash, in order, each once."""


Stored = TypeVar("Stored")


def decoded(stored: StoredObject, kind: type[Stored]) -> Stored:
    """Return what an object holds as JSON; raise `Unreadable` if it is anything else."""
    if len(stored.body) > _LONGEST:
        raise Unreadable(f"it is larger than {_LONGEST // 1024**2} MiB")
    try:
        return msgspec.json.decode(stored.body, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise Unreadable(str(error) or type(error).__name__) from error


class S3Objects:
    """Objects of one S3 bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def create(self, key: str, body: bytes) -> str:
        """See `ObjectStore.create`."""
        return self._put(key, body, IfNoneMatch="*")

    def replace(self, key: str, body: bytes, *, etag: str) -> str:
        """See `ObjectStore.replace`."""
        return self._put(key, body, IfMatch=etag)

    def read(self, key: str) -> StoredObject | None:
        """See `ObjectStore.read`."""
        from botocore.exceptions import ClientError

        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            if error.response["Error"]["Code"] == _ARCHIVED:
                raise Unreadable("it was moved to an archive") from error
            raise
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - answer["LastModified"]).total_seconds()
        return StoredObject(body=answer["Body"].read(_LONGEST + 1), etag=answer["ETag"], age=max(0.0, age))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.keys`."""
        for page in self._pages(prefix, after):
            for item in page.get("Contents", ()):
                yield item["Key"]

    def folders(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.folders`."""
        for page in self._pages(prefix, after, Delimiter="/"):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"]

    def _pages(self, prefix: str, after: str, **options: str) -> Iterator[dict[str, Any]]:
        start = {"StartAfter": after} if after else {}
        pages = self._s3.get_paginator("list_objects_v2").paginate
        yield from pages(Bucket=self._bucket, Prefix=prefix, **start, **options)

    def _put(self, key: str, body: bytes, **condition: str) -> str:
        from botocore.exceptions import ClientError

        try:
            answer = self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _CONFLICTS | (
                _MISSING if "IfMatch" in condition else set()
            ):
                return self._own(key, body, error)
            raise
        return str(answer["ETag"])

    def _own(self, key: str, body: bytes, error: Exception) -> str:
        """Return the ETag when the other writer was this one, whose answer was lost and who wrote again."""
        found = self.read(key)
        if found is None or found.body != body:
            raise Conflict(key) from error
        return found.etag
