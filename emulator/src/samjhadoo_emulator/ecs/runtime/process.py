"""Runs tasks as host processes.

An image is pulled from the emulated registry and unpacked. How its processes run depends on the image:

* An **application** image (its layers hold no complete root file system, for example just `/app`) runs on the
  host: absolute paths in its command line, working directory and variables that the image holds are mapped to
  the unpacked folder, and an executable the image does not bring comes from the host (`python` is the
  emulator's interpreter). See `layout`, `host_filesystem`.
* A **complete** image (the loader of its entry executable is inside) runs inside its root file system, in a
  mount namespace with an overlay; a host that cannot do that refuses it. See `root_filesystem`.

What differs from a container: network and process ids are the host's, so an application must bind the port it
is given in `PORT`/`SERVER_PORT` (see `forward` for one that does not). CPU, memory and ulimits are not
enforced. The image's user counts in complete images and only if the emulator is root. A task's files go when
it ends. An application image of very many files is not copied for each task but linked: a task may add and
replace files there, but must not write into those of the image. Every process dies with the emulator.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from samjhadoo_emulator.ecs.runtime.child import Child
from samjhadoo_emulator.ecs.runtime.container_environment import container_environment, mark, on_host
from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Launch, PulledImage
from samjhadoo_emulator.ecs.runtime.distribution import RegistryClient
from samjhadoo_emulator.ecs.runtime.host_commands import HostCommands
from samjhadoo_emulator.ecs.runtime.host_filesystem import HostFilesystem
from samjhadoo_emulator.ecs.runtime.images import ImageStore
from samjhadoo_emulator.ecs.runtime.layout import DEFAULT_PATH, composed, is_complete
from samjhadoo_emulator.ecs.runtime.room import Room, copy_file, measure
from samjhadoo_emulator.ecs.runtime.root_filesystem import RootFilesystem, possible_mode
from samjhadoo_emulator.ecs.runtime.scratch import ScratchFolders
from samjhadoo_emulator.processes import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from pathlib import Path
    from typing import Any

    from samjhadoo_emulator.ecs.runtime.contract import ExecutionContext
    from samjhadoo_emulator.service import Host

FIRST, LAST = 20_000, 32_000


class Ports:
    """Ports of 127.0.0.1, each reserved for one container at a time."""

    def __init__(self) -> None:
        self._reserved: set[int] = set()
        self._next = FIRST + secrets.randbelow(LAST - FIRST)

    def take(self) -> int:
        """Return a free port, which is the caller's until given back."""
        for _ in range(LAST - FIRST):
            port = self._next
            self._next = FIRST if port + 1 >= LAST else port + 1
            if port not in self._reserved and _is_free(port):
                break
        else:
            port = free_port()
        self._reserved.add(port)
        return port

    def give_back(self, port: int) -> None:
        """Release a port."""
        self._reserved.discard(port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


log = logging.getLogger(__name__)

MOST_COPIED = 3000
"""Files of an image up to which each task gets copies: they take about 0.3 ms each."""


class ProcessRuntime:
    """Containers as host processes; see the module.

    Args:
        host: What the emulator gives live services.
    """

    real = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._images = ImageStore(host.data_dir / "images", RegistryClient(host.edge_url))
        self._folder = host.data_dir / "tasks"
        self._commands = HostCommands(
            host.options.get("host_commands", {}),
            host.data_dir / "commands",
            host.options.get("host_packages", ()),
        )
        self._scratch = ScratchFolders(host.data_dir / "scratch")
        self._scratches: dict[str, dict[str, Path]] = {}
        self._ports = Ports()
        self._given: dict[str, dict[int, int]] = {}
        self._children: set[Child] = set()
        self._starts: set[asyncio.Task[Child]] = set()
        self._closed = False
        self._watches: set[asyncio.Task[None]] = set()
        self._mode: str | None = None

    async def pull(self, reference: str) -> PulledImage:
        """Pull and unpack an image; see `Runtime`."""
        return await self._images.pull(reference)

    async def prepare(self, task_id: str, definition: Mapping[str, Any]) -> None:
        """Do nothing: tasks share the host; see `Runtime`."""

    async def start(self, launch: Launch) -> Child:
        """Start a container; see `Runtime`."""
        if self._closed:
            raise CannotStartError("the emulator is stopping")
        start = asyncio.get_running_loop().create_task(self._start(launch))
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)
        return await start

    async def _start(self, launch: Launch) -> Child:
        ports = self._ports_of(launch)
        config = launch.image.config
        argv = composed(config, launch.entry_point, launch.command)
        if not argv:
            raise CannotStartError("failed to create task: no command specified")
        argv = [on_host(word, ports) for word in argv]
        environment = container_environment(launch, host=self._host, ports=ports, inherited=os.environ)
        context = await self._context(launch, argv, environment)
        child = await Child.spawn(
            context, argv, launch.output, mark=mark(launch), stop_signal=config.stop_signal
        )
        child.host_ports = ports
        child.addresses = {port: (LOOPBACK, ports[port]) for port in launch.ports}
        self._keep(child)
        if len(launch.ports) == 1:
            port = launch.ports[0]
            self._watch(child, given=ports[port], fixed=port)
        return child

    async def release(self, task_id: str) -> None:
        """Give a task's ports and folders back; see `Runtime`."""
        for port in self._given.pop(task_id, {}).values():
            self._ports.give_back(port)
        for folder in (self._folder / task_id, *self._scratches.pop(task_id, {}).values()):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def close(self) -> None:
        """Kill every container, those that are being started included; see `Runtime`."""
        self._closed = True
        if self._starts:
            await asyncio.wait(self._starts)
        for child in self._children:
            child.kill()
        await asyncio.gather(*(child.wait() for child in self._children))
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await self._images.close()
        await asyncio.to_thread(self._scratch.remove)

    def _ports_of(self, launch: Launch) -> dict[int, int]:
        given = self._given.setdefault(launch.task_id, {})
        for port in (*launch.neighbours, *launch.ports):
            if port not in given:
                given[port] = self._ports.take()
        return given

    async def _context(
        self, launch: Launch, argv: list[str], environment: dict[str, str]
    ) -> ExecutionContext:
        image = launch.image.rootfs
        if image is None:
            raise CannotStartError("failed to create task: the image was pulled by another runtime")
        config = launch.image.config
        folder = launch.working_directory or config.working_directory
        own = self._folder / launch.task_id / launch.name
        path = environment.get("PATH") or DEFAULT_PATH
        if await asyncio.to_thread(is_complete, image, argv, path=path, folder=folder):
            mode = await self._enclosing_mode()
            if mode != "overlay":
                await asyncio.to_thread(_copy, image, own / "rootfs")
            return RootFilesystem(
                mode,
                image=image,
                root=own / "rootfs",
                environment=environment,
                folder=folder,
                user=launch.user or config.user,
            )
        commands = await asyncio.to_thread(self._commands.of, launch.image.base)
        if commands.remark:
            log.warning("%s: %s", mark(launch), commands.remark)
            launch.output(f"samjhadoo-emulator: {commands.remark}".encode())
        if not launch.readonly:
            await asyncio.to_thread(_copy, image, own / "rootfs", link_from=MOST_COPIED)
        return HostFilesystem(
            image=image,
            root=image if launch.readonly else own / "rootfs",
            image_names=frozenset(config.environment),
            environment=environment,
            folder=folder,
            commands=commands,
            scratch=self._scratch_of(launch),
        )

    async def _enclosing_mode(self) -> str:
        if self._mode is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._mode = await asyncio.to_thread(possible_mode, self._folder)
            log.info("complete images run by %s", self._mode or "nothing: the kernel allows no namespaces")
        if not self._mode:
            raise CannotStartError(
                "failed to create task: the image is a complete root file system, and this host can enter "
                "one neither as root nor through a user namespace; use an application image"
            )
        return self._mode

    def _scratch_of(self, launch: Launch) -> Path:
        given = self._scratches.setdefault(launch.task_id, {})
        if launch.name not in given:
            given[launch.name] = self._scratch.make()
        return given[launch.name]

    def _keep(self, child: Child) -> None:
        self._children.add(child)

        async def forget() -> None:
            await child.wait()
            self._children.discard(child)

        self._run(forget())

    def _watch(self, child: Child, *, given: int, fixed: int) -> None:
        self._run(pass_on(child, given=given, fixed=fixed))

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)


