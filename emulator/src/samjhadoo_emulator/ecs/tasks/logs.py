"""The `awslogs` driver: a container's lines become events of CloudWatch Logs.

Lines are collected for a fifth of a second and sent in order, in batches within CloudWatch's limits. The
driver never holds a container up (AWS's default, mode `non-blocking`): while the service cannot keep up,
lines wait in a buffer of `max-buffer-size`, and when that is full, new ones are dropped and counted. With
mode `blocking` none is dropped: all wait, though the container is not held up as it would be on AWS.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.internal import in_region

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_emulator.service import AwsApi

_DATES = {
    "%A": r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day",
    "%a": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%B": r"(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%b": r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%d": r"[0-9]{2}",
    "%f": r"[0-9]{6}",
    "%H": r"[0-9]{2}",
    "%I": r"[0-9]{2}",
    "%j": r"[0-9]{3}",
    "%L": r"\.[0-9]{3}",
    "%M": r"[0-9]{2}",
    "%m": r"[0-9]{2}",
    "%p": r"[A-Z]{2}",
    "%S": r"[0-9]{2}",
    "%U": r"[0-9]{2}",
    "%w": r"[0-6]",
    "%Y": r"[0-9]{4}",
    "%y": r"[0-9]{2}",
    "%Z": r"[A-Z]{1,4}T",
    "%z": r"[+-][0-9]{4}",
    "%%": "%",
}

MOST_BYTES = 262_144 - 26
"""Bytes of an event of CloudWatch Logs; the driver sends one that is full, whatever comes next."""


class BadPatternError(ValueError):
    """The options make no valid pattern; the text describes what is wrong with them."""


class Assembler:
    """Makes events of lines.

    Args:
        pattern: What begins an event.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._lines: list[str] = []
        self._size = 0

    @property
    def waiting(self) -> bool:
        """Whether lines wait for more of their event."""
        return bool(self._lines)

    def take(self, line: str) -> str:
        """Take a line; return the event that it ends, empty if none."""
        size = len(line.encode()) + 1
        ends = self._size + size > MOST_BYTES or self._pattern.search(line)
        event = self.rest() if ends else ""
        self._lines.append(line)
        self._size += size
        return event

    def rest(self) -> str:
        """Return the event so far, and start the next one."""
        event = "\n".join(self._lines)
        self._lines, self._size = [], 0
        return event


def assembler(options: dict[str, str]) -> Assembler | None:
    """Return what joins lines for a container's log options; None if every line is an event.

    Raises:
        BadPatternError: Both options are given, or the pattern is not valid.
    """
    pattern, dates = options.get("awslogs-multiline-pattern"), options.get("awslogs-datetime-format")
    if pattern and dates:
        raise BadPatternError(
            "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the "
            "same time"
        )
    if dates:
        pieces = re.split(r"(%.)", dates)
        pattern = "".join(_DATES.get(piece, re.escape(piece)) for piece in pieces)
    if not pattern:
        return None
    try:
        return Assembler(re.compile(pattern))
    except re.error as error:
        raise BadPatternError(
            f"awslogs could not parse multiline pattern key {pattern!r}: error parsing regexp: {error}"
        ) from error


log = logging.getLogger(__name__)

