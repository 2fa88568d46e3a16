"""A deploy of all services of an environment, each by a process of its own, in their order.

When one fails, `[rollout] on_failure` says what becomes of the others. To roll back, a deployment that runs
is stopped, one that has succeeded is gone back from, and a deploy that has not started one yet is ended.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.interrupts import held_back
from samjhadoo_ops.errors import ExitCode, OpsError
from samjhadoo_ops.fleet.crew import Crew
from samjhadoo_ops.fleet.schedule import REGARDLESS, Schedule, among, reversed_order
from samjhadoo_ops.fleet.severity import known, most_severe

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.fleet.crew import Worker

COLUMNS = ("Service", "Outcome", "Exit", "Detail")
DEPLOY, ROLLBACK = "deploy", "rollback"
_HARMLESS = frozenset({ExitCode.SUCCEEDED, ExitCode.WAITING})
_SETTLED = frozenset(
    {ExitCode.NEEDS_A_PERSON, ExitCode.ROLLED_BACK, ExitCode.WAITING, ExitCode.REFUSED, ExitCode.USAGE}
)
"""Endings of a deploy that leave nothing to take back, or nothing that a machine may decide."""


class ServicesFailed(OpsError):
    """Not every service was deployed; the exit code is the gravest one's."""

    def __init__(self, message: str, code: ExitCode, *, hint: str, details: tuple[str, ...]) -> None:
        super().__init__(message, hint=hint, details=details)
        self.exit_code = code


