"""Resuming a deployment that another run began: after a crash, or after it was left to ECS."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.deploy import Deploy
from samjhadoo_ops.deployment.finish import Deployed, ending_of, finish_unwatched, recorded
from samjhadoo_ops.deployment.gates.gate import recorded_overrides
from samjhadoo_ops.deployment.journal import STARTED, run_url, this_user
from samjhadoo_ops.deployment.outcome import Before, PinnedDeployment
from samjhadoo_ops.deployment.rollout import watch_to_end
from samjhadoo_ops.deployment.run import Run
from samjhadoo_ops.deployment.unfinished import deployment_of
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.deployment.run import ServiceContext


def resume(
    context: ServiceContext, deploy: str = "", *, until: str = "done", lock_wait: float = 0.0
) -> Deployed:
    """Resume a deploy wherever its process died; return the ending of one that has ended.

    Args:
        deploy: The journal's id of it; the last unfinished one by default.
        until: A word of `UNTIL`.
        lock_wait: Seconds on the clock to wait for the lock.

    Raises:
        Refused: The lock is held, there is no such deploy, or the checkout is not its release.
        EndedBefore: It had ended badly.
        DeploymentFailed: It was rolled back.
        PersonNeeded: The rollback failed, or the state is unknown.
    """
    return _go_on(context, deploy, until=until, lock_wait=lock_wait, resuming=True)


def watch(
    context: ServiceContext, deploy: str = "", *, until: str = "done", lock_wait: float = 0.0
) -> Deployed:
    """Watch a deployment that continues in ECS; nothing is built or started.

    Args and errors are those of `resume`.
    """
    return _go_on(context, deploy, until=until, lock_wait=lock_wait, resuming=False)


def _go_on(context: ServiceContext, deploy: str, *, until: str, lock_wait: float, resuming: bool) -> Deployed:
    context.aws.account_guard()
    ended = _ended_before(context, deploy, resuming=resuming)
    if ended is not None:
        return ended
    run = Run(context)
    with run.locked(f"{'resume' if resuming else 'watch'} {deploy}".strip(), lock_wait=lock_wait):
        entry = _find(run, deploy)
        if entry.finished:
            if resuming and not deploy:
                _require_this_release(context, entry)
            return ending_of(entry)
        arn = deployment_of(run, entry)
        if not arn and not (resuming and entry.kind == "deploy"):
            return _never_started(run, entry)
        run.resume(entry)
        run.record("resumed", by=this_user(), run=run_url(), **run.origin, deployment=arn)
        run.report("deploy", f"resuming {entry.kind} {entry.deploy}", deploy=entry.deploy)
        run.note(deploy=entry.deploy, deployment=arn)
        if arn:
            return _watch_again(run, entry, arn, until=until)
        overrides, image = recorded_overrides(entry.data), str(entry.data.get("promoted", ""))
        return Deploy(context, until=until, overrides=overrides, image=image).resume(run, entry)


def _ended_before(context: ServiceContext, deploy: str, *, resuming: bool) -> Deployed | None:
    """Return a deploy that has succeeded; None for one that has not ended. This needs no lock.

    None also when what was to be resumed never began: its run may have left its lock, which has to go.
    """
    if not deploy and any(_deploys(each) for each in context.journal.past().unfinished()):
        return None
    entry = _find(context, deploy)
    never_began = resuming and not deploy and _is_of_another_release(context, entry)
    return ending_of(entry) if entry.finished and not never_began else None


def _require_this_release(context: ServiceContext, entry: JournalEntry) -> None:
    """Refuse to return another release's ending: a run that died before its journal began did nothing."""
    from samjhadoo_ops.release import version_here

    if _is_of_another_release(context, entry):
        raise Refused(
            f"there is nothing to resume: the last {entry.kind}, of {entry.data['release']}, has ended "
            f"({entry.outcome}), and no deploy of {version_here(context.env)}, the release in the project's "
            "folder, was started",
            hint=f"invoke deploy {context.env.options}".strip(),
        )


def _is_of_another_release(context: ServiceContext, entry: JournalEntry) -> bool:
    from samjhadoo_ops.release import version_here

    release = str(entry.data.get("release", ""))
    return bool(release) and release != version_here(context.env)


def _find(context: ServiceContext, deploy: str) -> JournalEntry:
    """Return a deploy by its id; by default the last unfinished one, or the last one."""
    if deploy:
        entry = context.journal.entry(deploy)
        if entry is None or not _deploys(entry):
            raise Refused(f"the journal has no deploy {deploy!r}", hint="invoke history lists them")
        return entry
    past = context.journal.past()
    found = next((each for each in chain(past.unfinished(), past) if _deploys(each)), None)
    if found is None:
        raise Refused("nothing has been deployed yet", hint="invoke deploy")
    return found


def _deploys(entry: JournalEntry) -> bool:
    """Return whether an entry is of a deployment of its own, not of stopping another's."""
    return entry.kind == "deploy" or (
        entry.kind == "rollback" and entry.known(STARTED).get("how") == "redeploy"
    )


def _never_started(run: Run, entry: JournalEntry) -> Deployed:
    """Record that a run began that started no deployment, and refuse."""
    if entry.kind == "rollback":
        finish_unwatched(run, entry, None)
    raise Refused(
        f"{entry.kind} {entry.deploy} ended before it started a deployment: there is nothing to watch",
        hint="invoke rollback" if entry.kind == "rollback" else f"invoke deploy --resume {entry.deploy}",
    )


def _watch_again(run: Run, entry: JournalEntry, arn: str, *, until: str) -> Deployed:
    """Watch a deployment with what the journal knows of it."""
    data = entry.data
    starting, canary, stopping = entry.last("starting"), entry.last("canary"), entry.last("stopping")
    how = starting.data if starting else {}
    pinned = PinnedDeployment(
        arn,
        entry.kind,
        task_definition=str(data.get("task_definition", "")),
        release=str(data.get("release", "")),
        digest=str(data.get("digest", "")),
        all_at_once=bool(how.get("all_at_once", entry.kind == "rollback")),
        first=bool(how.get("first")),
        before=Before(
            started=(starting or entry.events[0]).at.timestamp(),
            canary_since=canary.data.get("since") if canary else None,
            reason=str(stopping.data.get("reason", "")) if stopping else "",
        ),
    )
    run.changes.append(f"deployment {arn.rpartition('/')[2]} started by {data.get('by', 'another run')}")
    with recorded(run):
        return watch_to_end(run, pinned, until=until)
