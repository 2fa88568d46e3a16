"""The tasks of one service: started, registered, judged, replaced, drained and stopped.

An unhealthy task is stopped once its replacement is healthy, within `maximumPercent` (AWS, "Amazon ECS
services" and the announcement of 23 October 2023). One that has never been healthy is stopped at once.
"""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.scheduler.registration import BUSY_POLL, Registration
from samjhadoo_emulator.ecs.scheduler.replica import Phase, Replica
from samjhadoo_emulator.ecs.tasks import TaskRequest
from samjhadoo_emulator.ecs.tasks.request import launch_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.ecs.deployments.breaker import Count
    from samjhadoo_emulator.ecs.model import Revision, Service
    from samjhadoo_emulator.ecs.scheduler.balancer import Balancer
    from samjhadoo_emulator.ecs.tasks import Tasks

FIRST_DELAY, LONGEST_DELAY = 10.0, 27 * 60.0
"""Emulated seconds by which repeated start failures are spaced; 27 minutes is AWS's maximum."""
START_PACE, CRASH_PACE = 0.1, 0.3
"""Real seconds between starts at least: after tasks that did not start, after tasks that ran and ended."""
IMPAIRED = 3
"""Failed starts in a row after which the service has an event about it."""


class Pace:
    """Spaces the starts of each revision, by its number: more and more after tasks that did not reach
    RUNNING, evenly after others, which AWS does not throttle.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}

    def failed(self, number: str, *, started: bool) -> bool:
        """Record that a task failed; return whether starts have now become impaired.

        Args:
            number: Its revision's number.
            started: Whether it had reached RUNNING.
        """
        count, delay, least = self._failures.get(number, (0, 0.0))[0], FIRST_DELAY, CRASH_PACE
        if not started:
            count, delay, least = count + 1, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(count, 10)), START_PACE
        self._failures[number] = (count, time.monotonic() + max(least, self._clock.real(delay)))
        return not started and count == IMPAIRED

    def recovered(self, number: str) -> None:
        """Note that a task of a revision has become healthy."""
        self._failures.pop(number, None)

    def not_before(self, number: str) -> float:
        """Return the real monotonic time before which no task of a revision is started."""
        return self._failures.get(number, (0, 0.0))[1]


@dataclass(frozen=True)
class Change:
    """What happened to a task that the circuit breaker of its deployment counts."""

    revision: Revision
    kind: str
    reached_running: bool = False
    unhealthy: bool = False

    def count(self, count: Count, *, resets: bool, strictly: bool) -> Count:
        """Return the breaker's count after this change; see `breaker.Count`."""
        if self.kind == "running":
            return count.running()
        if self.kind == "healthy":
            return count.healthy(reset=resets)
        return count.failed(reached_running=self.reached_running, unhealthy=self.unhealthy, strictly=strictly)


