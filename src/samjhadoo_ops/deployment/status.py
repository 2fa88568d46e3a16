"""The service's state now: tasks, traffic, release, running deployment, lock, last deployment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import in_words
from samjhadoo_ops.deployment.lock import read_lock
from samjhadoo_ops.deployment.outcome import Phase, observe, phase_of
from samjhadoo_ops.deployment.traffic import find_load_balancing, weights
from samjhadoo_ops.deployment.watch import describe
from samjhadoo_ops.streams import short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.ecs import Registered
    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.deployment.lock import LockOwner
    from samjhadoo_ops.deployment.outcome import Hook, Observation
    from samjhadoo_ops.deployment.run import ServiceContext

COLUMNS = ("Id", "Kind", "Release", "Digest", "Started", "Minutes", "Outcome", "By")
_SHOWN_DIGEST = 19
_READERS = 8
_MINUTE = 60.0


@dataclass(frozen=True)
class Status:
    """What `invoke status` shows.

    Attributes:
        traffic: Percent of production traffic by target group.
        deployment: The service's current or latest deployment.
        lock_owner: Who holds the deployment lock, or an object that cannot be read; None when it is free.
        last: The last deployment of the journal, as a row of the history.
    """

    service: dict[str, Any] | None
    release: Registered | None
    traffic: dict[str, float]
    deployment: Observation | None
    lock_owner: LockOwner | None
    last: tuple[Any, ...] | None
    production: str
    test: str

    @property
    def phase(self) -> Phase | None:
        """Return the phase of the deployment, when there is one."""
        return phase_of(self.deployment) if self.deployment else None


def read_status(context: ServiceContext) -> Status:
    """Read everything there is to show, side by side; nothing is changed."""
    with ThreadPoolExecutor(4, thread_name_prefix="status") as pool:
        service = pool.submit(context.ecs.describe)
        traffic = pool.submit(_traffic, context)
        lock = pool.submit(_lock_owner, context)
        entries = pool.submit(context.journal.entries, limit=1)
        found = service.result()
        return Status(
            service=found,
            release=_release(context, found),
            traffic=traffic.result(),
            deployment=_deployment(context, found),
            lock_owner=lock.result(),
            last=next(iter(rows(entries.result())), None),
            production=context.production,
            test=context.test,
        )


def fields(status: Status) -> dict[str, Any]:
    """Return the status as data."""
    service = status.service or {}
    seen = status.deployment
    return {
        "service": service.get("serviceName"),
        "state": service.get("status", "MISSING"),
        "running": service.get("runningCount", 0),
        "pending": service.get("pendingCount", 0),
        "desired": service.get("desiredCount", 0),
        "release": status.release.tags.get("release", "") if status.release else "",
        "git_sha": status.release.tags.get("git-sha", "") if status.release else "",
        "task_definition": status.release.arn if status.release else "",
        "traffic": status.traffic,
        "deployment": seen.arn if seen else "",
        "phase": status.phase.value if status.phase else "",
        "stage": seen.stage if seen else "",
        "weight": seen.production_weight if seen else None,
        "hooks": [hook.id for hook in seen.waiting_hooks] if seen else [],
        "lock": str(status.lock_owner) if status.lock_owner else "",
        "production": status.production,
        "test": status.test,
    }


def lines(status: Status, clock: Clock) -> list[str]:
    """Return the status for people, one fact a line."""
    if status.service is None:
        return ["no service yet: invoke deploy creates it", f"production: {status.production}"]
    known = fields(status)
    release = short(known["release"]) or "unknown"
    tasks = f"{known['running']}/{known['desired']} tasks running, {known['pending']} pending"
    text = [
        f"service:    {known['service']} {known['state']}, {tasks}",
        f"release:    {release} ({known['task_definition'].rpartition('/')[2]})",
        "traffic:    " + ", ".join(f"{name} {share:g} %" for name, share in status.traffic.items()),
    ]
    if status.deployment and status.phase:
        name = status.deployment.arn.rpartition("/")[2]
        text.append(f"deployment: {name} {describe(status.deployment, status.phase)}")
        text += [
            f"            paused by {hook.id}: {_until_timeout(hook, clock)}"
            for hook in status.deployment.waiting_hooks
        ]
    if status.last:
        sentence, deploy = for_people(status.last, clock)
        text += [f"last:       {sentence}", f"            {deploy}"]
    if status.lock_owner:
        damaged = "; the next run replaces it, or: invoke unlock" if status.lock_owner.damage else ""
        text.append(f"lock:       held by {status.lock_owner}{damaged}")
    return [*text, f"production: {status.production}", f"test:       {status.test}"]


def _until_timeout(hook: Hook, clock: Clock) -> str:
    """Return when ECS answers a pause by itself, and how."""
    if hook.expires_at is None:
        return f"ECS answers {hook.timeout_action} by itself"
    seconds = max(0.0, hook.expires_at.timestamp() - clock.timestamp())
    return f"ECS answers {hook.timeout_action} by itself in about {clock.words(seconds)}"


def ago(clock: Clock, moment: datetime) -> str:
    """Return how long ago a moment on the clock was, in real time."""
    return f"{in_words(max(0.0, clock.real(clock.timestamp() - moment.timestamp())))} ago"


def _lock_owner(context: ServiceContext) -> LockOwner | None:
    found = read_lock(context.journal.store, context.journal.lock_key)
    return found[0] if found and (found[0].damage or not found[0].free(found[1].age)) else None


def _traffic(context: ServiceContext) -> dict[str, float]:
    elbv2 = context.aws.client("elbv2")
    found = weights(elbv2, find_load_balancing(elbv2, context.env).production_rule)
    return {arn.split("/")[-2]: round(100 * share, 2) for arn, share in found.items()}


def _release(context: ServiceContext, service: dict[str, Any] | None) -> Registered | None:
    serving = context.ecs.serving(service) if service else None
    return context.ecs.task_definition(serving) if serving else None


def _deployment(context: ServiceContext, service: dict[str, Any] | None) -> Observation | None:
    if service is None:
        return None
    current = service.get("currentServiceDeployment")
    latest = (
        [current]
        if current
        else [brief["serviceDeploymentArn"] for brief in context.ecs.deployments(limit=1)]
    )
    return observe(context.ecs.deployment(latest[0]), current=current) if latest else None


def for_people(row: tuple[Any, ...], clock: Clock) -> tuple[str, str]:
    """Return a row of `COLUMNS` for people: a sentence, and the id, which is there to be copied."""
    deploy, kind, release, _, started, _, outcome, by = row
    of = f" of {short(release)}" if release else ""
    return f"{kind or 'deployment'}{of} by {by or 'nobody known'}, {ago(clock, started)}: {outcome}", deploy


def rows(entries: Sequence[JournalEntry]) -> list[tuple[Any, ...]]:
    """Return the rows of `COLUMNS`, in the order of the entries."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="history") as pool:
        return list(pool.map(_row, entries))


def _row(entry: JournalEntry) -> tuple[Any, ...]:
    data = entry.headline
    minutes = round((entry.finished - entry.started).total_seconds() / _MINUTE, 1) if entry.finished else None
    return (
        entry.deploy,
        data.get("kind", ""),
        data.get("release", ""),
        str(data.get("digest", ""))[:_SHOWN_DIGEST],
        entry.started,
        minutes,
        entry.outcome,
        data.get("by", ""),
    )