COLLECT_SECONDS = 0.2
MULTILINE_SECONDS = 1.0
CLOSE_SECONDS = 5.0
RETRY_FIRST, RETRY_LAST = 0.2, 5.0
EVENT_OVERHEAD = 26
EVENT_BYTES = 262_144 - EVENT_OVERHEAD
BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
BUFFER_BYTES = 10 << 20
_SIZE = re.compile(r"(\d+)\s*([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_INVALID = "ResourceInitializationError: failed to validate logger args: "
_REFUSED = f"{_INVALID}create stream has been retried 1 times: failed to create Cloudwatch log stream: "


class CannotLogError(Exception):
    """The log stream cannot be created; the text is the task's stopped reason, as on AWS."""


class Event(NamedTuple):
    """A line with its time (wall clock, milliseconds) and what it counts in a batch."""

    timestamp: int
    message: str
    size: int


class LogStream:
    """A stream of CloudWatch Logs that a container writes to.

    Args:
        options: The options of the container's `logConfiguration`.
        container: The container's name.
    """

    def __init__(self, aws: AwsApi, options: dict[str, str], *, container: str, task_id: str) -> None:
        self._aws = in_region(aws, options.get("awslogs-region", ""))
        self._options = options
        self._assembler: Assembler | None = None
        self.group = options.get("awslogs-group", "")
        prefix = options.get("awslogs-stream-prefix")
        self.stream = f"{prefix}/{container}/{task_id}" if prefix else task_id
        self._create_group = options.get("awslogs-create-group", "false").lower() == "true"
        self._blocking = options.get("mode") == "blocking"
        self._limit = _bytes(options.get("max-buffer-size", "")) or BUFFER_BYTES
        self._waiting: deque[Event] = deque()
        self._size = 0
        self._unsent = 0
        self._latest = 0
        self._closing = False
        self._arrived = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self.dropped = 0

    async def open(self) -> None:
        """Make the stream, and the group if the options say so.

        Raises:
            CannotLogError: The group does not exist, the service refused, or the options are wrong.
        """
        try:
            self._assembler = assembler(self._options)
        except BadPatternError as error:
            raise CannotLogError(f"{_INVALID}{error} : exit status 1") from error
        try:
            if self._create_group:
                await self._make("CreateLogGroup", logGroupName=self.group)
            await self._make("CreateLogStream", logGroupName=self.group, logStreamName=self.stream)
        except AwsError as error:
            raise CannotLogError(f"{_REFUSED}{error.code}: {error.message} : exit status 1") from error
        self._sender = asyncio.get_running_loop().create_task(self._send(), name=f"logs {self.stream}")

    def put(self, line: bytes) -> None:
        """Take a line; empty lines are not sent."""
        text = line.decode(errors="replace")
        if self._assembler is not None:
            text = self._assembler.take(text)
            self._arrived.set()
        self._put_whole(text)

    async def close(self) -> None:
        """Send what is left; give up after a few seconds."""
        if self._sender is None:
            return
        self._closing = True
        self._put_rest()
        self._arrived.set()
        _, late = await asyncio.wait({self._sender}, timeout=CLOSE_SECONDS)
        for sender in late:
            sender.cancel()
            await asyncio.wait(late)
        lost = self.dropped + self._unsent
        if lost:
            log.warning("%d lines of %s were not accepted by CloudWatch Logs", lost, self.stream)

    def abandon(self) -> None:
        """Stop sending at once; for when the emulator ends."""
        if self._sender is not None:
            self._sender.cancel()

    def _put_rest(self) -> None:
        if self._assembler is not None:
            self._put_whole(self._assembler.rest())

    def _put_whole(self, text: str) -> None:
        # A character takes four bytes at most.
        whole = len(text) * 4 <= EVENT_BYTES or len(text.encode()) <= EVENT_BYTES
        for message in (text,) if whole else _cut(text):
            if message:
                self._put(message)

    def _put(self, message: str) -> None:
        size = len(message.encode()) + EVENT_OVERHEAD
        if self._size + size > self._limit and not self._blocking:
            self.dropped += 1
            return
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        self._waiting.append(Event(self._latest, message, size))
        self._size += size
        self._unsent += 1
        self._arrived.set()

    async def _send(self) -> None:
        while not self._closing or self._waiting:
            await self._something()
            if not self._closing:
                await asyncio.sleep(COLLECT_SECONDS)
            self._arrived.clear()
            while batch := self._batch():
                await self._deliver(batch)

    async def _something(self) -> None:
        """Wait for lines; end an event to whose lines nothing was added for a while."""
        waiting = self._assembler is not None and self._assembler.waiting
        try:
            async with asyncio.timeout(MULTILINE_SECONDS if waiting else None):
                await self._arrived.wait()
        except TimeoutError:
            self._put_rest()

    def _batch(self) -> list[Event]:
        batch: list[Event] = []
        size = 0
        while self._waiting and len(batch) < BATCH_EVENTS and size + self._waiting[0].size <= BATCH_BYTES:
            event = self._waiting.popleft()
            batch.append(event)
            size += event.size
        return batch

    async def _deliver(self, batch: list[Event]) -> None:
        events = [{"timestamp": event.timestamp, "message": event.message} for event in batch]
        pause = RETRY_FIRST
        while True:
            try:
                await self._aws.call(
                    "logs",
                    "PutLogEvents",
                    logGroupName=self.group,
                    logStreamName=self.stream,
                    logEvents=events,
                )
            except Exception as error:  # noqa: BLE001 - a dead service may raise anything
                log.debug("CloudWatch Logs did not accept %d lines of %s: %s", len(batch), self.stream, error)
                if isinstance(error, AwsError) and error.code == "ResourceNotFoundException":
                    self.dropped += len(batch)
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST)
            else:
                break
        self._size -= sum(event.size for event in batch)
        self._unsent -= len(batch)

    async def _make(self, operation: str, **params: Any) -> None:
        try:
            await self._aws.call("logs", operation, **params)
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise


def log_stream(aws: AwsApi, definition: dict[str, Any], *, task_id: str) -> LogStream | None:
    """Return the stream a container definition asks for; None if its log driver is another one."""
    configuration = definition.get("logConfiguration") or {}
    if configuration.get("logDriver") != "awslogs":
        return None
    return LogStream(aws, configuration.get("options") or {}, container=definition["name"], task_id=task_id)


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2].lower()] if match else 0


def _cut(text: str) -> list[str]:
    most = EVENT_BYTES // 4  # characters, of four bytes at worst
    return [text[start : start + most] for start in range(0, len(text), most)]


LIMIT = 1 << 20


class Transcript:
    """A file of at most 1 MiB, and the one before it under the name `<name>.1`.

    Args:
        path: Where the lines go; created with its folders at the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._size = 0

    def put(self, line: bytes) -> None:
        if self._file is None or self._size > LIMIT:
            self._file = self._next()
            self._size = 0
        self._file.write(line + b"\n")
        self._size += len(line) + 1

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _next(self) -> IO[bytes]:
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        return self.path.open("wb", buffering=0)
