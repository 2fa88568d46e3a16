"""Going on with a deployment that another run began: after a crash, or after it was left to ECS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.actor import run_url, this_user
from samjhadoo_ops.deployment.attendance import Attendance
from samjhadoo_ops.deployment.deployed import Deployed
from samjhadoo_ops.deployment.ending import Course
from samjhadoo_ops.deployment.recording import recorded
from samjhadoo_ops.deployment.rollout import Started
from samjhadoo_ops.deployment.seen import Before
from samjhadoo_ops.deployment.site import Narrator
from samjhadoo_ops.deployment.unfinished import deployment_of, record_ending, unfinished
from samjhadoo_ops.errors import ExitCode, OpsError, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.journal import Entry, Recorder
    from samjhadoo_ops.deployment.lock import Lock
    from samjhadoo_ops.deployment.site import Site

_SEARCHED = 20


class EndedBefore(OpsError):
    """A deployment that had ended before anybody came back to it; its exit code is the ending's."""

    def __init__(self, entry: Entry) -> None:
        data = entry.data
        why = data.get("reason") or data.get("error")
        super().__init__(
            f"{entry.kind} {entry.deploy} has ended: {entry.outcome}{f': {why}' if why else ''}",
            hint="invoke history shows all of them; invoke deploy starts a new one",
        )
        self.exit_code = _code(entry)


def resume(site: Site, deploy: str = "", *, until: str = "done", lock_wait: float = 0.0) -> Deployed:
    """Go on with a deploy wherever its run ended; one that has ended is told.

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
    return _reattach(site, deploy, until=until, lock_wait=lock_wait, start=True)


def watch(site: Site, deploy: str = "", *, until: str = "done", lock_wait: float = 0.0) -> Deployed:
    """Attend a deployment that goes on at ECS; nothing is built or started.

    Args and errors are those of `resume`.
    """
    return _reattach(site, deploy, until=until, lock_wait=lock_wait, start=False)


def _reattach(site: Site, deploy: str, *, until: str, lock_wait: float, start: bool) -> Deployed:
    site.aws.account_guard()
    ended = _ended_before(site, deploy, start=start)
    if ended is not None:
        return ended
    with site.lock(f"{'resume' if start else 'watch'} {deploy}".strip(), patience=lock_wait) as lock:
        site = site.guarded(lock)
        entry = _find(site, deploy)
        if entry.finished:
            return _told(entry)
        arn = deployment_of(site, entry)
        if not arn and not (start and entry.kind == "deploy"):
            return _never_started(site, entry, lock)
        recorder = site.journal.reopen(entry, site.clock, token=lock.token)
        recorder.write("resumed", by=this_user(), run=run_url(), deployment=arn)
        site.console.event("deploy", f"going on with {entry.kind} {entry.deploy}", deploy=entry.deploy)
        lock.note(deploy=entry.deploy, deployment=arn)
        if arn:
            return _attend(site, entry, arn, lock=lock, recorder=recorder, until=until)
        return _start_again(site, entry, lock, recorder, until)


def _ended_before(site: Site, deploy: str, *, start: bool) -> Deployed | None:
    """Return a deploy that has ended well; None for one that has not ended. No lock is needed to know.

    Raises:
        EndedBefore: It has ended badly.
        Refused: What was to be resumed never began: the last deploy is of another release.

    """
    if not deploy and any(_deploys(each) for each in unfinished(site)):
        return None
    entry = _find(site, deploy)
    if entry.finished and start and not deploy:
        _require_this_release(site, entry)
    return _told(entry) if entry.finished else None


def _require_this_release(site: Site, entry: Entry) -> None:
    """Refuse to tell of another release's ending: a run that died before its journal began deployed nothing.

    Raises:
        Refused: The last deploy is not of what stands here.

    """
    from samjhadoo_ops.release import version_here

    release, here = str(entry.data.get("release", "")), version_here(site.env)
    if release and release != here:
        raise Refused(
            f"there is nothing to resume: the last {entry.kind} is of {release} and has ended "
            f"({entry.outcome}), and what stands here, {here}, was never begun",
            hint=f"invoke deploy {site.env.options}".strip(),
        )


def _find(site: Site, deploy: str) -> Entry:
    """Return a deploy by its id; by default the last unfinished one, or the last one.

    Raises:
        Refused: There is none.

    """
    if deploy:
        entry = site.journal.entry(deploy)
        if entry is None or not _deploys(entry):
            raise Refused(f"the journal has no deploy {deploy!r}", hint="invoke history lists them")
        return entry
    found = [each for each in unfinished(site) if _deploys(each)]
    found = found or [each for each in site.journal.entries(limit=_SEARCHED) if _deploys(each)]
    if not found:
        raise Refused("nothing has been deployed yet", hint="invoke deploy")
    return found[0]


def _deploys(entry: Entry) -> bool:
    """Tell whether an entry is of a deployment of its own: stopping another's is none."""
    return entry.kind == "deploy" or (entry.kind == "rollback" and entry.data.get("how") == "redeploy")


