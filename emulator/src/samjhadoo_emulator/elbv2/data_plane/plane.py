"""The data plane of all regions: what the services know, applied in one Envoy.

A listener's routes and a target group's endpoints are resources of their own, so that a change of weights
touches routes only (no connection is drained) and a registration endpoints only. A change returns once Envoy
says that it is in effect.
"""

from __future__ import annotations

import asyncio
import copy
import http.client
import logging
import time
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.certificates.store import CertificateStore
from samjhadoo_emulator.elbv2.data_plane.clusters import assignment, cluster, cluster_name
from samjhadoo_emulator.elbv2.data_plane.discovery import Discovery, Key
from samjhadoo_emulator.elbv2.data_plane.documents import CLUSTERS, ENDPOINTS, LISTENERS, ROUTES
from samjhadoo_emulator.elbv2.data_plane.listeners import listener, listener_name
from samjhadoo_emulator.elbv2.data_plane.process import EnvoyProcess
from samjhadoo_emulator.elbv2.data_plane.routes import route_configuration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.elbv2.data_plane.admin import Admin, HostStatus
    from samjhadoo_emulator.elbv2.data_plane.documents import Document
    from samjhadoo_emulator.elbv2.model import Listener, RegionState, TargetGroup
    from samjhadoo_emulator.service import Host

EFFECT_TIMEOUT = 15.0
HOSTS_AGE, HOSTS_OLDEST = 0.05, 0.5
"""Real seconds for which a reading of the endpoints is good, at least and at most."""
HOSTS_SHARE = 10
"""The age of a reading for which it is good, in times of how long reading takes."""
OPTION = "elbv2.data_plane"

log = logging.getLogger(__name__)

HostKey = tuple[str, str, int]


