"""The file of a snapshot: SQLite, written in transactions, so that what is in it is of one moment.

The journal is a write-ahead log that is synced at checkpoints only: killing the emulator loses nothing,
a power failure may lose the last seconds, and neither leaves half of a change.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAME = "snapshot.sqlite3"
APPLICATION = 0x53414D4A
"""Marks SQLite files that are snapshots of this emulator."""
FORMAT = 1
"""Grows when a snapshot of an older emulator cannot be read any more."""
_SCHEMA = """
CREATE TABLE head (content BLOB NOT NULL);
CREATE TABLE rows (place TEXT, key TEXT, content BLOB NOT NULL, crc INTEGER NOT NULL,
                   PRIMARY KEY (place, key)) WITHOUT ROWID;
CREATE TABLE requests (number INTEGER PRIMARY KEY, content BLOB NOT NULL, crc INTEGER NOT NULL);
"""


class SnapshotError(Exception):
    """A snapshot cannot be used; the text names the file and says why."""


class Head(msgspec.Struct, frozen=True):
    """What all of a snapshot is about.

    Attributes:
        account: The account id.
        region: The region of requests that name none.
        minute: Real seconds in an emulated minute.
        origin: Unix time at which the clocks agreed.
        offset: Real seconds by which jumps have put the emulated clock forward.

    """

    account: str
    region: str
    minute: float
    origin: float
    offset: float = 0.0


class Batch(NamedTuple):
    """What is written at once: the head if it changed, rows as (place, key, content or None), requests."""

    head: Head | None
    rows: list[tuple[str, str, bytes | None]]
    requests: list[bytes]

    def __bool__(self) -> bool:
        return bool(self.head or self.rows or self.requests)


class SnapshotFile:
    """A snapshot on disk, opened for one emulator alone.

    Args:
        path: The file; it is made, readable by its owner only, if there is none.

    Raises:
        SnapshotError: It is something else, of another format, damaged, or in use. It is not changed then.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._open()
            self.head = self._head()
        except (sqlite3.Error, msgspec.DecodeError) as error:
            busy = "locked" in str(error)
            self.close()
            raise self.refused("another emulator uses it" if busy else f"it is damaged ({error})") from error
        except SnapshotError:
            self.close()
            raise

    def refused(self, why: str) -> SnapshotError:
        """Return the error that says why the snapshot cannot be used."""
        return SnapshotError(f"The snapshot {self.path} cannot be used: {why}.")

    def rows(self) -> dict[str, list[tuple[str, bytes]]]:
        """Return every row by its place, ordered by key.

        Raises:
            SnapshotError: A row is damaged.

        """
        found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for place, key, content in self._checked("SELECT place, key, content, crc FROM rows ORDER BY 1, 2"):
            found[place].append((key, content))
        return found

    def requests(self) -> Iterator[bytes]:
        """Yield the requests that were recorded, oldest first.

        Raises:
            SnapshotError: One is damaged.

        """
        for _, content in self._checked("SELECT number, content, crc FROM requests ORDER BY number"):
            yield content

    def write(self, batch: Batch) -> None:
        """Write a batch: all of it or nothing."""
        gone = [(place, key) for place, key, content in batch.rows if content is None]
        kept = [(place, key, each, zlib.crc32(each)) for place, key, each in batch.rows if each is not None]
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if batch.head:
                self._database.execute("DELETE FROM head")
                self._database.execute("INSERT INTO head VALUES (?)", [msgspec.msgpack.encode(batch.head)])
                self.head = batch.head
            self._database.executemany("DELETE FROM rows WHERE place = ? AND key = ?", gone)
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", kept)
            self._database.executemany(
                "INSERT INTO requests (content, crc) VALUES (?, ?)",
                [(each, zlib.crc32(each)) for each in batch.requests],
            )

    def close(self) -> None:
        """Close the file; nothing is written any more."""
        self._database.close()

    def _open(self) -> None:
        # Exclusive, so that two emulators never write one file; the kernel ends the lock with the process.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        application, version, schema = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "schema_version")
        )
        if application == 0 and version == 0 and schema == 0:
            self._create()
        elif application != APPLICATION:
            raise self.refused("it is not a snapshot of this emulator")
        elif version != FORMAT:
            raise self.refused(f"its format is {version}, and this emulator reads {FORMAT}")
        elif (verdict := self._database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise self.refused(f"it is damaged ({verdict})")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("BEGIN EXCLUSIVE")
        self._database.execute("COMMIT")

    def _create(self) -> None:
        # In one transaction: a file whose creation was interrupted is an empty one.
        marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};"
        self._database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} {marks} COMMIT;")

    def _head(self) -> Head | None:
        row = self._database.execute("SELECT content FROM head").fetchone()
        return msgspec.msgpack.decode(row[0], type=Head) if row else None

    def _checked(self, query: str) -> Iterator[tuple[Any, ...]]:
        try:
            for *names, content, crc in self._database.execute(query):
                if zlib.crc32(content) != crc:
                    raise self.refused(f"the row {'/'.join(map(str, names))} is damaged")
                yield (*names, content)
        except (sqlite3.Error, TypeError) as error:
            raise self.refused(f"it is damaged ({error})") from error


def merged(batches: Iterable[Batch]) -> Batch:
    """Return several batches as one, the later ones counting."""
    head, rows, requests = None, {}, []
    for batch in batches:
        head = batch.head or head
        rows.update({(place, key): content for place, key, content in batch.rows})
        requests += batch.requests
    return Batch(head, [(place, key, content) for (place, key), content in rows.items()], requests)
