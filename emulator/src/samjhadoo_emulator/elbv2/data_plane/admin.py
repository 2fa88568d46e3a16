"""Envoy's admin endpoint, on a socket of the file system: readiness, listeners, traffic, hosts' health."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from samjhadoo_emulator.elbv2.data_plane.documents import DISCOVERY
from samjhadoo_emulator.elbv2.data_plane.traffic import FILTER, parse

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_emulator.elbv2.data_plane.traffic import TrafficCounts

TIMEOUT = 5.0
LONGEST_LINE = 2**20

_ACTIVE, _FLAGS = "::rq_active::", "::health_flags::"


@dataclass(frozen=True)
class HostStatus:
    """What Envoy knows of one endpoint.

    Attributes:
        pending: Its first health check has not been answered.
        failed: It counts as unhealthy.
        timed_out: Its last health check was not answered in time.
        active: Requests in flight.
    """

    pending: bool
    failed: bool
    timed_out: bool
    active: int


class Admin:
    """Sends Envoy one request at a time, on one connection.

    Every method raises OSError or http.client.HTTPException when Envoy does not answer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._lock = asyncio.Lock()

    async def ready(self) -> bool:
        """Return whether Envoy has loaded its first configuration."""
        return (await self._get("/ready")).strip() == "LIVE"

    async def listeners(self) -> dict[str, int]:
        """Return the port of each listener that is open, by its name."""
        document = json.loads(await self._get("/listeners?format=json"))
        return {
            each["name"]: int(each["local_address"]["socket_address"]["port_value"])
            for each in document.get("listener_statuses", [])
        }

    async def traffic(self) -> TrafficCounts:
        """Return what the listeners have counted since Envoy started."""
        # A request has the histograms merged, but is answered before they are: so it is sent twice.
        await self._get("/stats?filter=^server.live$")
        query = f"usedonly&format=json&histogram_buckets=detailed&filter={quote(FILTER)}"
        return parse(await self._get(f"/stats?{query}"))

    async def hosts(self) -> dict[tuple[str, str, int], HostStatus]:
        """Return every endpoint by cluster, address and port."""
        # As text: Envoy takes a tenth of the time that it takes for JSON.
        return hosts_of(await self._get("/clusters"))

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:
            self._disconnect()

    async def _get(self, path: str) -> str:
        async with self._lock:
            try:
                async with asyncio.timeout(TIMEOUT):
                    return (await self._ask(path)).decode()
            except BaseException as error:
                self._disconnect()
                if isinstance(error, (EOFError, ValueError, IndexError)):
                    raise http.client.BadStatusLine(str(error)) from error
                raise

    async def _ask(self, path: str) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(str(self._path), limit=LONGEST_LINE)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nhost: envoy\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" not in head:
            return await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        return b"".join(parts)

    def _disconnect(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


def hosts_of(text: str) -> dict[tuple[str, str, int], HostStatus]:
    """Return the endpoints in Envoy's text about its clusters (`<cluster>::<address>::<name>::<value>`)."""
    active, hosts = "0", {}
    for line in text.splitlines():
        if _ACTIVE in line:  # the endpoint's line before its flags
            active = line.rpartition("::")[2]
        elif _FLAGS in line:
            cluster, _, rest = line.partition("::")
            if cluster == DISCOVERY:
                continue
            endpoint, _, value = rest.rpartition(_FLAGS)
            address, _, port = endpoint.rpartition(":")
            flags = value.split("/")
            hosts[cluster, address.strip("[]"), int(port)] = HostStatus(
                pending="pending_active_hc" in flags,
                failed="failed_active_hc" in flags,
                timed_out="active_hc_timeout" in flags,
                active=int(active),
            )
    return hosts
