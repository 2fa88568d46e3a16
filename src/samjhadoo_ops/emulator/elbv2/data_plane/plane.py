"""The data plane of all regions: what the services know, in effect in one Envoy.

Envoy reads files that are replaced by renaming. A listener has a file of routes and a target group a file
of endpoints, so that a change of weights touches routes only (no connection is drained) and a registration
endpoints only. A change returns once Envoy says that it is in effect.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from samjhadoo_ops.emulator.elbv2.data_plane.clusters import assignment, cluster, cluster_name
from samjhadoo_ops.emulator.elbv2.data_plane.documents import Document, encode
from samjhadoo_ops.emulator.elbv2.data_plane.listeners import listener, listener_name
from samjhadoo_ops.emulator.elbv2.data_plane.process import EnvoyProcess
from samjhadoo_ops.emulator.elbv2.data_plane.routes import route_configuration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from samjhadoo_ops.emulator.elbv2.data_plane.admin import Admin, HostStatus, Updates
    from samjhadoo_ops.emulator.elbv2.model import Listener, State
    from samjhadoo_ops.emulator.service import Host

EFFECT_TIMEOUT = 15.0
POLL = 0.001
HOSTS_AGE = 0.05
OPTION = "elbv2.data_plane"

CDS = "cluster_manager.cds"
LDS = "listener_manager.lds"

log = logging.getLogger(__name__)

HostKey = tuple[str, str, int]


class Written(NamedTuple):
    """What a file holds."""

    version: str
    documents: list[Document]


class DataPlane:
    """Envoy and its files, shared by the services of all regions.

    Args:
        host: The emulator's host: clock, data folder, environment of children.

    """

    def __init__(self, host: Host) -> None:
        self._clock = host.clock
        self._folder = host.data_dir / "elbv2"
        self._environment = host.environment
        self._states: list[State] = []
        self._lock = asyncio.Lock()
        self._requested = 0
        self._applied = 0
        self._written: dict[Path, Written] = {}
        self._clusters: dict[str, Document] = {}
        self._routes: dict[str, Document] = {}
        self._refused: dict[str, int] = {}
        self._reading = asyncio.Lock()
        self._hosts: tuple[float, dict[HostKey, HostStatus]] = (0.0, {})
        self._changed_at = 0.0
        self.process: EnvoyProcess | None = None
        self.started = asyncio.Event()

    @classmethod
    def of(cls, host: Host) -> DataPlane:
        """Return the host's data plane."""
        plane: DataPlane = host.options.setdefault(OPTION, cls(host))
        return plane

    def attach(self, state: State) -> None:
        """Serve a region's state."""
        self._states.append(state)

    async def detach(self, state: State) -> None:
        """Serve a region's state no longer; the last one to go ends Envoy."""
        self._states = [each for each in self._states if each is not state]
        if not self._states and self.process:
            process, self.process = self.process, None
            await process.stop()

    async def sync(self) -> None:
        """Return once everything that was known at the call is in effect; many changes are written as one.

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

    def bound_ports(self) -> set[int]:
        """Return the ports that listeners of any region have been given."""
        return {listener.bound_port for state in self._states for listener in state.listeners()}

    async def is_refused(self, wanted: Listener) -> bool:
        """Tell whether Envoy could not open a listener that is in the configuration it was given last."""
        if self.process is None:
            return False
        try:
            updates = await self.process.admin.updates()
            written = self._written.get(self._path("", "listeners"))
            if written and updates.versions.get(LDS) == written.version:
                return False
            opened = await self.process.admin.listeners()
        except (OSError, http.client.HTTPException):
            return False
        return opened.get(listener_name(wanted.arn)) != wanted.bound_port

    async def hosts(self, *, fresh: bool = False) -> dict[HostKey, HostStatus]:
        """Return the endpoints as Envoy sees them, by cluster, address and port; at most 50 ms old."""
        if self.process is None:
            return {}
        oldest = max(self._changed_at, time.monotonic() - (0.0 if fresh else HOSTS_AGE))
        async with self._reading:  # many ask at once: the first one reads for all
            if self._hosts[0] < oldest and self.process is not None:
                self._hosts = (time.monotonic(), await self._read_hosts(self.process.admin))
            return self._hosts[1]

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
        # A cluster starts empty, so that it is in effect at once: with endpoints Envoy would first wait for
        # their health, and its routes would answer 503 meanwhile.
        for name in clusters.keys() - self._clusters.keys():
            self._write("eds", name, [{**endpoints[name], "endpoints": []}])
        # Clusters come before the routes that name them, and go after.
        awaited = {CDS: self._write("", "clusters", {**self._clusters, **clusters}.values())}
        if self.process is None:
            await self._start()
        await self._in_effect(awaited)
        awaited = {f"http.{name}.rds.{name}": self._write("rds", name, [routes[name]]) for name in routes}
        awaited[LDS] = self._write("", "listeners", listeners.values())
        for name, document in endpoints.items():
            awaited[f"cluster.{name}"] = self._write("eds", name, [document])
        await self._in_effect(awaited)
        await self._in_effect({CDS: self._write("", "clusters", clusters.values())})
        for kind, kept, before in (("eds", clusters, self._clusters), ("rds", routes, self._routes)):
            for name in before.keys() - kept.keys():
                self._remove(kind, name)
        self._clusters, self._routes = clusters, routes
        self._changed_at = time.monotonic()

    def _render_clusters(self) -> tuple[dict[str, Document], dict[str, Document]]:
        clusters, endpoints = {}, {}
        for state in self._states:
            for arn in state.users():
                group = state.target_groups[arn]
                name = cluster_name(arn)
                clusters[name] = cluster(group, self._clock, self._path("eds", name))
                endpoints[name] = assignment(group, list(group.targets.values()))
        return clusters, endpoints

    def _render_listeners(self) -> tuple[dict[str, Document], dict[str, Document]]:
        listeners, routes = {}, {}
        for state in self._states:
            for each in state.listeners():
                name = listener_name(each.arn)
                balancer = state.load_balancers[each.load_balancer]
                listeners[name] = listener(balancer, each, self._path("rds", name))
                routes[name] = route_configuration(name, each, state.target_groups)
        return listeners, routes

    async def _start(self) -> None:
        self._write("", "listeners", [])
        process = EnvoyProcess(
            self._folder,
            self._environment,
            clusters=self._path("", "clusters"),
            listeners=self._path("", "listeners"),
        )
        try:
            await process.start()
        except BaseException:
            await process.stop()
            raise
        self.process = process
        self.started.set()

    async def _in_effect(self, awaited: dict[str, str | None]) -> None:
        """Wait until Envoy has taken the versions that were written; say so when it does not."""
        missing = {name: version for name, version in awaited.items() if version is not None}
        deadline = time.monotonic() + EFFECT_TIMEOUT
        while missing and self.process is not None:
            refused = False
            try:
                updates = await self.process.admin.updates()
            except (OSError, http.client.HTTPException):
                log.debug("Envoy's admin endpoint does not answer", exc_info=True)
            else:
                refused = self._refuses(updates)
                taken = updates.versions
                missing = {name: version for name, version in missing.items() if taken.get(name) != version}
            if missing and (refused or time.monotonic() > deadline):
                log.error("Envoy has not taken %s: %s", ", ".join(missing), self.process.log_tail())
                return
            if missing:
                await asyncio.sleep(POLL)

    def _refuses(self, updates: Updates) -> bool:
        """Log what Envoy refused since the last time; tell whether there was anything."""
        refused = [name for name, count in updates.refused.items() if count > self._refused.get(name, 0)]
        self._refused = updates.refused
        if refused and self.process:
            log.error("Envoy refused %s: %s", ", ".join(refused), self.process.log_tail())
        return bool(refused)

    # --- files

    def _path(self, kind: str, name: str) -> Path:
        return self._folder / kind / f"{name}.json" if kind else self._folder / f"{name}.json"

    def _write(self, kind: str, name: str, resources: Iterable[Document]) -> str | None:
        """Replace a file when its content changes; return the version that Envoy has to take, if any."""
        path = self._path(kind, name)
        documents = list(resources)
        if path in self._written and self._written[path].documents == documents:
            return None
        version = hashlib.sha256(encode("", documents)).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(encode(version, documents))
        temporary.replace(path)
        self._written[path] = Written(version, documents)
        return version

    def _remove(self, kind: str, name: str) -> None:
        path = self._path(kind, name)
        path.unlink(missing_ok=True)
        self._written.pop(path, None)
