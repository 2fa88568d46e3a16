"""What becomes of unhealthy tasks.

The scheduler starts a replacement first and stops the unhealthy task once that is healthy, within
`maximumPercent` (AWS, "Amazon ECS services" and the announcement of 23 October 2023). One that has never
worked is stopped at once: nobody relies on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.scheduler.replica import Phase

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.model import Revision
    from samjhadoo_emulator.ecs.scheduler.change import Change
    from samjhadoo_emulator.ecs.scheduler.fleet import Fleet
    from samjhadoo_emulator.ecs.scheduler.registration import Registration
    from samjhadoo_emulator.ecs.scheduler.replica import Replica


class Replacement:
    """Finds the unhealthy tasks of a fleet and has them replaced."""

    def __init__(self, fleet: Fleet, registration: Registration) -> None:
        self._fleet = fleet
        self._registration = registration
        self._changes: list[Change] = []

    def take_changes(self) -> list[Change]:
        """Return what the breaker counts since the last time."""
        changes, self._changes = self._changes, []
        return changes

    async def act(self) -> bool:
        """Do what there is to do; tell whether that was anything."""
        done = False
        for replica in list(self._fleet.replicas.values()):
            if replica.phase is Phase.SERVING and replica.running:
                reason = await self._trouble(replica)
                if reason:
                    await self._begin(replica, reason)
                    done = True
        return await self._finish() or done

    async def _trouble(self, replica: Replica) -> str:
        """Return why a task is to be replaced, and tell so; nothing if it is not."""
        task = replica.task
        if replica.checked and task.health_status == "UNHEALTHY":
            self._fleet.event(f"(task {task.id}) failed container health checks.")
            return "Task failed container health checks"
        failing = replica.failing_target()
        if failing is None:
            return ""
        target, (_, reason, description) = failing
        # Real seconds for which target health is not looked at after a task's start.
        grace = float(self._fleet.service.settings.get("healthCheckGracePeriodSeconds") or 0)
        if not await self._registration.gives_up(replica, target, reason, grace=grace):
            return ""
        self._fleet.event(
            f"(task {task.id}) (port {target.port}) is unhealthy in "
            f"(target-group {target.group}) due to (reason {description or reason})."
        )
        return f"Task failed ELB health checks in (target-group {target.group})"

    async def _begin(self, replica: Replica, reason: str) -> None:
        replica.unhealthy, replica.stop_reason = True, reason
        if not (replica.was_healthy and self._room(replica.revision)):
            await self._fleet.retire([replica])
            return
        replica.phase, replica.counted = Phase.REPLACING, True
        self._changes.append(self._fleet.failure(replica))

    def _room(self, revision: Revision) -> bool:
        """Tell whether `maximumPercent` lets a task be started before another is stopped."""
        service = self._fleet.service
        rolls = service.configuration["strategy"] == "ROLLING"  # whose tasks of all revisions count
        tasks = sum(
            (rolls or replica.revision is revision) and not replica.stopped
            for replica in self._fleet.replicas.values()
        )
        return bool(tasks < service.desired_count * service.configuration["maximumPercent"] // 100)

    async def _finish(self) -> bool:
        """Keep unhealthy tasks that have recovered, and retire those in whose place others are healthy."""
        done = False
        for replica in [each for each in self._fleet.replicas.values() if each.phase is Phase.REPLACING]:
            revision = replica.revision
            if replica.fit and revision.desired:
                replica.phase, replica.unhealthy, replica.stop_reason = Phase.SERVING, False, ""
                replica.counted = False
                self._fleet.recovered(revision)
            elif replica.running and self._fleet.healthy(revision) >= revision.desired:
                await self._fleet.retire([replica])
            else:
                continue
            done = True
        return done
