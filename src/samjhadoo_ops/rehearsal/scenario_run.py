"""Playing a scenario: the candidate is deployed, steps are taken meanwhile, and the ending is observed."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from samjhadoo_ops import stack
from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.journal import DeploymentJournal
from samjhadoo_ops.deployment.lock import read_lock
from samjhadoo_ops.deployment.objects import S3Objects
from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.rehearsal.faults import DatabaseFreezer, EmulatorFaults
from samjhadoo_ops.rehearsal.findings import Observed, findings
from samjhadoo_ops.rehearsal.observer import Observer
from samjhadoo_ops.rehearsal.scenario import BEFORE, ENDED, EVENT, PHASES, STARTED
from samjhadoo_ops.stack.load import LoadGenerator

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.rehearsal.project import Project
    from samjhadoo_ops.rehearsal.scenario import Scenario, ScenarioStep
    from samjhadoo_ops.task_process import TaskProcess

TICK = 0.02
"""Real seconds between two checks whether a step is due."""

LONGEST = 300.0
"""Real seconds after which a scenario is aborted."""

_SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}


@dataclass(frozen=True)
class ScenarioResult:
    """The result of a scenario that was played.

    Attributes:
        observed: How it ended; None if it was aborted.
        problems: What is not as expected; empty when it passed.
        seconds: How many real seconds it took.
    """

    scenario: Scenario
    observed: Observed | None
    problems: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it ended as expected."""
        return not self.problems


