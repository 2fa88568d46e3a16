"""A deploy of all services of an environment, in their order, each in a process of its own.

If one fails, `[rollout] on_failure` decides what happens to the others. To roll back means: a running
deployment is stopped, a finished one is replaced by the previous release, and a deploy that has not started
its deployment yet is ended.
"""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.interrupts import held_back
from samjhadoo_ops.errors import ExitCode, OpsError
from samjhadoo_ops.services.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.services.worker_pool import Worker

REGARDLESS = "regardless"
"""The value of `on_failure` where only the order counts, not success."""


class Schedule:
    """The services that are waiting, running and have ended.

    Args:
        after: For each service those that it comes after; unknown names are ignored.
        parallel: How many may run at once.
        on_failure: After a failure `stop` and `rollback` start nothing more, `continue` starts what does not
            come after the failed service, `regardless` everything.
    """

    def __init__(self, after: Mapping[str, Collection[str]], *, parallel: int, on_failure: str) -> None:
        self._after = {name: set(others) & after.keys() for name, others in after.items()}
        self._parallel = parallel
        self._on_failure = on_failure
        self.waiting = list(after)
        self.running: list[str] = []
        self.ended: dict[str, bool] = {}

    @property
    def over(self) -> bool:
        """Whether nothing is running and nothing will start."""
        return not self.running and not self.due()

    def due(self) -> list[str]:
        """Return the services to start now."""
        ready = [name for name in self.waiting if self._ready(name) and not self.barred(name)]
        return ready[: max(0, self._parallel - len(self.running))]

    def start(self, name: str) -> None:
        """Record that a service has started."""
        self.waiting.remove(name)
        self.running.append(name)

    def end(self, name: str, *, well: bool) -> None:
        """Record that a service has ended."""
        self.running.remove(name)
        self.ended[name] = well

    def barred(self, name: str) -> str:
        """Return why a waiting service will not be started; empty if it may be."""
        if self._on_failure == REGARDLESS:
            return ""
        failed = [other for other, well in self.ended.items() if not well]
        if failed and self._on_failure != "continue":
            return f"{failed[0]} did not succeed"
        before = self.before(name)
        cause = next((other for other in failed if other in before), "")
        return f"it comes after {cause}, which did not succeed" if cause else ""

    def before(self, name: str) -> set[str]:
        """Return all services that a service comes after, directly or indirectly."""
        found: set[str] = set()
        ahead = list(self._after[name])
        while ahead:
            other = ahead.pop()
            if other not in found:
                found.add(other)
                ahead += self._after[other]
        return found

    def _ready(self, name: str) -> bool:
        return self._after[name] <= self.ended.keys()


def among(after: Mapping[str, Collection[str]], names: Collection[str]) -> dict[str, set[str]]:
    """Return the order of some of the services; their order by way of the others is kept."""
    everything = Schedule(after, parallel=1, on_failure=REGARDLESS)
    return {name: everything.before(name) & set(names) for name in after if name in names}


