"""Deploying the last release that worked, by a deployment of its own, without canary and bake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.candidates import abandoned, choose, successes
from samjhadoo_ops.deployment.compatibility import unsupported
from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.judge import NoJudge
from samjhadoo_ops.deployment.outcome import Phase
from samjhadoo_ops.deployment.recording import recorded
from samjhadoo_ops.deployment.rollout import start
from samjhadoo_ops.deployment.site import Narrator
from samjhadoo_ops.deployment.traffic import find_listening
from samjhadoo_ops.deployment.unfinished import settle
from samjhadoo_ops.deployment.watch import Watch
from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.candidates import Candidate
    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.lock import Lock
    from samjhadoo_ops.deployment.site import Site


@dataclass(frozen=True)
class Returned:
    """A rollback that has ended well.

    Attributes:
        how: `stopped` a running deployment, or `redeployed`.
        release: What serves now, for people.
        restored: Real seconds from the request until production traffic was all on it; None when it
            was not measured.

    """

    how: str
    release: str
    deployment: str
    restored: float | None = None


def redeploy(site: Site, *, to: str = "", force_schema: str = "", lock_wait: float = 0.0) -> Returned:
    """Deploy the last release that worked, without canary and bake, and wait for its end.

    Args:
        to: A release by version, git sha, digest or task definition.
        force_schema: Why a release is wanted that the schema no longer supports.
        lock_wait: Seconds on the clock to wait for the lock.


    Raises:
        Refused: There is none, or the lock is held.
        PersonNeeded: Its deployment failed and so did going back from it.
        DeploymentFailed: Its deployment failed; the former release still serves.

    """
    with site.lock("rollback", patience=lock_wait) as lock:
        site = site.guarded(lock)
        settle(site, token=lock.token)
        target = target_of(site, to=to, force_schema=force_schema)
        registered = site.ecs.task_definition(target.task_definition)
        if registered is None or registered.document.get("status") != "ACTIVE":
            raise Refused(f"{target} is no longer registered with ECS", hint="deploy that version again")
        recorder = site.journal.recorder(
            "rollback",
            site.clock,
            token=lock.token,
            how="redeploy",
            from_task_definition=serving(site),
            task_definition=target.task_definition,
            release=target.names[0] if target.names else "",
            **({"force_schema": force_schema} if force_schema else {}),
        )
        lock.note(deploy=recorder.deploy)
        site.console.event("rollback", f"going back to {target}", task_definition=target.task_definition)
        changes: list[str] = []
        with recorded(recorder, site.console, changes):
            return _redeploy(site, target, lock, recorder, changes)


def _redeploy(site: Site, target: Candidate, lock: Lock, recorder: Recorder, changes: list[str]) -> Returned:
    teller = Narrator(site.console, recorder)
    recorder.unended = True
    started = start(
        site.ecs,
        site.env,
        task_definition=target.task_definition,
        listening=find_listening(site.aws.client("elbv2"), site.env),
        clock=site.clock,
        policy=site.policy,
        teller=teller,
        swift=True,
    )
    changes.append(f"deployment {started.arn} was started")
    lock.note(deployment=started.arn)
    site.announce(started, release=target.names[0] if target.names else "")
    watch = Watch(
        site.ecs,
        started.arn,
        clock=site.clock,
        policy=site.policy,
        judge=NoJudge(),
        test=untested,
        teller=teller,
        ensure=lock.ensure,
    )
    ending = watch.run()
    recorder.unended = False
    recorder.write(FINISHED, outcome=ending.phase.value, exit_code=int(ending.phase.exit_code or 0))
    return _ended(target, started.arn, ending.phase, ending.reason or ending.observed.reason)


def target_of(site: Site, *, to: str = "", force_schema: str = "") -> Candidate:
    """Return the release that a rollback would deploy.

    Args:
        force_schema: Why the schema's objections don't count; empty where they do.

    Raises:
        Refused: There is none, or the schema no longer supports it.

    """
    entries = site.journal.entries()
    target = choose(successes(site.ecs, entries), current=serving(site), left=abandoned(entries), name=to)
    broken = unsupported(entries, target.task_definition)
    if broken and not force_schema:
        raise Refused(
            f"the schema no longer supports {target}: migrations since then have taken away what it may need",
            hint="deploy a release that lives with the schema (roll forward), or, knowing better: "
            '--force-schema "why"',
            details=tuple(f"{each.script}: {each.what}" for each in broken),
        )
    for each in broken:
        text = f"in spite of {each.script} ({each.what}): {force_schema}"
        site.console.event("forced", text, script=each.script)
    return target


def serving(site: Site) -> str | None:
    """Return the task definition of the revision that serves now."""
    service = site.ecs.describe() or {}
    arns = [revision["arn"] for revision in service.get("currentServiceRevisions", ())]
    found = site.ecs.revisions(arns)
    return (
        str(found[arns[0]]["taskDefinition"]) if arns and arns[0] in found else service.get("taskDefinition")
    )


def _ended(target: Candidate, arn: str, phase: Phase, reason: str) -> Returned:
    if phase is Phase.SUCCEEDED:
        return Returned("redeployed", str(target), arn)
    failure = DeploymentFailed if phase is Phase.ROLLED_BACK else PersonNeeded
    raise failure(
        f"going back to {target} ended: {phase.value}, {reason}",
        changed=f"deployment {arn} was started",
        hint="invoke status",
    )


def untested() -> None:
    """Pass: a deployment without pauses is never tested through the test listener."""