@dataclass
class ScenarioRun:
    """One run of a scenario, in a project whose previous release is deployed."""

    project: Project
    scenario: Scenario
    console: Console
    _problems: list[str] = field(default_factory=list)

    def run(self) -> ScenarioResult:
        """Play it; any error is one of its problems."""
        began = time.monotonic()
        self.project.settings = dict(self.scenario.settings)
        observed: Observed | None = None
        try:
            self.project.apply(self.scenario.release)
            try:
                observed = self._play()
            finally:
                if observed is None or observed.release != "new":
                    self.project.withdraw()
            problems = tuple(findings(self.scenario.expect, observed))
        except OpsError as error:
            problems = (*self._problems, error.message, *error.details[-5:])
        except Exception as error:  # noqa: BLE001 - the other scenarios have to run all the same
            problems = (*self._problems, f"{type(error).__name__}: {error}")
        finally:
            self.project.settings = {}
        return ScenarioResult(self.scenario, observed, problems, time.monotonic() - began)

    def _play(self) -> Observed:
        env = self.project.environment()
        endpoints = stack.ensure_up(env, self.console, start=False)
        clock = Clock(minute=env.clock.minute, origin=endpoints.clock_origin)
        aws = Aws(env, endpoints.aws)
        observer = Observer(env, aws)
        before = observer.service_state().shares
        old = max(before, key=lambda each: before[each], default="")
        _, unfinished_before = records(env, aws)
        load = LoadGenerator(urljoin(endpoints.production, self.scenario.load.path), self.scenario.load.rate)
        with EmulatorFaults(endpoints.aws, env) as faults, DatabaseFreezer(env) as freezer, load, observer:
            steps = StepRunner(self.project, aws, clock, observer, faults, freezer)
            self._run_steps(steps)
            faults.clear()  # from now on every call has to be answered
            self._settle(observer)
            service = observer.service_state()
        deploy = steps.deploys[-1]
        fault = steps.fault_at or observer.exposed or observer.began
        lock, unfinished = records(env, aws)
        return Observed(
            exit_code=deploy.code,
            result=deploy.result.get("exit_code"),
            outcome=str(deploy.result.get("outcome", "")),
            output=deploy.output,
            service=service,
            old=old,
            lock=lock,
            unfinished=tuple(deploy for deploy in unfinished if deploy not in unfinished_before),
            requests=load.requests,
            failed=load.failures.total(),
            detect=_between(fault, observer.detected, clock),
            restore=_between(fault, observer.restored, clock),
            steps=tuple(self._problems),
            failures=tuple(load.failures),
        )

    def _run_steps(self, runner: StepRunner) -> None:
        """Start the deploy, run each step when it is due, and wait until all commands have ended."""
        before = [step for step in self.scenario.steps if step.at == BEFORE]
        for step in before:
            runner.run(step)
        deploy = self.project.start("deploy", "--yes", *self.scenario.arguments)
        runner.deploys.append(deploy)
        deadline = time.monotonic() + LONGEST
        for step in self.scenario.steps[len(before) :]:
            runner.wait_until_due(step, deadline)
            runner.run(step)
        for command in runner.deploys:
            command.wait(max(1.0, deadline - time.monotonic()))
        for step, command in runner.others:
            code = command.wait(max(1.0, deadline - time.monotonic()))
            if code != step.exit_code:
                message = command.result.get("message", "")
                self._problems.append(
                    f"{' '.join(step.arguments)} exited with {code}, expected {step.exit_code}: {message}"
                )

    def _settle(self, observer: Observer) -> None:
        """Wait until ECS has finished, for example the rollback that a killed deploy left to it."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            service = observer.service_state()
            tasks = sum(service.running.values())
            if not service.ongoing and tasks == service.desired and len(service.running) == 1:
                return
            time.sleep(TICK * 5)


@dataclass
class StepRunner:
    """Runs the steps of a scenario.

    Attributes:
        others: The other commands, with their steps.
        fault_at: When the first fault was caused, in Unix seconds.
    """

    project: Project
    aws: Aws
    clock: Clock
    observer: Observer
    faults: EmulatorFaults
    freezer: DatabaseFreezer
    deploys: list[TaskProcess] = field(default_factory=list)
    others: list[tuple[ScenarioStep, TaskProcess]] = field(default_factory=list)
    fault_at: float | None = None

    def wait_until_due(self, step: ScenarioStep, deadline: float) -> None:
        """Wait until a step is due; raise `OpsError` if the deploy ends before, or takes too long."""
        due = self._due(step)
        while not due():
            over = self.deploys[-1].code is not None and not self._continues_at_ecs(step)
            if time.monotonic() > deadline or (over and not due()):
                phase = self.observer.samples[-1].phase.value if self.observer.samples else "not started"
                message = self.deploys[-1].result.get("message", "")
                raise OpsError(
                    f"{step.do} was not done, because {step.at!r} was never reached; the deployment was "
                    f"{phase}, the deploy exited with {self.deploys[-1].code}: {message}",
                    details=tuple(self.deploys[-1].output.splitlines()[-5:]),
                )
            time.sleep(TICK)
        self.clock.sleep(step.after)

    def run(self, step: ScenarioStep) -> None:
        """Run a step."""
        if step.do in _SIGNALS:
            self.deploys[-1].signal(_SIGNALS[step.do])
            if step.do == "kill":
                self.deploys[-1].wait(10)
        elif step.do == "resume":
            self.deploys[-1].wait()
            self.deploys.append(self.project.start("deploy", "--resume", "--yes"))
        elif step.do == "invoke":
            self.others.append((step, self.project.start(*step.arguments)))
        elif step.do == "quiet-alarm":
            self._set_alarm(step.alarm, "OK")
        elif step.do == "thaw-database":
            self.freezer.thaw()
        else:
            if step.at != BEFORE:
                self.fault_at = self.fault_at or time.time()
            self._cause_fault(step)

    def _cause_fault(self, step: ScenarioStep) -> None:
        if step.do == "fault":
            self.faults.add(step.fault)
        elif step.do == "alarm":
            self._set_alarm(step.alarm, "ALARM")
        else:
            self.freezer.freeze()

    def _set_alarm(self, name: str, state: str) -> None:
        """Set an alarm's state, which stays: its metric never has data, and it ignores missing data."""
        cloudwatch = self.aws.client("cloudwatch")
        if not cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace="Samjhadoo/Rehearsal",
                MetricName=name,
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=0.0,
                ComparisonOperator="GreaterThanThreshold",
                TreatMissingData="ignore",
            )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="Set by the rehearsal")

    def _due(self, step: ScenarioStep) -> Callable[[], bool]:
        if step.at == STARTED:
            return lambda: True
        if step.at == ENDED:
            return lambda: self.deploys[-1].code is not None
        if step.at.startswith(EVENT):
            event = step.at.removeprefix(EVENT).strip()
            return lambda: any(deploy.has_event(event) for deploy in self.deploys)
        phase = PHASES[step.at]
        return lambda: self.observer.reached(phase)

    def _continues_at_ecs(self, step: ScenarioStep) -> bool:
        """Return whether the deployment continues in ECS without the deploy, so that a phase may follow."""
        last = self.observer.samples[-1] if self.observer.samples else None
        return step.at in PHASES and last is not None and not last.phase.ended


def records(env: Environment, aws: Aws) -> tuple[str, tuple[str, ...]]:
    """Return the lock's owner (empty: none), and the deploys whose ending is missing in the journal."""
    journal = DeploymentJournal(
        S3Objects(aws.client("s3"), env.journal.bucket),
        prefix=env.journal.prefix,
        environment=env.name,
        service=env.service.name,
    )
    held = read_lock(journal.store, journal.lock_key)
    unfinished = tuple(entry.deploy for entry in journal.entries() if entry.finished is None)
    return (str(held[0]) if held and not held[0].released else ""), unfinished


def _between(start: float | None, end: float | None, clock: Clock) -> Duration | None:
    if start is None or end is None:
        return None
    return Duration(round(max(0.0, end - start) * clock.rate))
