"""Publishes the load balancers' metrics once in an emulated minute, as far as real time allows."""

from __future__ import annotations

import asyncio
import http.client
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2 import traffic_metrics
from samjhadoo_emulator.elbv2.data_plane.clusters import cluster_name
from samjhadoo_emulator.elbv2.data_plane.traffic import TrafficCounts
from samjhadoo_emulator.elbv2.health import decide
from samjhadoo_emulator.elbv2.targets import Targets
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.elbv2.data_plane.admin import HostStatus
    from samjhadoo_emulator.elbv2.data_plane.plane import HostKey
    from samjhadoo_emulator.elbv2.model import TargetGroup
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)

MINUTE = 60
SHORTEST_PAUSE = 0.2
"""Real seconds between two readings at least, however fast the emulated clock runs."""
IDLE_PAUSE = 0.5
"""Real seconds between two readings while nothing passes."""
BUSY = 2.0
"""Real seconds after the last request for which readings stay frequent."""
MARGIN = 1.0
"""Emulated seconds after the end of a minute, so that a timer that is early is not in the minute before."""
MOST_MINUTES = 60
"""Minutes without a reading for which host counts are filled in."""
MOST_DATA = 1000


class Publishing(Targets):
    """Metrics of a region's load balancers."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._before = TrafficCounts()
        self._published = 0
        self._busy_until = 0.0

    async def start(self) -> None:
        await super().start()
        self.spawn(self._publish(), name=f"elbv2-metrics-{self.region}")

    async def _publish(self) -> None:
        while True:
            await self.plane.started.wait()
            await asyncio.sleep(self._pause())
            try:
                await self._read_and_put()
            except (OSError, http.client.HTTPException):
                log.debug("Envoy's statistics cannot be read", exc_info=True)
            except AwsError as error:
                log.warning("metrics are lost: %s", error.message)
            except Exception:
                log.exception("metrics are lost")

    def _pause(self) -> float:
        """Return real seconds until the next reading: shortly after the end of an emulated minute."""
        floor = SHORTEST_PAUSE if time.monotonic() < self._busy_until else IDLE_PAUSE
        now = self.clock.timestamp()
        # Half a minute of grace: a reading that was late does not put the next one off for a minute.
        earliest = now + max(MINUTE / 2, floor * self.clock.rate - MINUTE / 2)
        boundary = -(-earliest // MINUTE) * MINUTE
        return self.clock.real(boundary + MARGIN - now)

    async def _read_and_put(self) -> None:
        process = self.plane.process
        if process is None or not self.state.load_balancers:
            return
        reading = await process.admin.traffic()
        added, self._before = reading.since(self._before), reading
        if added.requests:
            self._busy_until = time.monotonic() + BUSY
        counting = traffic_metrics.traffic(added, self.state)
        view = await self.plane.hosts()
        for group, balancers in list(self.state.users().items()):
            self._count_hosts(counting, self.state.target_groups[group], balancers, view)
        await self._put(list(counting.data()))

    def _count_hosts(
        self,
        counting: traffic_metrics.Counting,
        group: TargetGroup,
        balancers: set[str],
        view: dict[HostKey, HostStatus],
    ) -> None:
        now = self.clock.timestamp()
        states = []
        for target in group.targets.values():
            if not target.draining:
                host = view.get((cluster_name(group.arn), target.address, target.port))
                health = decide(group, target, host, in_use=True, now=now)
                states.append(health.state if health else "unhealthy")
        if states:
            for balancer in balancers:
                traffic_metrics.hosts(
                    counting,
                    balancer,
                    group.arn,
                    healthy=states.count("healthy"),
                    unhealthy=states.count("unhealthy"),
                )

    async def _put(self, data: list[dict[str, Any]]) -> None:
        """Put data at the minute that has ended; host counts at every minute since the last time, too."""
        last = int(self.clock.timestamp() // MINUTE) * MINUTE - MINUTE
        since = max(self._published + MINUTE, last - MOST_MINUTES * MINUTE) if self._published else last
        self._published = last
        dated = [{**datum, "Timestamp": datetime.fromtimestamp(last, UTC)} for datum in data]
        for minute in range(since, last, MINUTE):
            at = datetime.fromtimestamp(minute, UTC)
            dated += [{**datum, "Timestamp": at} for datum in data if "HostCount" in datum["MetricName"]]
        for start in range(0, len(dated), MOST_DATA):
            await self.aws.call(
                "cloudwatch",
                "PutMetricData",
                Namespace=traffic_metrics.NAMESPACE,
                MetricData=dated[start : start + MOST_DATA],
            )
