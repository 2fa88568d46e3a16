"""The engine's events about containers: one stream for all of them.

A stream that breaks is opened again; what happened meanwhile is found by checking each container. If the
engine stays away, every container counts as lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.docker.engine import EngineError, Missing, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.ecs.runtime.docker.engine import Engine

    Listener = Callable[[str, dict[str, str]], None]

log = logging.getLogger(__name__)

HEARD = ["start", "die", "oom", "destroy", "exec_die"]
RETRY_SECONDS = 0.5
GIVE_UP_SECONDS = 20.0
FOUND = "found ended"
"""The event of a container whose end was missed."""
LOST = "lost"
"""The event of every container when the engine has not answered for `GIVE_UP_SECONDS`."""


class Events:
    """Passes listeners, on the event loop, the events of their containers.

    Args:
        label: `name=value` of the containers.
    """

    def __init__(self, engine: Engine, label: str) -> None:
        self._engine = engine
        self._label = label
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[str, Listener] = {}
        self._executions: dict[str, asyncio.Future[int]] = {}
        self._last = 0
        self._closed = threading.Event()
        self._stream: Any = None
        threading.Thread(target=self._hear, name="docker events", daemon=True).start()

    def listen(self, container: str, listener: Listener) -> None:
        """Pass each event of a container to a listener: its name and attributes."""
        self._listeners[container] = listener

    def forget(self, container: str) -> None:
        """Pass on no more events of a container."""
        self._listeners.pop(container, None)

    def execution(self, exec_id: str) -> asyncio.Future[int]:
        """Return what will be the exit code of a command run in a container."""
        future: asyncio.Future[int] = self._loop.create_future()
        self._executions[exec_id] = future
        future.add_done_callback(lambda _: self._executions.pop(exec_id, None))
        return future

    def check(self, container: str) -> None:
        """Check a container whose end should have been reported by now."""
        threading.Thread(target=self._check, args=([container],), name="docker check", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            with suppress(Exception):
                stream.close()

    # --- in the thread

    def _hear(self) -> None:
        silent_since = time.monotonic()
        while not self._closed.is_set():
            try:
                self._hear_once()
                silent_since = time.monotonic()
            except EngineError as error:
                log.debug("no events: %s", error)
                if time.monotonic() - silent_since > GIVE_UP_SECONDS:
                    self._tell(self._lose)
            except Exception:
                if not self._closed.is_set():
                    log.exception("the engine's events cannot be read")
            self._closed.wait(RETRY_SECONDS)

    def _hear_once(self) -> None:
        since = f"{self._last // 10**9}.{self._last % 10**9:09d}" if self._last else None
        filters = {"type": "container", "label": self._label, "event": HEARD}
        self._stream = translated(self._engine.api.events, since=since, filters=filters, decode=True)
        self._check(list(self._listeners))
        for event in self._stream:
            if event.get("timeNano", 0) > self._last:
                self._last = event["timeNano"]
                self._tell(self._dispatch, event)

    def _check(self, containers: list[str]) -> None:
        """Report the end of each container that does not run any more."""
        for container in containers:
            try:
                state = translated(self._engine.api.inspect_container, container)["State"]
            except Missing:
                state = {"Status": "removed", "Running": False, "ExitCode": 137}
            except EngineError as error:
                log.debug("container %s cannot be inspected: %s", container[:12], error)
                continue
            if not state["Running"] and state["Status"] != "created":
                attributes = {"exitCode": str(state.get("ExitCode", 137))}
                event = {"id": container, "Action": FOUND, "Actor": {"Attributes": attributes}}
                self._tell(self._dispatch, event)

    def _tell(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function, *arguments)

    # --- on the loop

    def _dispatch(self, event: dict[str, Any]) -> None:
        # `exec_die` names its container and its command line after a colon in older engines.
        action = str(event.get("Action") or event.get("status") or "").partition(":")[0]
        attributes = (event.get("Actor") or {}).get("Attributes") or {}
        if action == "exec_die":
            waiting = self._executions.get(attributes.get("execID", ""))
            if waiting is not None and not waiting.done():
                waiting.set_result(int(attributes.get("exitCode", 0)))
            return
        listener = self._listeners.get(str(event.get("id") or (event.get("Actor") or {}).get("ID")))
        if listener is not None:
            listener(action, attributes)

    def _lose(self) -> None:
        for listener in list(self._listeners.values()):
            listener(LOST, {})
