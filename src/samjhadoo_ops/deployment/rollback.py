"""Rolling back: by a weight swap while a deployment runs, by a deployment of its own after it is over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.effects import Compatibility, Reason
from samjhadoo_ops.database.judge import ScriptJudgement, recorded_judgement
from samjhadoo_ops.deployment.candidates import choose, successes
from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.finish import recorded
from samjhadoo_ops.deployment.outcome import Phase, PinnedDeployment, observe, phase_of
from samjhadoo_ops.deployment.rollout import roll_out, watch_to_end
from samjhadoo_ops.deployment.run import Run
from samjhadoo_ops.deployment.traffic import find_load_balancing, weights
from samjhadoo_ops.deployment.unfinished import settle_unfinished
from samjhadoo_ops.errors import PersonNeeded, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.candidates import Candidate
    from samjhadoo_ops.deployment.journal import JournalEntry, PastDeployments
    from samjhadoo_ops.deployment.run import ServiceContext
    from samjhadoo_ops.deployment.watch import Watch

_SAMPLES_PER_POLL = 10
_SHORTEST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_WHOLE = 0.9999


@dataclass(frozen=True)
class RollbackResult:
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


def rollback(
    context: ServiceContext, *, to: str = "", force_schema: str = "", lock_wait: float = 0.0
) -> RollbackResult:
    """Return to the release before the running deployment, or to the last one that worked.

    Args:
        to: A release by version, git sha, digest or task definition; only after a deployment is over.
        force_schema: Why a release is wanted that the schema no longer supports.
        lock_wait: Seconds on the clock to wait for the lock.

    Raises:
        Refused: There is nothing to go back to, or a deployment runs and `to` names a release.
        PersonNeeded: The rollback failed.
        DeploymentFailed: The release to go back to didn't start; the former one still serves.
    """
    if context.ecs.describe() is None:
        raise Refused("there is no service yet, so there is nothing to roll back", hint="invoke deploy")
    running = _running(context)
    if running:
        if to:
            raise Refused(
                f"{running} is running: it can only be stopped",
                hint=f"stop it first: invoke rollback; then: invoke rollback --to {to}",
            )
        stopped = _stop(context, running)
        if stopped is not None:
            return stopped
        context.console.event("too-late", "the deployment had completed before it could be stopped")
    return _redeploy(context, to=to, force_schema=force_schema, lock_wait=lock_wait)


def roll_back_deployment(
    context: ServiceContext, arn: str, *, to: str = "", force_schema: str = "", lock_wait: float = 0.0
) -> RollbackResult:
    """Stop this deployment if it runs, roll back from it if it has succeeded, else leave it; touch no other.

    Arguments and errors are those of `rollback`; it is refused, too, if another release serves by now.
    """
    document = context.ecs.deployment(arn)
    _require_ours(context, document)
    if document["status"] in ONGOING:
        stopped = _stop(context, arn)
        if stopped is not None:
            return stopped
        document = context.ecs.deployment(arn)
    phase = phase_of(observe(document))
    if phase is Phase.ROLLED_BACK:
        return RollbackResult("rolled back before", context.ecs.serving() or "the release before", arn)
    if phase is not Phase.SUCCEEDED:
        raise PersonNeeded(f"{arn} ended: {phase.value}", hint="invoke status shows what serves now")
    _require_serving(context, document)
    return _redeploy(context, to=to, force_schema=force_schema, lock_wait=lock_wait)


def planned_rollback(context: ServiceContext, *, to: str = "") -> str:
    """Return what a rollback would do now; raise `Refused` if there is nothing to go back to."""
    running = _running(context)
    if running:
        return f"would stop {running} and shift all traffic back"
    return f"would deploy {_target(context, context.journal.past(), to=to)} without canary and bake"


def _running(context: ServiceContext) -> str:
    """Return the deployment that runs; empty for none."""
    briefs = context.ecs.deployments(limit=20)
    return next((str(each["serviceDeploymentArn"]) for each in briefs if each["status"] in ONGOING), "")


def _stop(context: ServiceContext, arn: str) -> RollbackResult | None:
    """Stop a running deployment with rollback and wait for its end; None when it had succeeded before.

    No lock is taken: the run that deploys may hold it, and sees the rollback.
    """
    sources = context.ecs.deployment(arn).get("sourceServiceRevisions")
    if not sources:
        raise Refused(
            "the running deployment is the first: there is no release to go back to",
            hint="let it end (invoke status), then deploy a better one",
        )
    run = Run(context)
    run.begin("rollback", deployment=arn, how="stop")
    measured: dict[str, float | None] = {}

    def begin(watch: Watch) -> dict[str, float | None]:
        former = _target_group(run, sources[0]["arn"])
        began = run.clock.read()
        watch.stop("a person asked for it")
        measured["restored"] = _await_weight(run, former, began) if former else None
        return measured

    with recorded(run):
        ended = watch_to_end(run, PinnedDeployment(arn, "stop", all_at_once=True), begin=begin)
    _settle_quietly(context)
    if ended.outcome == Phase.SUCCEEDED:
        return None
    revision = observe(context.ecs.deployment(arn)).rollback_revision or sources[0]["arn"]
    return RollbackResult("stopped", _release_of(context, revision), arn, measured["restored"])


def _redeploy(context: ServiceContext, *, to: str, force_schema: str, lock_wait: float) -> RollbackResult:
    """Deploy the last release that worked, without canary and bake, and wait for its end."""
    run = Run(context)
    with run.locked("rollback", lock_wait=lock_wait):
        past = run.journal.past()
        settle_unfinished(run, past)
        target = _target(run, past, to=to, force_schema=force_schema)
        registered = run.ecs.task_definition(target.task_definition)
        release = target.names[0] if target.names else ""
        if registered is None or registered.document.get("status") != "ACTIVE":
            raise Refused(
                f"{target} is no longer registered with ECS",
                hint=f"check out {release or 'that release'}, then: invoke deploy",
            )
        run.begin(
            "rollback",
            how="redeploy",
            from_task_definition=run.ecs.serving(),
            task_definition=target.task_definition,
            release=release,
            **({"force_schema": force_schema} if force_schema else {}),
        )
        run.report("rollback", f"rolling back to {target}", task_definition=target.task_definition)
        with recorded(run):
            load_balancing = find_load_balancing(run.aws.client("elbv2"), run.env)
            ended = roll_out(run, target.task_definition, load_balancing, kind="rollback", release=release)
    return RollbackResult("redeployed", str(target), ended.deployment)


def _target(
    context: ServiceContext, past: PastDeployments, *, to: str = "", force_schema: str = ""
) -> Candidate:
    """Return the release that a rollback would deploy; the past is read back to it."""
    target = choose(successes(context.ecs, past), past, current=context.ecs.serving(), name=to)
    require_support(
        unsupported(past, target.task_definition),
        str(target),
        context.console,
        refuse_unknown=context.env.gates.migrations.unknown == "refuse",
        command=f"invoke rollback{f' --to {to}' if to else ''}",
        force_schema=force_schema,
    )
    return target


def require_support(
    found: Sequence[ScriptJudgement],
    target: str,
    console: Console,
    *,
    refuse_unknown: bool,
    command: str,
    force_schema: str,
) -> None:
    """Refuse a release that the schema does not support, unless somebody knows better.

    Args:
        found: The migrations since then that are not safe for it.
        refuse_unknown: Whether those count for which it is not known; otherwise they are shown.
        command: The command that was refused, for the hint.
        force_schema: Why the release is wanted all the same.
    """
    broken = [each for each in found if refuse_unknown or each.answer is Compatibility.BREAKS]
    if broken and not force_schema:
        known = any(each.answer is Compatibility.BREAKS for each in broken)
        raise Refused(
            f"the schema no longer supports {target}: migrations since then have taken away what it may need"
            if known
            else f"whether the schema still supports {target} is not known",
            hint="deploy a release that works with the schema: invoke deploy; or, if this one does: "
            f'{command} --force-schema "why"',
            details=tuple(f"{each.script}: {each.what}" for each in broken),
        )
    for each in found:
        if each in broken:
            text = f"in spite of {each.script} ({each.what}): {force_schema}"
            console.event("forced", text, script=each.script)
        else:
            text = f"whether {target} works with {each.script} is not known: it {each.what}"
            console.event("schema-unknown", text, script=each.script)


def _settle_quietly(context: ServiceContext) -> None:
    """Record the end of a deploy if its run has died; a run that is alive records it by itself."""
    run = Run(context)
    try:
        with run.locked("rollback"):
            settle_unfinished(run, run.journal.past())
    except Refused:
        return


def _target_group(context: ServiceContext, revision: str) -> str:
    """Return the target group of the revision that will serve again."""
    found = context.ecs.revisions([revision]).get(revision, {})
    balancers = found.get("resolvedConfiguration", {}).get("loadBalancers", ())
    return str(balancers[0]["targetGroupArn"]) if balancers else ""


def _await_weight(context: ServiceContext, target_group: str, began: float) -> float | None:
    """Return the real seconds until the production rule sends all traffic to a target group."""
    clock, policy = context.clock, context.policy
    elbv2 = context.aws.client("elbv2")
    rule = find_load_balancing(elbv2, context.env).production_rule
    pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, clock.real(policy.poll) / _SAMPLES_PER_POLL))
    while (waited := clock.read() - began) < policy.patience:
        if weights(elbv2, rule).get(target_group, 0.0) >= _WHOLE:
            restored = clock.read() - began
            context.console.event(
                "restored",
                f"production traffic is back on the old release after {restored:.2f} s",
                seconds=round(restored, 3),
            )
            return restored
        clock.wait(pause)
    context.console.event(
        "waiting",
        f"production traffic is not back after {waited:.0f} s; ECS continues; to follow it: invoke status",
    )
    return None


def _release_of(context: ServiceContext, revision: str) -> str:
    """Return the release of a service revision, for people."""
    task_definition = context.ecs.revisions([revision]).get(revision, {}).get("taskDefinition", "")
    registered = context.ecs.task_definition(task_definition) if task_definition else None
    if registered is None:
        return revision
    return f"{registered.tags.get('release', '')} ({registered.arn.rpartition('/')[2]})".strip()


def _require_ours(context: ServiceContext, document: dict[str, Any]) -> None:
    """Refuse to touch another service's deployment: its lock and journal are not ours."""
    theirs = str(document["serviceArn"]).split("/")[1:]
    if theirs[-1:] != [context.ecs.name] or theirs[:-1] not in ([], [context.ecs.cluster]):
        raise Refused(
            f"{document['serviceDeploymentArn']} is a deployment of {'/'.join(theirs)}, "
            f"not of {context.ecs.cluster}/{context.ecs.name}",
            hint="invoke status shows this service's; --service NAME and --env E name another",
        )


