"""The loop of one service: watches its tasks, walks its deployment, starts, registers, drains and stops."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.deployments import breaker, machine, rolling
from samjhadoo_emulator.ecs.deployments.machine import Observation, Status
from samjhadoo_emulator.ecs.deployments.steps import SHIFT_STAGES, Stage, rolling_steps
from samjhadoo_emulator.ecs.scheduler.alarms import AlarmWatch
from samjhadoo_emulator.ecs.scheduler.balancer import Balancer, networking_problem
from samjhadoo_emulator.ecs.scheduler.hooks import HookCaller
from samjhadoo_emulator.ecs.scheduler.service_tasks import ServiceTasks
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.eventbridge import EventBridgePublisher
    from samjhadoo_emulator.ecs.model import Deployment, Revision, Service
    from samjhadoo_emulator.ecs.scheduler.hooks import Spawn
    from samjhadoo_emulator.ecs.tasks import Tasks
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)
AFTER_ERROR = 0.5
"""Real seconds before the loop tries again after an unexpected error."""


class Scheduler:
    """Runs one service until it is deleted.

    Everything happens in `_turn`, in one task of the event loop; clients' calls change the model between
    two turns and wake it.
    """

    def __init__(
        self,
        service: Service,
        tasks: Tasks,
        aws: AwsApi,
        host: Host,
        *,
        publisher: EventBridgePublisher,
        spawn: Spawn,
    ) -> None:
        self.service = service
        self._clock = host.clock
        self._publisher = publisher
        self._published: dict[str, machine.State] = {}
        self._hooks = HookCaller(aws, host.clock, spawn, self.wake)
        self._balancer = Balancer(aws)
        self._alarms = AlarmWatch(aws, host)
        self._tasks = ServiceTasks(
            service, tasks, self._balancer, host.clock, impaired=lambda: publisher.starts_impaired(service)
        )
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Run the next turn at once."""
        self._wake.set()

    def clock_jumped(self) -> None:
        """Check everything that waits for a time."""
        self._alarms.poll_now()
        self._hooks.clock_jumped()
        self.wake()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return running and pending tasks by revision number."""
        return self._tasks.counts()

    async def run(self) -> None:
        """Run until the service is gone."""
        while self.service.status != "INACTIVE":
            self._wake.clear()
            try:
                pause = await self._turn()
            except Exception:
                log.exception("scheduler of %s", self.service.name)
                pause = AFTER_ERROR
            if pause is None or pause > 0:
                await self._sleep(pause)
            else:
                await asyncio.sleep(0)

    async def _sleep(self, pause: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()

    async def _turn(self) -> float | None:
        """Observe, decide, act once. Return real seconds until the next turn is due; None: when woken."""
        service = self.service
        for event in await self._tasks.observe():
            current = service.current
            if current and event.revision is current.target:
                plan = current.plan
                current.breaker = event.count(
                    current.breaker, resets=plan.breaker_resets, strictly=plan.breaker_strict
                )
        moved = await self._walk()
        self._want()
        acted = await self._tasks.act()
        if service.status == "DRAINING" and not self._tasks.replicas:
            service.status = "INACTIVE"
            return 0.0
        self._record_steadiness()
        if moved or acted:
            return 0.0
        return self._due()

    async def _walk(self) -> bool:
        """Advance every ongoing deployment by at most one transition; return whether any moved."""
        moved = False
        for deployment in [each for each in self.service.deployments if each.ongoing]:
            self._publish(deployment)
            if deployment is not self.service.current:
                deployment.state = machine.advance(
                    deployment.plan, deployment.state, Observation(self._clock.timestamp())
                )
                moved = True
            else:
                moved = await self._advance(deployment) or moved
            self._publish(deployment)
        return moved

    def _publish(self, deployment: Deployment) -> None:
        """Publish what changed to EventBridge, and invoke the Lambda functions of hooks."""
        state, before = deployment.state, self._published.get(deployment.arn)
        if state is before:
            return
        self._publisher.deployment_changed(self.service, deployment, before)
        if state.hooks:
            self._hooks.call(self.service, deployment)
        if state.terminal:
            self._published.pop(deployment.arn, None)
        else:
            self._published[deployment.arn] = state

    async def _advance(self, deployment: Deployment) -> bool:
        before = deployment.state
        if before.status is Status.PENDING:
            deployment.alarms_ignored = await self._alarms.already_firing(deployment)
            await self._plan_rolling_bake(deployment)
            problem = await self._problem(deployment)
        else:
            problem = await self._shift(deployment)
        alarms = await self._alarms.firing(deployment)
        seen = _observe(
            self.service,
            deployment,
            self._tasks,
            now=self._clock.timestamp(),
            alarms=alarms,
            problem=problem,
        )
        state = deployment.state  # a client may have changed it in the meantime
        if problem and state.status is Status.PENDING:
            state = machine.advance(deployment.plan, state, Observation(seen.now))
        deployment.state = machine.advance(deployment.plan, state, seen)
        self._record(deployment, before)
        return deployment.state is not before

    async def _plan_rolling_bake(self, deployment: Deployment) -> None:
        bake = await self._alarms.rolling_bake(deployment) if _rolls(deployment) else 0.0
        if bake:
            steps = rolling_steps(deployment.plan.configuration, bake=bake)
            deployment.state = replace(deployment.state, steps=steps)

    async def _problem(self, deployment: Deployment) -> str:
        if _rolls(deployment):
            return ""
        if len(deployment.sources) > 1:
            return ""  # RECONCILE_SERVICE puts the rules right first
        return await self._balancer.problem(
            self.service, deployment.sources[0] if deployment.sources else None
        )

    async def _shift(self, deployment: Deployment) -> str:
        """Bring the current step's traffic percentages into effect; return why that failed, or nothing."""
        state = deployment.state
        shifting = state.status in (Status.IN_PROGRESS, Status.ROLLBACK_IN_PROGRESS)
        if not shifting or state.step.stage not in SHIFT_STAGES:
            return ""
        wanted = (state.step.production, state.step.test)
        if deployment.weights == wanted:
            return ""
        try:
            await self._balancer.shift(self.service, deployment, production=wanted[0], test=wanted[1])
        except AwsError as error:
            log.warning("shifting traffic of %s: %s", self.service.name, error.message)
            if "Throttl" in error.code:
                raise  # tried again
            return networking_problem(self.service, error)
        deployment.weights = wanted
        return ""

    def _want(self) -> None:
        """Set how many tasks of each revision are wanted now."""
        service, deployment = self.service, self.service.current
        if service.status != "ACTIVE" or deployment is None:
            for revision in service.revisions.values():
                revision.desired = 0
            return
        if deployment.state.status in (Status.STOPPED, Status.ROLLBACK_FAILED):
            deployment.target.stalled = True
            return
        if deployment.state.status is Status.PENDING or _unreconciled(deployment):
            return  # the tasks that may get traffic stay until the rules are right
        wanted = self._wanted(deployment)
        for revision in service.revisions.values():
            revision.desired = wanted.get(revision.number, 0)

    def _wanted(self, deployment: Deployment) -> dict[str, int]:
        count = self.service.desired_count
        survivor = deployment.survivor or deployment.target
        if _rolls(deployment):  # also after an early success, until the other tasks are gone
            return self._rolling(deployment, survivor)
        if deployment.state.terminal:
            return {survivor.number: count}
        step = deployment.state.step
        wanted = {deployment.target.number: count if step.target else 0}
        source = deployment.candidate or (deployment.sources[0] if deployment.sources else None)
        if source is not None:
            wanted[source.number] = count if step.source else 0
        return wanted

    def _rolling(self, deployment: Deployment, arriving: Revision) -> dict[str, int]:
        others = [each for each in self.service.revisions.values() if each is not arriving]
        leaving = {each.number: self._tasks.serving(each) for each in others}
        configuration = deployment.plan.configuration
        aim = rolling.wanted(
            self.service.desired_count,
            minimum_percent=configuration["minimumHealthyPercent"],
            maximum_percent=configuration["maximumPercent"],
            arriving=self._tasks.serving(arriving),
            arriving_healthy=self._tasks.healthy(arriving),
            leaving=sum(leaving.values()),
            replacing=self._tasks.replacing,
        )
        wanted, left = {arriving.number: aim.arriving}, aim.leaving
        for number, serving in sorted(leaving.items(), key=lambda entry: -entry[1]):
            wanted[number] = min(serving, left)
            left -= wanted[number]
        return wanted

    def _record(self, deployment: Deployment, before: machine.State) -> None:
        state, name = deployment.state, f"(deployment ecs-svc/{deployment.target.number})"
        if state.status is before.status:
            return
        if state.status is Status.SUCCESSFUL:
            self.service.successful = deployment.target
            self._tasks.event(f"{name} deployment completed.")
        elif state.status is Status.ROLLBACK_IN_PROGRESS:
            self._tasks.event(_failure(deployment, name))
            if deployment.candidate:
                self._tasks.event(f"rolling back to deployment ecs-svc/{deployment.candidate.number}.")
        elif state.status is Status.ROLLBACK_SUCCESSFUL and deployment.candidate:
            self._tasks.event(f"(deployment ecs-svc/{deployment.candidate.number}) deployment completed.")
        elif state.status in (Status.ROLLBACK_FAILED, Status.STOPPED):
            self._tasks.event(_failure(deployment, name))
        self.service.steady = False

    def _record_steadiness(self) -> None:
        service, deployment = self.service, self.service.current
        if deployment is None or deployment.ongoing or service.status != "ACTIVE":
            service.steady = False
            return
        steady = self._tasks.steady(deployment.survivor or deployment.target)
        if steady and not service.steady:
            self._tasks.event("has reached a steady state.")
            self._publisher.steady(service)
        service.steady = steady

    def _due(self) -> float | None:
        times = [self._tasks.due()]
        deployment = self.service.current
        if deployment is not None and deployment.ongoing:
            at = machine.deadline(deployment.plan, deployment.state)
            if at is not None:
                times.append(max(0.001, self._clock.real(at - self._clock.timestamp())))
            times.append(self._alarms.due(deployment))
        waits = [wait for wait in times if wait is not None]
        return min(waits) if waits else None


