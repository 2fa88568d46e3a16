"""What live services give to a snapshot: tables of rows, each row plain data that is encoded by itself.

Rows are MessagePack. Nothing in a snapshot is ever executed: rows are decoded into the types that are asked
for, so a hostile file can bring wrong values, but no code.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableMapping

T = TypeVar("T")
Change = tuple[str, bytes | None]
"""A row's key and new content; None when the row is gone."""


class Table(Protocol):
    """A table of one live service in one region."""

    @property
    def name(self) -> str:
        """Its name, unique in the service."""

    def changes(self) -> Iterator[Change]:
        """Yield the rows that have changed since the last time."""

    def shown(self) -> dict[str, Any]:
        """Return the rows as plain data, by key, for people to read."""

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take the rows of a snapshot, in the order of their keys.

        Raises:
            msgspec.DecodeError: A row is not what it should be.

        """


class Rows(Generic[T]):
    """A table of all rows that `each` gives; those whose encoding is as before have not changed.

    Args:
        name: The table's name.
        each: Returns every row with its key.
        put: Takes a row of a snapshot.
        kind: The type that a row is decoded to.
        stamp: Differs once a row has changed, where that is cheaper to tell than by encoding it.

    """

    def __init__(
        self,
        name: str,
        each: Callable[[], Iterable[tuple[str, T]]],
        put: Callable[[str, Any], None],
        *,
        kind: Any,
        plain: Callable[[T], Any] = lambda row: row,
        stamp: Callable[[T], object] | None = None,
    ) -> None:
        self.name = name
        self._each = each
        self._put = put
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._plain = plain
        self._stamp = stamp
        self._written: dict[str, object] = {}

    @classmethod
    def of(cls, name: str, rows: MutableMapping[str, T], kind: Any, **more: Any) -> Rows[T]:
        """Return the table of a dictionary."""
        return cls(name, lambda: list(rows.items()), rows.__setitem__, kind=kind, **more)

    def changes(self) -> Iterator[Change]:
        """Yield what has changed; see `Table`."""
        before, written = dict(self._written), {}
        changed: list[Change] = []
        for key, row in self._each():
            known = before.pop(key, None)
            stamp = self._stamp(row) if self._stamp else None
            if stamp is not None and stamp == known:
                written[key] = known
                continue
            data = encode(self._plain(row))
            written[key] = mark = hash(data) if stamp is None else stamp
            if mark != known or stamp is not None:
                changed.append((key, data))
        self._written = written  # not before all rows are encoded: one that cannot be is tried again
        yield from changed
        for key in before:
            yield key, None

    def shown(self) -> dict[str, Any]:
        """Return plain data; see `Table`."""
        return {key: msgspec.msgpack.decode(encode(self._plain(row))) for key, row in self._each()}

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take the rows; see `Table`."""
        for key, data in rows:
            self._put(key, self._decoder.decode(data))
            self._written[key] = hash(data)  # differs from a stamp: such rows are written once more


def encode(value: Any) -> bytes:
    """Return a value as MessagePack; dataclasses and structs by their fields."""
    return _ENCODER.encode(value)


def _other(value: Any) -> Any:
    if isinstance(value, deque):
        return list(value)
    raise NotImplementedError(f"a snapshot cannot hold {type(value).__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_other)
