"""One host process and its descendants, seen as a container."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from samjhadoo_emulator.ecs.runtime.container_environment import CONTAINER_MARKER, on_host
from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Usage
from samjhadoo_emulator.ecs.runtime.lines import Lines
from samjhadoo_emulator.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from samjhadoo_emulator.ecs.runtime.contract import ExecutionContext, Invocation

log = logging.getLogger(__name__)

DRAIN_SECONDS = 1.0
SIGNALLED = 128
TIMED_OUT_STATUS = 10.0


class _Protocol(asyncio.SubprocessProtocol):
    def __init__(self, output: Callable[[bytes], None]) -> None:
        self.lines = Lines(output)
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        self.lines.feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        self.drained.set()

    def process_exited(self) -> None:
        self.exited.set()


class Child:
    """A container made of host processes, one session for all of them.

    Like a container's first process, ours takes all others with it when it ends.
    """

    reason = ""

    def __init__(
        self, transport: Any, protocol: _Protocol, context: ExecutionContext, mark: str, stop_signal: str
    ) -> None:
        self._transport = transport
        self._protocol = protocol
        self._context = context
        self._mark = mark
        self._stop_signal = _signal(stop_signal)
        self.pid: int = transport.get_pid()
        self.addresses: dict[int, tuple[str, int]] = {}
        self.host_ports: Mapping[int, int] = {}
        self._end = asyncio.get_running_loop().create_task(self._reap(), name=f"reap {self.pid}")

    @classmethod
    async def spawn(
        cls,
        context: ExecutionContext,
        argv: Sequence[str],
        output: Callable[[bytes], None],
        *,
        mark: str,
        stop_signal: str,
    ) -> Child:
        """Start a command line in a context.

        Raises:
            CannotStartError: The host refuses it.
        """
        transport, protocol = await _spawn(context.invocation(argv), output)
        return cls(transport, protocol, context, mark, stop_signal)

    @property
    def runtime_id(self) -> str:
        """The mark its processes carry, and the first one's id."""
        return f"{self._mark.replace('/', '-')}-{self.pid}"

    @property
    def running(self) -> bool:
        """Whether the first process has not ended."""
        return not self._protocol.exited.is_set()

    async def wait(self) -> int:
        """Return the exit code; see `Container`."""
        return await asyncio.shield(self._end)

    async def stop(self, grace: float) -> None:
        """Stop it; see `Container`."""
        self._signal_group(self._stop_signal)
        self.resume()  # a suspended process would not hear it
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._protocol.exited.wait()
        self.kill()
        await self.wait()

    def kill(self) -> None:
        """Send SIGKILL to all its processes that are in its session's first group; returns at once."""
        self._signal_group(signal.SIGKILL)

    def suspend(self) -> None:
        """Suspend it; see `Container`."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on; see `Container`."""
        self._signal_group(signal.SIGCONT)

    async def execute(self, command: Sequence[str], within: float) -> int | None:
        """Run a command beside it; see `Container`."""
        if not self.running:
            return SIGNALLED + signal.SIGKILL
        words = [on_host(word, self.host_ports) for word in command]
        transport, protocol = await _spawn(self._context.invocation(words, join=self.pid), lambda _line: None)
        try:
            async with asyncio.timeout(within):
                await protocol.exited.wait()
        except TimeoutError:
            return None
        finally:
            _kill_group(transport.get_pid())
            with suppress(
                TimeoutError
            ):  # the event loop may be closed before a process that is not waited for
                async with asyncio.timeout(DRAIN_SECONDS):
                    await protocol.exited.wait()
            transport.close()
        return _exit_code(transport.get_returncode())

    def address(self, port: int) -> tuple[str, int] | None:
        """Return where a port is reached; see `Container`."""
        return self.addresses.get(port)

    def processes(self) -> list[psutil.Process]:
        return process_tree(self.pid)

    async def usage(self) -> Usage | None:
        """Return what it has used; see `Container`."""
        return await asyncio.to_thread(self._usage) if self.running else None

    def _usage(self) -> Usage:
        seconds, memory = 0.0, 0
        for process in self.processes():
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system
                memory += process.memory_info().rss
        return Usage(seconds, memory)

    def _signal_group(self, signum: int) -> None:
        # Only while the first process is unreaped is its group surely ours.
        if self.running:
            _kill_group(self.pid, signum)

    async def _reap(self) -> int:
        protocol = self._protocol
        await protocol.exited.wait()
        _kill_group(self.pid)
        await asyncio.to_thread(kill_marked, f"{CONTAINER_MARKER}={self._mark}")
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await protocol.drained.wait()
        protocol.lines.end()
        self._transport.close()
        return _exit_code(self._transport.get_returncode())