def _observe(
    service: Service,
    deployment: Deployment,
    tasks: ServiceTasks,
    *,
    now: float,
    alarms: tuple[str, ...],
    problem: str,
) -> Observation:
    """Return what the state machine has to know now: of tasks, traffic, breaker and alarms."""
    step = deployment.state.step
    source = deployment.candidate or (deployment.sources[0] if deployment.sources else None)
    kept = [deployment.target] * step.target + ([source] if step.source and source else [])
    configuration = deployment.plan.breaker
    limit = breaker.threshold(configuration, service.desired_count)
    return Observation(
        now=now,
        target_ready=tasks.ready(deployment.target, percent=step.healthy),
        source_ready=source is None or tasks.ready(source),
        others_gone=tasks.only(kept),
        weights=None if _rolls(deployment) else _weights(deployment),
        breaker_tripped=bool(configuration.get("enable")) and deployment.breaker.failures >= limit,
        alarms=alarms,
        problem=problem,
    )


def _weights(deployment: Deployment) -> tuple[float, float]:
    step = deployment.state.step
    return deployment.weights if step.stage in SHIFT_STAGES else (step.production, step.test)


def _failure(deployment: Deployment, name: str) -> str:
    """Return the service event of a deployment that failed: AWS words it by strategy and cause."""
    reason = deployment.state.reason
    if not _rolls(deployment):
        return f"deployment failed: {reason}"
    if reason.endswith(machine.BREAKER_TRIPPED):
        return f"{name} deployment failed: tasks failed to start."
    return f"{name} deployment failed: {reason}"


def _unreconciled(deployment: Deployment) -> bool:
    """Return whether RECONCILE_SERVICE has yet to take the traffic from what was superseded."""
    state = deployment.state
    reconciles = state.status is Status.IN_PROGRESS and state.step.stage is Stage.RECONCILE_SERVICE
    return reconciles and deployment.weights != (state.step.production, state.step.test)


def _rolls(deployment: Deployment) -> bool:
    return deployment.plan.rolling
