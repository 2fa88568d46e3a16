"""Objects with conditional writes: what the lock and the journal are made of.

S3 compares and writes in one step (`If-None-Match: *`, `If-Match: <etag>`); that is all the
coordination deployers need.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_MISSING = frozenset({"NoSuchKey", "404"})


class Conflict(Exception):
    """Another writer was first."""


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
        """Return an object, or None when there is none."""

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Return the keys under a prefix, in order; with `after`, only those that come behind it."""


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
            raise
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - answer["LastModified"]).total_seconds()
        return StoredObject(body=answer["Body"].read(), etag=answer["ETag"], age=max(0.0, age))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.keys`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, **({"StartAfter": after} if after else {})
        )
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"]

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