def kill_marked(mark: str) -> None:
    """Kill every process whose environment has the given `NAME=value`. Blocking.

    Finds what has left its container's process group.
    """
    wanted = mark.encode()
    if Path("/proc/self/environ").exists():
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with suppress(OSError):
                    if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                        os.kill(int(entry.name), signal.SIGKILL)
        return
    name, _, value = mark.partition("=")
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(name) == value:
                process.kill()


async def _spawn(invocation: Invocation, output: Callable[[bytes], None]) -> tuple[Any, _Protocol]:
    loop = asyncio.get_running_loop()
    argv = invocation.argv
    read, write = os.pipe() if invocation.reports else (-1, -1)
    if invocation.reports:
        argv = [*argv[:4], str(write), *argv[4:]]
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(output),
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=invocation.folder,
            env=dict(invocation.environment),
            start_new_session=True,
            preexec_fn=_as_in_a_container(),
            pass_fds=(write,) if invocation.reports else (),
        )
    except (OSError, ValueError) as error:
        _close(read, write)
        raise CannotStartError(f"failed to create task: exec: {invocation.argv[0]}: {error}") from error
    _close(write)
    if invocation.reports:
        try:
            trouble = await _report(read)
        except asyncio.CancelledError:  # the caller never gets the process
            _kill_group(transport.get_pid())
            transport.close()
            raise
        if trouble:
            _kill_group(transport.get_pid())  # it may have hung
            await protocol.exited.wait()
            transport.close()
            raise CannotStartError(f"failed to create task: {trouble}")
    return transport, protocol


def _as_in_a_container() -> Callable[[], None]:
    prepare = die_with_parent()

    def start() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where a shell started the emulator with `&`
        prepare()

    return start


async def _report(read: int) -> str:
    """Return the error that `enter.py` reports; empty once the program runs."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(read, readable.set)
    try:
        async with asyncio.timeout(TIMED_OUT_STATUS):
            await readable.wait()
        return os.read(read, 4096).decode(errors="replace")
    except TimeoutError:
        return "the process did not start in time"
    finally:
        loop.remove_reader(read)
        _close(read)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def _kill_group(pid: int, signum: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)


def _exit_code(returncode: int | None) -> int:
    if returncode is None:
        return SIGNALLED + signal.SIGKILL
    return SIGNALLED - returncode if returncode < 0 else returncode


def _signal(name: str) -> int:
    """Return a signal by its name or number, as images name it."""
    if name.isdigit():
        return int(name)
    found = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", signal.SIGTERM)
    return int(found)


def process_tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants, as far as they are still there."""
    try:
        first = psutil.Process(pid)
        if not Path(f"/proc/{pid}/task/{pid}/children").exists():
            return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []
    found = [pid]
    for each in found:
        found += _children(each)
    return [first, *_present(found[1:])]


def _children(pid: int) -> list[int]:
    """Return the processes that a process, by any of its threads, has started (Linux)."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names are all that is wanted
        return [
            int(child)
            for thread in threads
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        ]
    except OSError:  # it has ended meanwhile
        return []


def _present(pids: list[int]) -> list[psutil.Process]:
    present = []
    for pid in pids:
        try:
            present.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return present