def _copy(image: Path, target: Path, *, link_from: int | None = None) -> None:
    """Give a container files of its own; kept when it is restarted. Blocking.

    Args:
        target: The container's folder.
        link_from: The number of files from which they are linked instead of copied; None for never.

    Raises:
        CannotStartError: The image cannot be copied, for example because the disk is full.
    """
    if target.exists():
        return
    files, size = measure(image)
    many = link_from is not None and files >= link_from
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        Room(target.parent).take(0 if many else size, files=0 if many else files)
        shutil.copytree(image, target, symlinks=True, copy_function=os.link if many else copy_file)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise CannotStartError(f"failed to create task: failed to copy the image: {error}") from error


FIRST_LOOK, LAST_LOOK, GROWTH = 0.2, 2.0, 1.5
GIVE_UP_AFTER = 180.0
CHUNK = 1 << 16


async def pass_on(child: Child, *, given: int, fixed: int) -> None:
    """Watch which port a starting application binds; pass connections on if it is the wrong one.

    Ends when the application has bound the given port, or has ended, or after three minutes.
    """
    loop = asyncio.get_running_loop()
    started, pause = loop.time(), FIRST_LOOK
    while child.running and loop.time() - started < GIVE_UP_AFTER:
        await asyncio.sleep(pause)
        pause = min(pause * GROWTH, LAST_LOOK)
        bound = await asyncio.to_thread(listening, child)
        if given in bound:
            return
        if fixed in bound:
            log.warning("%s ignores PORT and binds %d: only one such task can run", child.runtime_id, fixed)
            await _forward(child, given, fixed)
            return


def listening(child: Child) -> set[int]:
    """Return the ports a container's processes listen on. Blocking."""
    found: set[int] = set()
    for process in child.processes():
        with suppress(psutil.Error):
            connections = process.net_connections(kind="tcp")
            found.update(each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN)
    return found


async def _forward(child: Child, given: int, fixed: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(LOOPBACK, fixed)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            writer.close()
            there_writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, given)
    try:
        await child.wait()
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