class DataPlane:
    """Envoy and its configuration, shared by the services of all regions.

    Args:
        host: The emulator's host: clock, data folder, environment of children.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._clock = host.clock
        self._folder = host.data_dir / "elbv2"
        self._environment = host.environment
        self._certificates = CertificateStore.of(host)
        self._states: list[RegionState] = []
        self._lock = asyncio.Lock()
        self._requested = 0
        self._applied = 0
        self._discovery = Discovery()
        self._rendered: dict[str, tuple[tuple[dict[str, Any], dict[str, str]], Document]] = {}
        self._assigned: dict[str, tuple[tuple[str, list[tuple[str, int, bool]]], Document]] = {}
        self._clusters: dict[str, Document] = {}
        self._routes: dict[str, Document] = {}
        self._reading = asyncio.Lock()
        self._hosts: tuple[float, dict[HostKey, HostStatus]] = (0.0, {})
        self._hosts_age = HOSTS_AGE
        self._changed_at = 0.0
        self._anew = False
        self.process: EnvoyProcess | None = None
        self.started = asyncio.Event()

    @classmethod
    def of(cls, host: Host) -> DataPlane:
        """Return the host's data plane."""
        plane: DataPlane = host.options.setdefault(OPTION, cls(host))
        return plane

    def attach(self, state: RegionState) -> None:
        """Serve a region's state."""
        self._certificates.on_change = self.sync
        self._states.append(state)

    async def detach(self, state: RegionState) -> None:
        """Serve a region's state no longer; the last one to go ends Envoy, and this."""
        self._states = [each for each in self._states if each is not state]
        if self._states:
            return
        self._host.options.pop(OPTION, None)
        if self.process:
            process, self.process = self.process, None
            await process.stop()

    async def sync(self) -> None:
        """Return once everything that was known at the call is in effect; many changes are made as one.

        Raises:
            EnvoyFailed: Envoy does not start.
        """
        self._requested += 1
        wanted = self._requested
        async with self._lock:
            if self._applied >= wanted:
                return
            applied = self._requested
            await self._apply()
            self._applied = applied

    @property
    def settled(self) -> bool:
        """Whether everything that is known is in effect."""
        return self._applied == self._requested

    def bound_ports(self) -> set[int]:
        """Return the ports that listeners of any region have been given."""
        return {listener.bound_port for state in self._states for listener in state.listeners()}

    async def is_refused(self, wanted: Listener) -> bool:
        """Return whether Envoy could not open a listener that is in the configuration it was given last."""
        if self.process is None:
            return False
        if not self._discovery.refuses(Key(LISTENERS)):
            return False
        try:
            opened = await self.process.admin.listeners()
        except (OSError, http.client.HTTPException):
            return False
        return opened.get(listener_name(wanted.arn)) != wanted.bound_port

    async def hosts(self, *, fresh: bool = False) -> dict[HostKey, HostStatus]:
        """Return the endpoints as Envoy sees them, by cluster, address and port.

        They are at most 50 ms old; older when reading them takes long, so that it stays a small part of
        all work. An endpoint that is not there yet has never been checked.
        """
        if self.process is None:
            return {}
        oldest = max(self._changed_at, time.monotonic() - (0.0 if fresh else self._hosts_age))
        if self._hosts[0] >= oldest:
            return self._hosts[1]
        async with self._reading:  # many ask at once: the first one reads for all
            if self._hosts[0] < oldest and self.process is not None:
                began = time.monotonic()
                hosts = await self._read_hosts(self.process.admin)
                self._hosts_age = max(HOSTS_AGE, min(HOSTS_SHARE * (time.monotonic() - began), HOSTS_OLDEST))
                self._hosts = (began, hosts)
            return self._hosts[1]

    def forget(self, host: HostKey) -> None:
        """Note that an endpoint is a new one, though one with its address may have been there before."""
        self._anew = self._anew or host in self._hosts[1]

    async def _read_hosts(self, admin: Admin) -> dict[HostKey, HostStatus]:
        try:
            return await admin.hosts()
        except (OSError, http.client.HTTPException):
            log.warning("Envoy's admin endpoint does not answer", exc_info=True)
            return {}

    # --- configuration

    async def _apply(self) -> None:
        clusters, endpoints = self._render_clusters()
        listeners, routes = self._render_listeners()
        if self.process is None and not listeners:
            return
        if self.process and self.process.given_up:
            process, self.process = self.process, None
            await process.stop()
        publish = self._discovery.publish
        # A cluster starts empty, so that it is in effect at once: with endpoints Envoy would first wait for
        # their health, and its routes would answer 503 meanwhile.
        for name in clusters.keys() - self._clusters.keys():
            publish(Key(ENDPOINTS, name), [{**endpoints[name], "endpoints": []}])
        # Clusters come before the routes that name them, and go after.
        awaited = {Key(CLUSTERS): publish(Key(CLUSTERS), {**self._clusters, **clusters}.values())}
        if self.process is None:
            await self._start()
        await self._in_effect(awaited)
        awaited = {Key(ROUTES, name): publish(Key(ROUTES, name), [routes[name]]) for name in routes}
        awaited[Key(LISTENERS)] = publish(Key(LISTENERS), listeners.values())
        for name, document in endpoints.items():
            awaited[Key(ENDPOINTS, name)] = publish(Key(ENDPOINTS, name), [document])
        await self._in_effect(awaited)
        await self._in_effect({Key(CLUSTERS): publish(Key(CLUSTERS), clusters.values())})
        for kind, kept, before in ((ENDPOINTS, clusters, self._clusters), (ROUTES, routes, self._routes)):
            for name in before.keys() - kept.keys():
                self._discovery.remove(Key(kind, name))
                self._rendered.pop(name, None)
                self._assigned.pop(name, None)
        if self._anew or any(clusters.get(name) != before for name, before in self._clusters.items()):
            self._anew, self._changed_at = False, time.monotonic()
        self._clusters, self._routes = clusters, routes

    def _render_clusters(self) -> tuple[dict[str, Document], dict[str, Document]]:
        clusters, endpoints = {}, {}
        for state in self._states:
            for arn in state.users():
                group = state.target_groups[arn]
                name = cluster_name(arn)
                clusters[name] = self._cluster(group)
                endpoints[name] = self._endpoints(group)
        return clusters, endpoints

    def _cluster(self, group: TargetGroup) -> Document:
        """Return a target group's cluster, rendered only when what it is made of has changed."""
        settings = (group.health, group.attributes)
        name = cluster_name(group.arn)
        known = self._rendered.get(name)
        if known is None or known[0] != settings:
            known = copy.deepcopy(settings), cluster(group, self._clock)
            self._rendered[name] = known
        return known[1]

    def _endpoints(self, group: TargetGroup) -> Document:
        """Return a target group's endpoints, rendered only when its targets have changed."""
        name, targets = cluster_name(group.arn), list(group.targets.values())
        seen = group.health["HealthCheckPort"], [(each.id, each.port, each.draining) for each in targets]
        known = self._assigned.get(name)
        if known is None or known[0] != seen:
            known = self._assigned[name] = seen, assignment(group, targets)
        return known[1]

    def _render_listeners(self) -> tuple[dict[str, Document], dict[str, Document]]:
        listeners, routes = {}, {}
        for state in self._states:
            for each in state.listeners():
                name = listener_name(each.arn)
                balancer = state.load_balancers[each.load_balancer]
                listeners[name] = listener(balancer, each, self._certificates.files)
                ports = {every.port: every.bound_port for every in balancer.listeners.values()}
                routes[name] = route_configuration(name, each, state.target_groups, ports)
        return listeners, routes

    async def _start(self) -> None:
        self._discovery.publish(Key(LISTENERS), [])
        process = EnvoyProcess(self._folder, self._environment, self._discovery)
        try:
            await process.start()
        except BaseException:
            await process.stop()
            raise
        self.process = process
        self.started.set()

    async def _in_effect(self, awaited: Mapping[Key, str | None]) -> None:
        """Wait until Envoy has applied the versions that were published; log it when it does not."""
        news = {key: version for key, version in awaited.items() if version is not None}
        missing = await self._discovery.settle(news, within=EFFECT_TIMEOUT) if news else []
        refused = [str(key) for key in missing if self._discovery.refuses(key)]
        late = [str(key) for key in missing if not self._discovery.refuses(key)]
        last_words = self.process.log_tail() if missing and self.process else ""
        if refused:
            log.error("Envoy refused its %s: %s", ", ".join(refused), last_words)
        if late:
            log.error("Envoy has not applied its %s: %s", ", ".join(late), last_words)