class ServiceTasks:
    """The replicas of a service and what is done with them.

    Args:
        tasks: Starts and stops tasks.
        impaired: Called when tasks have failed to start again and again.
    """

    def __init__(
        self,
        service: Service,
        tasks: Tasks,
        balancer: Balancer,
        clock: Clock,
        *,
        impaired: Callable[[], None],
    ) -> None:
        self.service = service
        self.replicas: dict[str, Replica] = {}
        self._tasks = tasks
        self._registration = Registration(balancer, self.event)
        self._clock = clock
        self._pace = Pace(clock)
        self._impaired = impaired
        self._changes: list[Change] = []

    # Which tasks there are, and how they fare.

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return running and pending tasks by revision number."""
        counts: dict[str, tuple[int, int]] = {}
        for replica in self.replicas.values():
            running, pending = counts.get(replica.revision.number, (0, 0))
            counts[replica.revision.number] = (running + replica.running, pending + replica.pending)
        return counts

    def of(self, revision: Revision) -> list[Replica]:
        """Return the replicas of a revision that are not being stopped."""
        return [
            replica
            for replica in self.replicas.values()
            if replica.revision is revision and replica.phase is Phase.SERVING and not replica.stopped
        ]

    def serving(self, revision: Revision) -> int:
        """Return how many replicas of a revision are not being stopped."""
        return len(self.of(revision))

    @property
    def replacing(self) -> int:
        """How many unhealthy replicas stay until others are healthy in their place."""
        return sum(replica.phase is Phase.REPLACING for replica in self.replicas.values())

    def healthy(self, revision: Revision) -> int:
        """Return how many replicas of a revision are healthy."""
        return sum(replica.healthy for replica in self.of(revision))

    def ready(self, revision: Revision, *, percent: float = 100.0) -> bool:
        """Return whether this percentage of the desired count are healthy tasks of a revision."""
        return self.healthy(revision) >= math.ceil(self.service.desired_count * percent / 100)

    def only(self, kept: Iterable[Revision]) -> bool:
        """Return whether no task is left of any other revision."""
        keep = {revision.number for revision in kept}
        return all(replica.revision.number in keep for replica in self.replicas.values())

    def steady(self, revision: Revision) -> bool:
        """Return whether exactly the wanted tasks run, all healthy."""
        count = self.service.desired_count
        return len(self.replicas) == count and self.healthy(revision) == count

    def event(self, text: str) -> None:
        """Add a service event (AWS: service event messages)."""
        self.service.events.appendleft(
            {
                "id": str(uuid.uuid4()),
                "createdAt": self._clock.now(),
                "message": f"(service {self.service.name}) {text}",
            }
        )

    def due(self) -> float | None:
        """Return real seconds until the tasks have to be observed again though none changes."""
        waits: list[float] = []
        if any(replica.targets for replica in self.replicas.values()):
            busy = any(replica.balanced and not replica.healthy for replica in self.replicas.values())
            current = self.service.current
            waits.append(self._registration.due(busy=busy or (current is not None and current.ongoing)))
        if any(replica.running and not replica.was_healthy for replica in self.replicas.values()):
            waits.append(BUSY_POLL)
        waits += [
            max(0.001, self._pace.not_before(revision.number) - time.monotonic())
            for revision in self.service.revisions.values()
            if self.serving(revision) < revision.desired and not revision.stalled
        ]
        waits += [max(0.001, self._clock.real(seconds)) for seconds in self._protected()]
        return min(waits) if waits else None

    def _protected(self) -> list[float]:
        """Return the seconds of protection that tasks have left."""
        now = self._clock.now()
        until = [replica.task.protected_until for replica in self.replicas.values()]
        return [(each - now).total_seconds() for each in until if each is not None and each > now]

    # Observing them.

    async def observe(self) -> list[Change]:
        """Update every replica from its task and its targets; return what the breaker counts."""
        changes, self._changes = self._changes, []
        for replica in list(self.replicas.values()):
            if replica.running and replica.running_since is None:
                replica.running_since = time.monotonic()
                changes.append(Change(replica.revision, "running"))
            if replica.stopped:
                changes += await self._gone(replica)
        await self._registration.poll(self.replicas.values())
        for replica in list(self.replicas.values()):
            if replica.healthy and not replica.was_healthy:
                replica.was_healthy = True
                self._pace.recovered(replica.revision.number)
                changes.append(Change(replica.revision, "healthy"))
        return changes

    async def _gone(self, replica: Replica) -> list[Change]:
        del self.replicas[replica.task.arn]
        if replica.targets and replica.phase is not Phase.STOPPING:
            await self._registration.deregister([replica])
        asked = replica.phase is not Phase.SERVING
        if replica.counted or (asked and not replica.unhealthy):
            return []
        return [self._failure(replica)]

    def _failure(self, replica: Replica) -> Change:
        """Record that a task failed; return what the breaker counts."""
        early = not replica.was_healthy
        if early or replica.unhealthy:
            replica.revision.failed_tasks += 1
            self._failed(replica)
        reached = replica.running_since is not None and not early
        return Change(replica.revision, "failed", reached_running=reached, unhealthy=replica.unhealthy)

    def _failed(self, replica: Replica) -> None:
        """Delay the next start, and add an event with the reason (AWS: service event messages)."""
        task = replica.task
        impaired = self._pace.failed(replica.revision.number, started=task.started_at is not None)
        if task.started_at is None and task.stop_code == "TaskFailedToStart":
            self.event(f"was unable to place a task. Reason: {task.stopped_reason.rstrip('.')}.")
        if impaired:
            self.event(
                "is unable to consistently start tasks successfully. For more information, see the "
                "Troubleshooting section of the Amazon ECS Developer Guide."
            )
            self._impaired()

    # Changing them.

    async def act(self) -> bool:
        """Start and stop what is wanted; return whether anything was done."""
        done = await self._register()
        done = await self._replace_unhealthy() or done
        done = await self._finish_draining() or done
        for revision in list(self.service.revisions.values()):
            replicas = self.of(revision)
            now = self._clock.now()
            free = [replica for replica in replicas if not replica.task.protected(now)]
            superfluous = _least_useful(free, max(0, len(replicas) - revision.desired))
            if superfluous:
                await self._retire(superfluous)
                done = True
            elif len(replicas) < revision.desired and not revision.stalled:
                done = self._start(revision, revision.desired - len(replicas)) or done
        return done

    def _start(self, revision: Revision, missing: int) -> bool:
        if time.monotonic() < self._pace.not_before(revision.number):
            return False
        started = [self._replica(revision) for _ in range(missing)]
        revision.updated_at = self._clock.now()
        names = " ".join(f"(task {replica.task.id})" for replica in started)
        self.event(f"has started {len(started)} tasks: {names}.")
        return True

    def _replica(self, revision: Revision) -> Replica:
        service, workload = self.service, revision.workload
        definition = workload["definition"]
        task = self._tasks.start(
            TaskRequest(
                cluster_arn=service.cluster.arn,
                cluster_name=service.cluster.name,
                task_definition=definition,
                group=f"service:{service.name}",
                started_by=f"ecs-svc/{revision.number}",
                overrides={},
                launch_type=launch_type(workload),
                network_configuration=workload.get("networkConfiguration"),
                tags=_propagated(service),
                enable_execute_command=bool(service.settings.get("enableExecuteCommand")),
            )
        )
        checked = any(container.get("healthCheck") for container in definition["containerDefinitions"])
        replica = Replica(task, revision, checked=checked, balanced=bool(workload.get("loadBalancers")))
        self.replicas[task.arn] = replica
        return replica

    async def _register(self) -> bool:
        ready = [
            replica
            for replica in self.replicas.values()
            if replica.running
            and replica.balanced
            and not replica.targets
            and replica.phase is Phase.SERVING
            and (not replica.checked or replica.task.health_status == "HEALTHY")
        ]
        for replica, reason in await self._registration.register(ready):
            self._stop(replica, f"Unable to register targets: {reason}", unhealthy=True)
        return bool(ready)

    async def _retire(self, replicas: list[Replica]) -> None:
        """Take replicas out of service: deregister and drain those with targets, stop the others."""
        draining = [replica for replica in replicas if replica.targets]
        for replica in replicas:
            if replica in draining:
                replica.phase = Phase.DRAINING
            else:
                self._stop(replica, replica.stop_reason or self._stop_reason(replica))
        if draining:
            self.event(f"has begun draining connections on {len(draining)} tasks.")
            await self._registration.deregister(draining)

    async def _replace_unhealthy(self) -> bool:
        """Begin and finish replacements; return whether anything was done."""
        done = False
        for replica in list(self.replicas.values()):
            if replica.phase is Phase.SERVING and replica.running:
                reason = await self._why_unhealthy(replica)
                if reason:
                    await self._begin_replacing(replica, reason)
                    done = True
        return await self._finish_replacing() or done

    async def _why_unhealthy(self, replica: Replica) -> str:
        """Return why a task is to be replaced, after an event about it; empty if it is not."""
        task = replica.task
        if replica.checked and task.health_status == "UNHEALTHY":
            self.event(f"(task {task.id}) failed container health checks.")
            return "Task failed container health checks"
        failing = replica.failing_target()
        if failing is None:
            return ""
        target, (_, reason, description) = failing
        # Real seconds after a task's start in which its target health is ignored.
        grace = float(self.service.settings.get("healthCheckGracePeriodSeconds") or 0)
        if not await self._registration.gives_up(replica, target, reason, grace=grace):
            return ""
        self.event(
            f"(task {task.id}) (port {target.port}) is unhealthy in "
            f"(target-group {target.group}) due to (reason {description or reason})."
        )
        return f"Task failed ELB health checks in (target-group {target.group})"

    async def _begin_replacing(self, replica: Replica, reason: str) -> None:
        replica.unhealthy, replica.stop_reason = True, reason
        if not (replica.was_healthy and self._has_room(replica.revision)):
            await self._retire([replica])
            return
        replica.phase, replica.counted = Phase.REPLACING, True
        self._changes.append(self._failure(replica))

    def _has_room(self, revision: Revision) -> bool:
        """Return whether `maximumPercent` lets a task be started before another is stopped."""
        service = self.service
        rolls = service.configuration["strategy"] == "ROLLING"  # whose tasks of all revisions count
        tasks = sum(
            (rolls or replica.revision is revision) and not replica.stopped
            for replica in self.replicas.values()
        )
        return bool(tasks < service.desired_count * service.configuration["maximumPercent"] // 100)

    async def _finish_replacing(self) -> bool:
        """Keep unhealthy tasks that have recovered, and retire those whose replacements are healthy."""
        done = False
        for replica in [each for each in self.replicas.values() if each.phase is Phase.REPLACING]:
            revision = replica.revision
            if replica.fit and revision.desired:
                replica.phase, replica.unhealthy, replica.stop_reason = Phase.SERVING, False, ""
                replica.counted = False
                self._pace.recovered(revision.number)
            elif replica.running and self.healthy(revision) >= revision.desired:
                await self._retire([replica])
            else:
                continue
            done = True
        return done

    async def _finish_draining(self) -> bool:
        drained = []
        for replica in self.replicas.values():
            draining = replica.phase is Phase.DRAINING
            if (
                draining
                and not any(state[0] == "draining" for state in replica.health.values())
                and self._registration.seen
            ):
                drained.append(replica)
        for replica in drained:
            self._stop(replica, replica.stop_reason or self._stop_reason(replica))
        return bool(drained)

    def _stop(self, replica: Replica, reason: str, *, unhealthy: bool = False) -> None:
        replica.phase = Phase.STOPPING
        replica.unhealthy = replica.unhealthy or unhealthy
        self._tasks.stop(replica.task, reason=reason, code=replica.stop_code)
        self.event(f"has stopped 1 running tasks: (task {replica.task.id}).")

    def _stop_reason(self, replica: Replica) -> str:
        current = self.service.current
        number = current.target.number if current else replica.revision.number
        return f"Scaling activity initiated by (deployment ecs-svc/{number})"


def _least_useful(replicas: list[Replica], count: int) -> list[Replica]:
    """Return the replicas to stop first: those not healthy yet, then the oldest."""
    return sorted(replicas, key=lambda replica: (replica.healthy, replica.running, replica.task.created_at))[
        :count
    ]


def _propagated(service: Service) -> list[dict[str, str]]:
    if service.settings.get("propagateTags") == "SERVICE":
        return list(service.tags)
    return []