def _require_serving(context: ServiceContext, document: dict[str, Any]) -> None:
    """Refuse to go back from a release that does not serve any more."""
    arn = document.get("targetServiceRevision", {}).get("arn")
    service = context.ecs.describe() or {}
    current = [revision["arn"] for revision in service.get("currentServiceRevisions", ())]
    if current and arn not in current:
        raise Refused(
            f"{document['serviceDeploymentArn']} is not what serves now: another deployment came after it",
            hint="invoke status; invoke rollback --to RELEASE goes where you say",
        )


def unsupported(past: Iterable[JournalEntry], task_definition: str) -> list[ScriptJudgement]:
    """Return the migrations that a release may not work with, or for which that is not known.

    Args:
        past: The journal, newest first; it is read back to the release's last deploy.
        task_definition: The release's; what was migrated with it or before does no harm to it.
    """
    newer = list(takewhile(lambda entry: not _deployed(entry, task_definition), past))
    found = {each.script: each for entry in newer for each in _recorded(entry)}
    return [
        each
        for _, each in sorted(found.items())
        # A contract spares the releases from the one that it names on.
        if not each.since
        or _named(each.since, newer)
        or not _named(each.since, islice(past, len(newer), None))
    ]


def schema_version(entries: Iterable[JournalEntry]) -> str:
    """Return the schema's version in the first of the entries, newest first, that has it; else nothing."""
    for entry in entries:
        known = entry.last("migrated") or entry.last("schema")
        if known is not None and known.data.get("schema"):
            return str(known.data["schema"])
    return ""


def _deployed(entry: JournalEntry, task_definition: str) -> bool:
    return entry.kind == "deploy" and entry.task_definition == task_definition


def _named(name: str, entries: Iterable[JournalEntry]) -> bool:
    releases = (str(entry.data.get("release", "")) for entry in entries if entry.kind == "deploy")
    return any(release.startswith(name) for release in releases)


def _recorded(entry: JournalEntry) -> tuple[ScriptJudgement, ...]:
    """Return how a deployment's migrations were judged; what was only about to be run may have been run."""
    migrating = entry.last("migrating")
    if migrating is None:
        return ()
    try:
        if not migrating.damage:
            return recorded_judgement(migrating.data).scripts
    except (AttributeError, TypeError, ValueError) as error:
        why = f"unknown: its record cannot be read ({error})"
    else:
        why = f"unknown: its record cannot be read ({migrating.damage})"
    script = f"the migration of {entry.deploy}"
    return (ScriptJudgement(script, (Reason(script, 0, why, Compatibility.UNKNOWN),)),)
