"""Drives one task through its life cycle, from PROVISIONING to STOPPED.

Everything waits for events; nothing polls. Whatever ends a task (the user, its service, an essential
container, a failure to start) reports it through `Ending`, once; the driver then winds the task down.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime import CannotPullError, Launch
from samjhadoo_emulator.ecs.tasks import metadata
from samjhadoo_emulator.ecs.tasks.container_run import CannotRunError, ContainerRun
from samjhadoo_emulator.ecs.tasks.logs import CannotLogError, LogStream, Transcript, log_stream
from samjhadoo_emulator.ecs.tasks.request import container_ports
from samjhadoo_emulator.ecs.tasks.secrets import CannotResolveError, References

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.ecs.runtime import PulledImage, Runtime
    from samjhadoo_emulator.ecs.tasks.task import ContainerState, Task
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)

ESSENTIAL_EXITED = ("Essential container in task exited", "EssentialContainerExited")
FAILED_TO_START = "TaskFailedToStart"


class TaskDriver:
    """The driver of one task.

    Args:
        task: The task; its state is changed here and in its container runs only.
        host: What the emulator gives live services.
        aws: Secrets, parameters and logs.
        runtime: What runs containers.
        changed: Called after every visible change of the task.
    """

    def __init__(
        self,
        task: Task,
        *,
        host: Host,
        region: str,
        aws: AwsApi,
        runtime: Runtime,
        changed: Callable[[], None],
    ) -> None:
        self.task = task
        self._host = host
        self._region = region
        self._aws = aws
        self._runtime = runtime
        self._changed = changed
        self._ending = asyncio.Event()
        self._runs: dict[str, ContainerRun] = {}
        self._lives: list[asyncio.Task[None]] = []
        self._streams: list[LogStream] = []
        self._transcripts: list[Transcript] = []

    def end(self, reason: str, code: str) -> None:
        """Have the task stopped; the first reason counts."""
        task = self.task
        if task.desired_status == "STOPPED":
            return
        task.desired_status = "STOPPED"
        task.stopped_reason, task.stop_code = reason, code
        task.stopping_at = self._host.clock.now()
        if task.last_status == "RUNNING":
            task.last_status = "DEACTIVATING"
        self._changed()
        self._ending.set()

    async def drive(self) -> None:
        """Take the task through its whole life cycle."""
        rising = asyncio.get_running_loop().create_task(self._rise(), name=f"start {self.task.id}")
        try:
            await self._ending.wait()
            await _ended(rising)
            self._become("STOPPING")
            await self._stop_containers()
            self.task.execution_stopped_at = self._host.clock.now()
            self._become("DEPROVISIONING")
            await asyncio.gather(*(stream.close() for stream in self._streams))
            await self._runtime.release(self.task.id)
        finally:
            # Also when the emulator ends and cancels this: readers of the state must not see it running.
            await _ended(rising, *self._lives)
            for stream in self._streams:
                stream.abandon()
            for transcript in self._transcripts:
                transcript.close()
            self.task.stopped_at = self._host.clock.now()
            self._become("STOPPED")

    async def _rise(self) -> None:
        try:
            await asyncio.sleep(0)  # the caller of RunTask sees PROVISIONING first
            self._become("PENDING")
            await self._prepare()
            self._lives = [
                asyncio.get_running_loop().create_task(self._live(run), name=f"container {name}")
                for name, run in self._runs.items()
            ]
            for run in self._runs.values():
                await run.settled.wait()
            if self.task.desired_status == "RUNNING":
                self.task.started_at = self._host.clock.now()
                self._become("ACTIVATING")
                self._become("RUNNING")
        except (CannotResolveError, CannotLogError) as error:
            self.end(str(error), FAILED_TO_START)
        except Exception:
            log.exception("task %s could not be started", self.task.id)
            self.end("Task failed to start", FAILED_TO_START)

    async def _prepare(self) -> None:
        """Read secrets, open logs, pull images: all that can fail before a container runs."""
        task = self.task
        references = References(self._aws)
        environments: dict[str, dict[str, str]] = {}
        for state in task.containers:
            override = task.request.override(state.name)
            environments[state.name] = (
                await references.environment(state.definition, override) if self._runtime.real else {}
            )
        images = await self._pull()
        if images is None:
            return
        for state in task.containers:
            launch = self._launch(
                state, images[state.name], environments[state.name], await self._output(state)
            )
            self._runs[state.name] = ContainerRun(
                state, runtime=self._runtime, launch=launch, clock=self._host.clock, changed=self._changed
            )

    async def _pull(self) -> dict[str, PulledImage] | None:
        """Return the image of each container by its name; None if one cannot be pulled."""
        task, clock = self.task, self._host.clock
        task.pull_started_at = clock.now()
        self._changed()
        pulls = [self._runtime.pull(state.definition["image"]) for state in task.containers]
        network = asyncio.get_running_loop().create_task(
            self._runtime.prepare(task.id, self._task_definition)
        )
        results = await asyncio.gather(*pulls, return_exceptions=True)
        # Its failure is that of the containers, which request it again.
        await asyncio.gather(network, return_exceptions=True)
        task.pull_stopped_at = clock.now()
        images: dict[str, PulledImage] = {}
        for state, result in zip(task.containers, results, strict=True):
            if isinstance(result, CannotPullError):
                state.reason = f"CannotPullContainerError: {result}"
            elif isinstance(result, BaseException):
                raise result
            else:
                images[state.name] = result
                state.image_digest = result.digest
        self._changed()
        failed = [state.reason for state in task.containers if state.reason]
        if failed:
            self.end(failed[0], FAILED_TO_START)
            return None
        return images

    @property
    def _task_definition(self) -> dict[str, Any]:
        """The task definition, with the size that RunTask may have changed."""
        request = self.task.request
        return {**request.task_definition, **_kept(request.overrides, "cpu", "memory")}

    async def _output(self, state: ContainerState) -> Callable[[bytes], None]:
        """Return what takes a container's lines."""
        if not self._runtime.real:
            return lambda _line: None
        transcript = Transcript(self._host.data_dir / "logs" / self.task.id / f"{state.name}.log")
        self._transcripts.append(transcript)
        stream = log_stream(self._aws, state.definition, task_id=self.task.id)
        if stream is None:
            return transcript.put
        await stream.open()
        self._streams.append(stream)

        def put(line: bytes) -> None:
            transcript.put(line)
            stream.put(line)

        return put

    def _launch(
        self,
        state: ContainerState,
        image: PulledImage,
        environment: dict[str, str],
        output: Callable[[bytes], None],
    ) -> Launch:
        definition, override = state.definition, self.task.request.override(state.name)
        return Launch(
            task_id=self.task.id,
            name=state.name,
            region=self._region,
            image=image,
            entry_point=definition.get("entryPoint") or None,
            command=override.get("command") or definition.get("command") or None,
            environment=metadata.variables(self._host.edge_url, self.task, state) | environment,
            ports=container_ports(definition),
            neighbours=self.task.request.ports,
            working_directory=definition.get("workingDirectory") or "",
            user=definition.get("user") or "",
            readonly=bool(definition.get("readonlyRootFilesystem")),
            definition={**definition, **_kept(override, "cpu", "memory", "memoryReservation")},
            task_definition=self._task_definition,
            output=output,
        )

    async def _live(self, run: ContainerRun) -> None:
        try:
            await run.run(self._runs)
        except CannotRunError:
            self.end("Task failed to start", FAILED_TO_START)
        except Exception:
            log.exception("container %s of task %s failed", run.state.name, self.task.id)
            self.end("Task failed to start", FAILED_TO_START)
        if run.state.essential or all(other.ended.is_set() for other in self._runs.values()):
            self.end(*ESSENTIAL_EXITED)

    async def _stop_containers(self) -> None:
        """Stop all containers, each after those that depend on it."""
        dependents = {name: self._dependents(name) for name in self._runs}

        async def stop(name: str) -> None:
            for other in dependents[name]:
                await stopped[other].wait()
            await self._runs[name].stop()
            stopped[name].set()

        stopped = {name: asyncio.Event() for name in self._runs}
        await asyncio.gather(*(stop(name) for name in self._runs))
        await _ended(*self._lives)
        for state in self.task.containers:
            state.last_status = "STOPPED"

    def _dependents(self, name: str) -> list[str]:
        return [
            other
            for other, run in self._runs.items()
            if any(each["containerName"] == name for each in run.state.definition.get("dependsOn", []))
        ]

    def _become(self, status: str) -> None:
        self.task.last_status = status
        self._changed()


def _kept(overrides: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: overrides[name] for name in names if overrides.get(name)}


async def _ended(*work: asyncio.Task[None]) -> None:
    """Cancel work and wait for its end."""
    for each in work:
        each.cancel()
    if work:
        await asyncio.wait(work)