def _told(entry: Entry) -> Deployed:
    """Return how a deploy ended before.

    Raises:
        EndedBefore: Not well.

    """
    if _code(entry) is not ExitCode.SUCCEEDED:
        raise EndedBefore(entry)
    data = entry.data
    return Deployed(
        entry.outcome,
        str(data.get("release", "")),
        str(data.get("digest", "")),
        deploy=entry.deploy,
        deployment=str(data.get("deployment", "")),
        kind=entry.kind,
    )


def _code(entry: Entry) -> ExitCode:
    """Return the exit code of a recorded ending."""
    known = entry.data.get("exit_code")
    if known is not None:
        return ExitCode(int(known))
    good = entry.outcome in {"succeeded", "unchanged", "rolled back" if entry.kind == "rollback" else ""}
    return ExitCode.SUCCEEDED if good else ExitCode.UNEXPECTED


def _never_started(site: Site, entry: Entry, lock: Lock) -> Deployed:
    """Record that a run began that started no deployment, and refuse.

    Raises:
        Refused: Always.

    """
    if entry.kind == "rollback":
        record_ending(site, entry, None, token=lock.token)
    raise Refused(
        f"{entry.kind} {entry.deploy} ended before it had started a deployment: there is nothing to watch",
        hint="invoke rollback" if entry.kind == "rollback" else f"invoke deploy --resume {entry.deploy}",
    )


def _attend(site: Site, entry: Entry, arn: str, *, lock: Lock, recorder: Recorder, until: str) -> Deployed:
    data = entry.data
    starting = entry.last("starting")
    how = starting.data if starting else {}
    canary, stopping = entry.last("canary"), entry.last("stopping")
    before = Before(
        started=(starting or entry.events[0]).at.timestamp(),
        canary_since=float(canary.data["since"]) if canary else None,
        reason=str(stopping.data["reason"]) if stopping else "",
    )
    # Going back to a proven release is swift and has no pauses; stopping a deployment has nothing to answer.
    swift = bool(how.get("swift", entry.kind == "rollback"))
    course = Course(
        Started(arn, swift=swift, first=bool(how.get("first")), before=before),
        task_definition=str(data.get("task_definition", "")),
        release=str(data.get("release", "")),
        digest=str(data.get("digest", "")),
        recorder=recorder,
        changes=[f"deployment {arn.rpartition('/')[2]} started by {data.get('by', 'another run')}"],
    )
    with recorded(recorder, site.console, course.changes):
        teller = Narrator(site.console, recorder)
        return Attendance(site, course, lock, teller, until=until, kind=entry.kind).run()


def _start_again(site: Site, entry: Entry, lock: Lock, recorder: Recorder, until: str) -> Deployed:
    """Go through the steps again up to the deployment; what was done already is found and kept."""
    from samjhadoo_ops.deployment.consent import recorded_consent
    from samjhadoo_ops.deployment.deploy import Deploy

    consent = recorded_consent(entry.data)
    image = str(entry.data.get("promoted", ""))
    return Deploy(site, until=until, consent=consent, image=image).go_on(
        lock, recorder, release=str(entry.data.get("release", ""))
    )