def reversed_order(after: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Return the reverse order."""
    return {
        name: {other for other, before in after.items() if name in before} for name in reversed(list(after))
    }


COLUMNS = ("Service", "Outcome", "Exit", "Detail")
DEPLOY, ROLLBACK = "deploy", "rollback"
_HARMLESS = frozenset({ExitCode.SUCCEEDED, ExitCode.WAITING})
_SETTLED = frozenset(
    {ExitCode.NEEDS_A_PERSON, ExitCode.ROLLED_BACK, ExitCode.WAITING, ExitCode.REFUSED, ExitCode.USAGE}
)
"""Exit codes of a deploy after which nothing can be rolled back, or a person has to decide."""

_FINE = frozenset({"ok", "skipped", "off"})
"""States of gates that are counted, not shown."""


class ServicesFailed(OpsError):
    """Not every service was deployed; the exit code is the most severe one."""

    def __init__(self, message: str, code: ExitCode, *, hint: str, details: tuple[str, ...]) -> None:
        super().__init__(message, hint=hint, details=details)
        self.exit_code = code


@dataclass
class ServiceEnding:
    """How the deploy of a service ended; without an exit code if it was not started."""

    outcome: str
    code: ExitCode | None = None
    detail: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def screen(self, service: str) -> Iterator[str]:
        """Yield why a service failed, as its own deploy shows it: the causes, what was changed, the hint."""
        yield f"{service}: {self.detail or self.outcome}"
        for title, key in (("", "details"), ("changed: ", "changed"), ("hint: ", "hint")):
            found = self.fields.get(key, ())
            for line in [found] if isinstance(found, str) else found:
                yield f"  {title}{line}"

    def document(self) -> dict[str, Any]:
        """Return it as data."""
        code = None if self.code is None else int(self.code)
        return {"outcome": self.outcome, "exit_code": code, "message": self.detail, **self.fields}


class DeployAll:
    """One deploy of several services.

    Args:
        arguments: Options of each service's deploy.
        options: Options of deploy and rollback alike.
        only: The services; all by default.
        pool: Runs the tasks.
    """

    def __init__(
        self,
        env: Environment,
        console: Console,
        *,
        arguments: Sequence[str],
        options: Sequence[str] = (),
        only: Collection[str] | None = None,
        pool: WorkerPool | None = None,
    ) -> None:
        self._console = console
        self._policy = env.rollout.on_failure
        self._parallel = env.rollout.parallel
        self._arguments = [*options, *arguments]
        self._options = list(options)
        order = {name: service.after for name, service in env.services.items()}
        self._order = among(order, order.keys() if only is None else only)
        self._pool = pool or WorkerPool(env.root)
        self._deploys: dict[str, Worker] = {}
        self._rollbacks: dict[str, Worker] = {}
        self._fine: Counter[str] = Counter()

    def run(self) -> dict[str, ServiceEnding]:
        """Deploy; return how each service's deploy ended, in their order.

        Raises:
            KeyboardInterrupt: After every deploy has ended as its settings require.
            SystemExit: The same, after SIGTERM.
        """
        schedule = Schedule(self._order, parallel=self._parallel, on_failure=self._policy)
        try:
            while not schedule.over:
                for name in schedule.due():
                    schedule.start(name)
                    self._start(self._deploys, name, DEPLOY, self._arguments)
                for worker in self._listen():
                    if worker.task == DEPLOY:
                        well = known(worker.code or 0) is ExitCode.SUCCEEDED
                        schedule.end(worker.service, well=well)
                        self._react(worker)
            self._roll_back()
        except (KeyboardInterrupt, SystemExit) as interrupt:
            self._end_all(signal.SIGINT if isinstance(interrupt, KeyboardInterrupt) else signal.SIGTERM)
            self._console.note(services=self._documents(self._endings(schedule)))
            raise
        return self._endings(schedule)

    def show(self, ended: dict[str, ServiceEnding]) -> None:
        """Show the table of the services and the result; raise `ServicesFailed` unless all were deployed."""
        self._console.note(services=self._documents(ended))
        rows = [
            (name, each.outcome, "" if each.code is None else int(each.code), each.detail)
            for name, each in ended.items()
        ]
        self._console.table(COLUMNS, rows, event="service-ended")
        code = most_severe(int(each.code) for each in ended.values() if each.code is not None)
        if code is ExitCode.SUCCEEDED:
            names = ", ".join(ended)
            self._console.result("succeeded", code, f"deployed or up to date: {names}")
            return
        bad = [f"{name}: {each.outcome}" for name, each in ended.items() if each.code]
        raise ServicesFailed(
            f"not every service was deployed: {', '.join(bad)}",
            code,
            hint="invoke status shows each service; invoke deploy starts what was not started",
            details=tuple(line for name, each in ended.items() if each.code for line in each.screen(name)),
        )

    def _start(self, workers: dict[str, Worker], service: str, task: str, arguments: Sequence[str]) -> None:
        # A signal has to wait until the worker is recorded: it is passed on to it, and its ending reported.
        with held_back():
            workers[service] = self._pool.start(service, task, arguments)

    def _listen(self) -> list[Worker]:
        """Show the workers' events; return the workers that have ended."""
        ended = []
        for worker, event in self._pool.listen():
            if event is None:
                ended.append(worker)
            else:
                self._show_event(worker, event)
        return ended

    def _show_event(self, worker: Worker, event: dict[str, Any]) -> None:
        rest = {key: value for key, value in event.items() if key not in {"event", "message", "service"}}
        name, message = str(event.get("event", "")), str(event.get("message", ""))
        if name == "result":
            message = f"{worker.task} {event.get('outcome', '')}: {message}"
        fields = {**rest, "service": worker.service, "told": name}
        if name == "gate" and rest.get("state") in _FINE and not self._console.verbose:
            self._fine[worker.service] += 1
            self._console.state("service", f"{worker.service}: {message}", **fields)
            return
        if count := self._fine.pop(worker.service, 0):
            self._console.remark(
                f"✔ {worker.service}: {count} check{'' if count == 1 else 's'} passed or skipped"
            )
        if message:
            self._console.event("service", f"{worker.service}: {message}", **fields)
        else:
            self._console.state("service", **fields)

    def _react(self, failed: Worker) -> None:
        """If a service has failed and the policy is to roll back, stop what is running."""
        if self._policy != "rollback" or known(failed.code or 0) in _HARMLESS:
            return
        for worker in list(self._pool.workers):
            if worker.task != DEPLOY or worker.service in self._rollbacks:
                continue
            if worker.deployment:
                self._console.event(
                    "service", f"{worker.service}: rolled back, because {failed.service} failed"
                )
                self._start_rollback(worker)
            else:
                self._console.event("service", f"{worker.service}: ended, because {failed.service} failed")
                self._pool.signal(signal.SIGTERM, worker)

    def _start_rollback(self, deploy: Worker) -> None:
        arguments = [*self._options, "--deployment", deploy.deployment]
        self._start(self._rollbacks, deploy.service, ROLLBACK, arguments)

    def _roll_back(self) -> None:
        """If a service has failed and the policy is to roll back, do so in reverse order."""
        failed = [each for each in self._deploys.values() if known(each.code or 0) not in _HARMLESS]
        wanted = {
            name
            for name, each in self._deploys.items()
            if each.deployment and name not in self._rollbacks and known(each.code or 0) not in _SETTLED
        }
        back = reversed_order(among(self._order, wanted)) if failed and self._policy == "rollback" else {}
        schedule = Schedule(back, parallel=self._parallel, on_failure=REGARDLESS)
        while not schedule.over or self._pool.workers:
            for name in schedule.due():
                self._console.event("service", f"{name}: rolled back, because {failed[0].service} failed")
                schedule.start(name)
                self._start_rollback(self._deploys[name])
            for worker in self._listen():
                if worker.service in schedule.running:
                    schedule.end(worker.service, well=not worker.code)

    def _end_all(self, signum: int) -> None:
        """Pass a signal on to all workers, and further ones, too, until they have ended."""
        self._pool.signal(signum)
        while self._pool.workers:
            try:
                self._listen()
            except KeyboardInterrupt:
                self._pool.signal(signal.SIGINT)
            except SystemExit:
                self._pool.signal(signal.SIGTERM)

    def _endings(self, schedule: Schedule) -> dict[str, ServiceEnding]:
        return {name: self._ending(name, schedule) for name in self._order}

    def _ending(self, name: str, schedule: Schedule) -> ServiceEnding:
        deploy, rollback = self._deploys.get(name), self._rollbacks.get(name)
        if deploy is None:
            return ServiceEnding("not started", detail=schedule.barred(name) or "interrupted")
        result = (rollback or deploy).result
        detail = str(result.get("message", ""))
        copied = ("release", "deploy", "deployment", "details", "changed", "hint", "failure")
        fields = {key: result[key] for key in copied if result.get(key)}
        if rollback is None:
            code = known(deploy.code or 0)
            outcome = str(
                result.get("outcome") or ("killed" if (deploy.code or 0) < 0 else code.name.lower())
            )
            return ServiceEnding(outcome.replace("_", " "), code, detail, fields)
        if rollback.code == 0:
            return ServiceEnding("rolled back", ExitCode.ROLLED_BACK, detail, fields)
        return ServiceEnding("not rolled back", ExitCode.NEEDS_A_PERSON, detail, fields)

    @staticmethod
    def _documents(ended: dict[str, ServiceEnding]) -> dict[str, Any]:
        return {name: each.document() for name, each in ended.items()}


MOST_SEVERE_FIRST = (
    ExitCode.NEEDS_A_PERSON,
    ExitCode.UNEXPECTED,
    ExitCode.TERMINATED,
    ExitCode.INTERRUPTED,
    ExitCode.ROLLED_BACK,
    ExitCode.WAITING,
    ExitCode.REFUSED,
    ExitCode.USAGE,
    ExitCode.SUCCEEDED,
)


def known(code: int) -> ExitCode:
    """Return a process's exit code as ours.

    A process that was killed (a negative code) leaves an unknown state.
    """
    if code < 0:
        return ExitCode.NEEDS_A_PERSON
    try:
        return ExitCode(code)
    except ValueError:
        return ExitCode.UNEXPECTED


def most_severe(codes: Iterable[int]) -> ExitCode:
    """Return the most severe of some exit codes; success if there are none."""
    found = {known(code) for code in codes}
    return next((code for code in MOST_SEVERE_FIRST if code in found), ExitCode.SUCCEEDED)
