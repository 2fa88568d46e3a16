"""Keeps an emulator's state in its snapshot, and brings it back.

A change is written before the call that made it is answered, and what changes by itself (tasks, health,
alarms) soon after. All services are collected between two awaits, so that a snapshot is of one moment.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_emulator.snapshots import upstream
from samjhadoo_emulator.snapshots.file import Batch, Head, merged
from samjhadoo_emulator.snapshots.tables import encode

if TYPE_CHECKING:
    import argparse

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from samjhadoo_emulator.edge import Edge
    from samjhadoo_emulator.service import LiveService
    from samjhadoo_emulator.snapshots.file import SnapshotFile
    from samjhadoo_emulator.snapshots.tables import Table

log = logging.getLogger(__name__)

PAUSE = 0.1
"""Real seconds between two looks for what changes by itself, at least."""
LONGEST_PAUSE = 0.5
REVEALING = frozenset({"DescribeServiceDeployments"})
"""Reads whose answers clients act on: a hook that one of them has seen is there after a restart."""
SHARE = 0.02
"""The most of a core that those looks may take: with much state they become rarer."""


class Keeper:
    """Writes what changes, and loads it at the start.

    Args:
        file: The snapshot.
        head: What this emulator was started with.
        application: The upstream.

    """

    def __init__(self, file: SnapshotFile, head: Head, application: ASGIApp) -> None:
        self._file = file
        self._head = head
        self._upstream = application
        self._edge: Edge | None = None
        self._tables: dict[tuple[str, str], list[Table]] = {}
        self._requests: list[bytes] = []
        self._unwritten = Batch(None, [], [])
        self._requested = 0
        self._written = 0
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "snapshot")
        self._looking: asyncio.Task[None] | None = None

    # --- at the start and the end

    async def restore(self, edge: Edge) -> None:
        """Bring back what the snapshot holds, and keep it from now on.

        Raises:
            SnapshotError: It is damaged.

        """
        upstream.draw_repeatably()
        for content in self._file.requests():
            await self._replay(edge, content)
        rows = self._file.rows()
        regions = {(name, region) for name, region, _ in (place.split("/") for place in rows)}
        services = [
            await edge.service(name, region)
            for name in edge.order
            for region in sorted(region for each, region in regions if each == name)
        ]
        for service in services:
            self._load(service, rows)
        for service in services:
            await service.resume()
        self._edge = edge
        await self.save()
        self._looking = asyncio.get_running_loop().create_task(self._look(), name="snapshot")

    async def close(self) -> None:
        """Write what is not written yet; afterwards nothing is, whatever services do while they end."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            await self.save()
            self._edge = None
        self._thread.shutdown()
        self._file.close()

    # --- requests

    def durable(self, application: ASGIApp, operation: str, scope: Scope) -> ASGIApp:
        """Return an application that does not answer before what it has changed is written.

        Args:
            application: Serves the request.
            operation: The operation; empty where it is not known.
            scope: The request.

        """
        if upstream.reads(operation, scope["method"]) and operation not in REVEALING:
            return application

        async def perform(scope: Scope, receive: Receive, send: Send) -> None:
            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await self.save()
                await send(message)

            await application(scope, receive, sending)

        return perform

    def recorded(self, application: ASGIApp, operation: str, scope: Scope) -> ASGIApp:
        """Return the upstream's application for a request, which is recorded if it may change something."""
        if upstream.reads(operation, scope["method"]) or upstream.passes(operation, scope["path"]):
            return application
        return upstream.recording(
            application, operation, lambda request: self._requests.append(encode(request))
        )

    async def save(self) -> None:
        """Return once everything that was known at the call is written; many calls share one transaction."""
        self._requested += 1
        wanted = self._requested
        async with self._lock:
            if self._written >= wanted or self._edge is None:
                return
            written = self._requested
            self._collect(self._edge)
            if self._unwritten:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._thread, self._file.write, self._unwritten)
                self._unwritten = Batch(None, [], [])
            self._written = written

    # --- inside

    def _collect(self, edge: Edge) -> None:
        """Add what has changed since the last time to what is to be written."""
        head = msgspec.structs.replace(self._head, offset=edge.host.jumps.offset)
        requests, self._requests = self._requests, []
        rows: list[tuple[str, str, bytes | None]] = []
        try:
            for (name, region), service in list(edge.live.items()):
                for table in self._tables_of(service):
                    place = f"{name}/{region}/{table.name}"
                    rows += [(place, key, content) for key, content in table.changes()]
        finally:  # a table that cannot be encoded takes nothing away from the others
            changes = Batch(head if head != self._file.head else None, rows, requests)
            self._unwritten = merged([self._unwritten, changes])

    def _tables_of(self, service: LiveService) -> list[Table]:
        key = (service.name, service.region)
        if key not in self._tables:
            self._tables[key] = list(service.tables())
        return self._tables[key]

    def _load(self, service: LiveService, rows: dict[str, list[tuple[str, bytes]]]) -> None:
        for table in self._tables_of(service):
            place = f"{service.name}/{service.region}/{table.name}"
            try:
                table.load(rows.get(place, []))
            except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
                raise self._file.refused(f"{place} is damaged ({error})") from error

    async def _replay(self, edge: Edge, content: bytes) -> None:
        try:
            request = msgspec.msgpack.decode(content, type=upstream.Recorded)
        except msgspec.DecodeError as error:
            raise self._file.refused(f"a recorded request is damaged ({error})") from error
        edge.host.passed_on.add(request.operation)
        await upstream.replay(self._upstream, request)

    async def _look(self) -> None:
        """Write what changes by itself."""
        pause = PAUSE
        while True:
            await asyncio.sleep(pause)
            began = time.process_time()
            try:
                await self.save()
            except Exception:
                log.exception("the snapshot %s was not written", self._file.path)
            pause = max(PAUSE, min(LONGEST_PAUSE, (time.process_time() - began) / SHARE))


def continued(file: SnapshotFile, options: argparse.Namespace) -> Head:
    """Return the head of the snapshot to go on with: its clock runs on with the wall clock.

    Args:
        file: The snapshot.
        options: The command line; an origin given there counts.

    Raises:
        SnapshotError: The snapshot is of an emulator with other settings.

    """
    now, before = options.origin or time.time(), file.head
    if before is None:
        return Head(options.account, options.region, options.minute, now)
    for name in ("account", "region", "minute"):
        was, wanted = getattr(before, name), getattr(options, name)
        if was != wanted:
            raise file.refused(f"it was made with --{name} {was}, not {wanted}")
    return msgspec.structs.replace(before, origin=options.origin or before.origin)
