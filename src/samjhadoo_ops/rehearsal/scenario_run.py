"""Playing a scenario: the candidate is deployed, things happen to it, and how it ends is observed."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from samjhadoo_ops import stack
from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.journal import Journal
from samjhadoo_ops.deployment.lock import read_lock
from samjhadoo_ops.deployment.objects import S3Objects
from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.rehearsal.database import DatabaseFreezer
from samjhadoo_ops.rehearsal.faults import EmulatorFaults
from samjhadoo_ops.rehearsal.findings import Observed, findings
from samjhadoo_ops.rehearsal.load import LoadGenerator
from samjhadoo_ops.rehearsal.observer import Observer
from samjhadoo_ops.rehearsal.scenario import BEFORE, ENDED, EVENT, PHASES, STARTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.rehearsal.project import Command, Project
    from samjhadoo_ops.rehearsal.scenario import Scenario, ScenarioStep

TICK = 0.02
"""Real seconds between two looks at whether a step is due."""

LONGEST = 300.0
"""Real seconds after which a scenario is given up."""

_SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}


@dataclass(frozen=True)
class ScenarioResult:
    """A scenario that was played.

    Attributes:
        problems: What is not as expected; empty when it passed.
        seconds: Real seconds it took.

    """

    scenario: Scenario
    observed: Observed | None
    problems: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Tell whether it ended as it has to."""
        return not self.problems