@dataclass
class Ended:
    """How a service ended; without an exit code when it was not started."""

    outcome: str
    code: ExitCode | None = None
    detail: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as data."""
        code = None if self.code is None else int(self.code)
        return {"outcome": self.outcome, "exit_code": code, "message": self.detail, **self.fields}


class DeployAll:
    """One deploy of several services.

    Args:
        env: The environment with its services.
        arguments: Options of each service's deploy.
        options: Options of deploy and rollback alike.
        only: The services; all by default.
        crew: Who runs the verbs.

    """

    def __init__(
        self,
        env: Environment,
        console: Console,
        *,
        arguments: Sequence[str],
        options: Sequence[str] = (),
        only: Collection[str] | None = None,
        crew: Crew | None = None,
    ) -> None:
        self._console = console
        self._policy = env.rollout.on_failure
        self._parallel = env.rollout.parallel
        self._arguments = [*options, *arguments]
        self._options = list(options)
        order = {name: service.after for name, service in env.services.items()}
        self._order = among(order, order.keys() if only is None else only)
        self._crew = crew or Crew(env.root)
        self._deploys: dict[str, Worker] = {}
        self._rollbacks: dict[str, Worker] = {}

    def run(self) -> dict[str, Ended]:
        """Deploy; return how each service ended, in their order.

        Raises:
            KeyboardInterrupt: After every service's deploy has ended as its settings say.
            SystemExit: The same, after SIGTERM.

        """
        schedule = Schedule(self._order, parallel=self._parallel, on_failure=self._policy)
        try:
            while not schedule.over:
                for name in schedule.due():
                    schedule.start(name)
                    self._deploys[name] = self._start(name, DEPLOY, self._arguments)
                for worker in self._listen():
                    if worker.verb == DEPLOY:
                        well = known(worker.code or 0) is ExitCode.SUCCEEDED
                        schedule.end(worker.service, well=well)
                        self._react(worker)
            self._go_back()
        except (KeyboardInterrupt, SystemExit) as interrupt:
            self._end_all(signal.SIGINT if isinstance(interrupt, KeyboardInterrupt) else signal.SIGTERM)
            self._console.note(services=self._documents(self._endings(schedule)))
            raise
        return self._endings(schedule)

    def show(self, ended: dict[str, Ended]) -> None:
        """Show the table of the services and the result.

        Raises:
            ServicesFailed: Not all were deployed.

        """
        self._console.note(services=self._documents(ended))
        rows = [
            (name, each.outcome, "" if each.code is None else int(each.code), each.detail)
            for name, each in ended.items()
        ]
        self._console.table(COLUMNS, rows, event="service-ended")
        code = most_severe(int(each.code) for each in ended.values() if each.code is not None)
        if code is ExitCode.SUCCEEDED:
            names = ", ".join(ended)
            self._console.result("succeeded", code, f"deployed, or as they should be: {names}")
            return
        bad = [f"{name}: {each.outcome}" for name, each in ended.items() if each.code]
        hints = [f"{name}: {hint}" for name, each in ended.items() if (hint := each.fields.get("hint"))]
        raise ServicesFailed(
            f"not every service was deployed: {', '.join(bad)}",
            code,
            hint="see each service: invoke status; what was not started: invoke deploy",
            details=tuple(hints),
        )

    def _start(self, service: str, verb: str, arguments: Sequence[str]) -> Worker:
        # A signal must not be heard before the worker is known that it has to be passed on to.
        with held_back():
            return self._crew.start(service, verb, arguments)

    def _listen(self) -> list[Worker]:
        """Tell what the workers say; return those that have ended."""
        ended = []
        for worker, said in self._crew.listen():
            if said is None:
                ended.append(worker)
            else:
                self._tell(worker, said)
        return ended

    def _tell(self, worker: Worker, said: dict[str, Any]) -> None:
        told = {key: value for key, value in said.items() if key not in {"event", "message", "service"}}
        event, message = str(said.get("event", "")), str(said.get("message", ""))
        if event == "result":
            message = f"{worker.verb} {said.get('outcome', '')}: {message}"
        fields = {**told, "service": worker.service, "told": event}
        if message:
            self._console.event("service", f"{worker.service}: {message}", **fields)
        else:
            self._console.state("service", **fields)

    def _react(self, failed: Worker) -> None:
        """When a service has failed and the policy says so, take back what runs."""
        if self._policy != "rollback" or known(failed.code or 0) in _HARMLESS:
            return
        for worker in list(self._crew.workers):
            if worker.verb != DEPLOY or worker.service in self._rollbacks:
                continue
            if worker.deployment:
                self._console.event(
                    "service", f"{worker.service}: {failed.service} failed, so it is taken back"
                )
                self._take_back(worker)
            else:
                self._console.event("service", f"{worker.service}: {failed.service} failed, so it is ended")
                self._crew.signal(signal.SIGTERM, worker)

    def _take_back(self, deploy: Worker) -> None:
        arguments = [*self._options, "--deployment", deploy.deployment]
        self._rollbacks[deploy.service] = self._start(deploy.service, ROLLBACK, arguments)

    def _go_back(self) -> None:
        """When a service has failed and the policy says so, take back what was deployed, the last first."""
        failed = [each for each in self._deploys.values() if known(each.code or 0) not in _HARMLESS]
        wanted = {
            name
            for name, each in self._deploys.items()
            if each.deployment and name not in self._rollbacks and known(each.code or 0) not in _SETTLED
        }
        back = reversed_order(among(self._order, wanted)) if failed and self._policy == "rollback" else {}
        schedule = Schedule(back, parallel=self._parallel, on_failure=REGARDLESS)
        while not schedule.over or self._crew.workers:
            for name in schedule.due():
                self._console.event("service", f"{name}: {failed[0].service} failed, so it is taken back")
                schedule.start(name)
                self._take_back(self._deploys[name])
            for worker in self._listen():
                if worker.service in schedule.running:
                    schedule.end(worker.service, well=not worker.code)

    def _end_all(self, signum: int) -> None:
        """Pass a signal on and wait until everybody has ended; each further one is passed on, too."""
        self._crew.signal(signum)
        while self._crew.workers:
            try:
                self._listen()
            except KeyboardInterrupt:
                self._crew.signal(signal.SIGINT)
            except SystemExit:
                self._crew.signal(signal.SIGTERM)

    def _endings(self, schedule: Schedule) -> dict[str, Ended]:
        return {name: self._ending(name, schedule) for name in self._order}

    def _ending(self, name: str, schedule: Schedule) -> Ended:
        deploy, rollback = self._deploys.get(name), self._rollbacks.get(name)
        if deploy is None:
            return Ended("not started", detail=schedule.barred(name) or "interrupted")
        result = (rollback or deploy).result
        detail = str(result.get("message", ""))
        kept = ("release", "deploy", "deployment", "hint")
        fields = {key: result[key] for key in kept if result.get(key)}
        if rollback is None:
            code = known(deploy.code or 0)
            outcome = str(
                result.get("outcome") or ("killed" if (deploy.code or 0) < 0 else code.name.lower())
            )
            return Ended(outcome.replace("_", " "), code, detail, fields)
        if rollback.code == 0:
            return Ended("rolled back", ExitCode.ROLLED_BACK, detail, fields)
        return Ended("not rolled back", ExitCode.NEEDS_A_PERSON, detail, fields)

    @staticmethod
    def _documents(ended: dict[str, Ended]) -> dict[str, Any]:
        return {name: each.document() for name, each in ended.items()}
