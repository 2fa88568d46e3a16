"""Envoy's admin endpoint, over a socket of the file system: readiness, versions in effect, hosts' health."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from samjhadoo_ops.emulator.elbv2.data_plane.traffic import FILTER, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from samjhadoo_ops.emulator.elbv2.data_plane.traffic import Reading

TIMEOUT = 5.0
MOST_NAMED = 20
"""Subscriptions that are asked for by name; for more than these all are read."""

_VERSION = re.compile(r'^(?P<subscription>.+)\.version_text: "(?P<version>.*)"$', re.MULTILINE)
_REJECTED = re.compile(r"^(?P<subscription>.+)\.update_rejected: (?P<count>\d+)$", re.MULTILINE)


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


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Admin:
    """Asks Envoy one question at a time, on one connection.

    Every method raises OSError or http.client.HTTPException when Envoy does not answer.
    """

    def __init__(self, path: Path) -> None:
        self._connection = _Connection(path)
        self._lock = asyncio.Lock()

    async def ready(self) -> bool:
        """Tell whether Envoy has loaded its first configuration."""
        return (await self._get("/ready")).strip() == "LIVE"

    async def versions(self, subscriptions: Collection[str]) -> dict[str, str]:
        """Return the version in effect of each subscription (`http.<listener>.rds.<listener>`)."""
        names = "|".join(map(re.escape, subscriptions)) if len(subscriptions) <= MOST_NAMED else ".*"
        text = await self._get(f"/stats?filter={quote(f'^({names}).version_text$')}")
        return {match["subscription"]: match["version"] for match in _VERSION.finditer(text)}

    async def rejections(self) -> dict[str, int]:
        """Return how often each subscription refused a configuration."""
        text = await self._get(f"/stats?filter={quote('update_rejected$')}&usedonly")
        return {match["subscription"]: int(match["count"]) for match in _REJECTED.finditer(text)}

    async def listeners(self) -> dict[str, int]:
        """Return the port of each listener that is open, by its name."""
        document = json.loads(await self._get("/listeners?format=json"))
        return {
            each["name"]: int(each["local_address"]["socket_address"]["port_value"])
            for each in document.get("listener_statuses", [])
        }

    async def traffic(self) -> Reading:
        """Return what the listeners have counted since Envoy started."""
        # A question has the histograms merged, but is answered before they are: so it is asked twice.
        await self._get("/stats?filter=^server.live$")
        query = f"usedonly&format=json&histogram_buckets=detailed&filter={quote(FILTER)}"
        return parse(await self._get(f"/stats?{query}"))

    async def hosts(self) -> dict[tuple[str, str, int], HostStatus]:
        """Return every endpoint by cluster, address and port."""
        document = json.loads(await self._get("/clusters?format=json"))
        return dict(_hosts(document.get("cluster_statuses", [])))

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:
            self._connection.close()

    async def _get(self, path: str) -> str:
        async with self._lock:
            return await asyncio.to_thread(self._get_now, path)

    def _get_now(self, path: str) -> str:
        try:
            self._connection.request("GET", path)
            return self._connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise


def _hosts(clusters: list[dict[str, Any]]) -> Iterable[tuple[tuple[str, str, int], HostStatus]]:
    for cluster in clusters:
        for host in cluster.get("host_statuses", []):
            address = host["address"]["socket_address"]
            health = host.get("health_status", {})
            active = next(
                (stat.get("value", "0") for stat in host["stats"] if stat["name"] == "rq_active"), "0"
            )
            yield (
                (cluster["name"], address["address"], int(address["port_value"])),
                HostStatus(
                    pending=health.get("pending_active_hc", False),
                    failed=health.get("failed_active_health_check", False),
                    timed_out=health.get("active_hc_timeout", False),
                    active=int(active),
                ),
            )