@dataclass
class ScenarioRun:
    """One performance of a scenario, in a project whose release before is deployed."""

    project: Project
    scenario: Scenario
    teller: Any
    _problems: list[str] = field(default_factory=list)

    def run(self) -> ScenarioResult:
        """ScenarioRun it; whatever goes wrong is one of its problems."""
        began = time.monotonic()
        self.project.settings = dict(self.scenario.settings)
        observed: Observed | None = None
        try:
            self.project.apply(self.scenario.release)
            try:
                observed = self._perform()
            finally:
                if observed is None or observed.who != "new":
                    self.project.withdraw()
            problems = tuple(findings(self.scenario.expect, observed))
        except OpsError as error:
            problems = (*self._problems, error.message, *error.details[-5:])
        except Exception as error:  # noqa: BLE001 - a scenario that breaks must not end the others
            problems = (*self._problems, f"{type(error).__name__}: {error}")
        finally:
            self.project.settings = {}
        return ScenarioResult(self.scenario, observed, problems, time.monotonic() - began)

    def _perform(self) -> Observed:
        env = self.project.environment()
        endpoints = stack.ensure_up(env, self.teller, start=False)
        clock = Clock(minute=env.clock.minute, origin=endpoints.clock_origin)
        aws = Aws(env, endpoints.aws)
        observer = Observer(env, aws)
        before = observer.serving().shares
        old = max(before, key=lambda each: before[each], default="")
        _, left = records(env, aws)
        load = LoadGenerator(urljoin(endpoints.production, self.scenario.load.path), self.scenario.load.rate)
        with EmulatorFaults(endpoints.aws, env) as control, DatabaseFreezer(env) as freezer, load, observer:
            script = StepRunner(self.project, aws, clock, observer, control, freezer)
            self._act(script)
            control.clear()  # what is asked from now on has to be answered
            self._settle(observer)
            serving = observer.serving()
        deploy = script.deploys[-1]
        fault = script.fault_at or observer.exposed or observer.began
        lock, unfinished = records(env, aws)
        return Observed(
            exit_code=deploy.code,
            result=deploy.result.get("exit_code"),
            outcome=str(deploy.result.get("outcome", "")),
            told=deploy.told,
            serving=serving,
            old=old,
            lock=lock,
            unfinished=tuple(deploy for deploy in unfinished if deploy not in left),
            requests=load.requests,
            failed=len(load.failures),
            detect=_between(fault, observer.detected, clock),
            restore=_between(fault, observer.restored, clock),
            steps=tuple(self._problems),
            failures=tuple(dict.fromkeys(failure.reason for failure in load.failures)),
        )

    def _act(self, script: StepRunner) -> None:
        """Start the deploy, do each step when it is due, and wait for the end of everything."""
        before = [step for step in self.scenario.steps if step.at == BEFORE]
        for step in before:
            script.do(step)
        deploy = self.project.start("deploy", "--yes", *self.scenario.arguments)
        script.deploys.append(deploy)
        deadline = time.monotonic() + LONGEST
        for step in self.scenario.steps[len(before) :]:
            script.await_turn(step, deadline)
            script.do(step)
        for command in script.deploys:
            command.wait(max(1.0, deadline - time.monotonic()))
        for step, command in script.others:
            code = command.wait(max(1.0, deadline - time.monotonic()))
            if code != step.exit_code:
                said = command.result.get("message", "")
                self._problems.append(
                    f"{' '.join(step.arguments)} exited with {code}, expected {step.exit_code}: {said}"
                )

    def _settle(self, observer: Observer) -> None:
        """Wait until ECS has ended what it does by itself, such as what a dead deploy left to it."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            serving = observer.serving()
            tasks = sum(serving.running.values())
            if not serving.ongoing and tasks == serving.desired and len(serving.running) == 1:
                return
            time.sleep(TICK * 5)


@dataclass
class StepRunner:
    """What the steps are done with."""

    project: Project
    aws: Aws
    clock: Clock
    observer: Observer
    control: EmulatorFaults
    freezer: DatabaseFreezer
    deploys: list[Command] = field(default_factory=list)
    others: list[tuple[ScenarioStep, Command]] = field(default_factory=list)
    fault_at: float | None = None

    def await_turn(self, step: ScenarioStep, deadline: float) -> None:
        """Wait until a step is due.

        Raises:
            OpsError: It never is: the deploy ended before, or it took too long.

        """
        due = self._due(step)
        while not due():
            over = self.deploys[-1].code is not None and not self._goes_on(step)
            if time.monotonic() > deadline or (over and not due()):
                last = self.observer.samples[-1].phase.value if self.observer.samples else "not begun"
                message = self.deploys[-1].result.get("message", "")
                raise OpsError(
                    f"{step.at!r} never came, so that {step.do} could not be done; the deployment was "
                    f"{last}, the deploy exited with {self.deploys[-1].code}: {message}",
                    details=tuple(self.deploys[-1].told.splitlines()[-5:]),
                )
            time.sleep(TICK)
        self.clock.sleep(step.after)

    def do(self, step: ScenarioStep) -> None:
        """Do a step."""
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
            self._break(step)

    def _break(self, step: ScenarioStep) -> None:
        if step.do == "fault":
            self.control.add(step.fault)
        elif step.do == "alarm":
            self._set_alarm(step.alarm, "ALARM")
        else:
            self.freezer.freeze()

    def _set_alarm(self, name: str, state: str) -> None:
        """Put an alarm into a state in which it stays: its metric never has data, which it ignores."""
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
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="The rehearsal says so")

    def _due(self, step: ScenarioStep) -> Callable[[], bool]:
        if step.at == STARTED:
            return lambda: True
        if step.at == ENDED:
            return lambda: self.deploys[-1].code is not None
        if step.at.startswith(EVENT):
            event = step.at.removeprefix(EVENT).strip()
            return lambda: any(deploy.has_told(event) for deploy in self.deploys)
        phase = PHASES[step.at]
        return lambda: self.observer.reached(phase)

    def _goes_on(self, step: ScenarioStep) -> bool:
        """Tell whether the deployment goes on at ECS without the deploy, so that a phase can come yet."""
        last = self.observer.samples[-1] if self.observer.samples else None
        return step.at in PHASES and last is not None and not last.phase.ended


def records(env: Environment, aws: Aws) -> tuple[str, tuple[str, ...]]:
    """Return who holds the lock (empty: nobody), and the deploys whose end the journal does not have."""
    journal = Journal(
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
