"""Going back: by a weight swap while a deployment runs, by a deployment of its own after it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.judge import NoJudge
from samjhadoo_ops.deployment.outcome import Phase
from samjhadoo_ops.deployment.redeployment import Returned, redeploy, target_of, untested
from samjhadoo_ops.deployment.rollout import Started
from samjhadoo_ops.deployment.site import Narrator
from samjhadoo_ops.deployment.traffic import find_listening, weights
from samjhadoo_ops.deployment.unfinished import settle
from samjhadoo_ops.deployment.watch import Watch
from samjhadoo_ops.errors import ExitCode, PersonNeeded, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.site import Site

_LOOKS_PER_TICK = 10
_QUICKEST_LOOK = 0.02
_SLOWEST_LOOK = 1.0
_WHOLE = 0.9999


def rollback(site: Site, *, to: str = "", force_schema: str = "", lock_wait: float = 0.0) -> Returned:
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
    if site.ecs.describe() is None:
        raise Refused("there is no service yet, so there is nothing to roll back", hint="invoke deploy")
    running = [brief for brief in site.ecs.deployments(limit=20) if brief["status"] in ONGOING]
    if running:
        if to:
            raise Refused(
                f"{running[0]['serviceDeploymentArn']} is running: it can only be taken back",
                hint="invoke rollback without --to, then again with it",
            )
        returned = stop_running(site, running[0]["serviceDeploymentArn"])
        if returned is not None:
            return returned
        site.console.event("too-late", "the deployment had completed before it could be stopped")
    return redeploy(site, to=to, force_schema=force_schema, lock_wait=lock_wait)


def foresee(site: Site, *, to: str = "") -> str:
    """Return what a rollback would do now; nothing is changed.

    Raises:
        Refused: There is nothing to go back to.

    """
    running = [brief for brief in site.ecs.deployments(limit=20) if brief["status"] in ONGOING]
    if running:
        return f"would stop {running[0]['serviceDeploymentArn']} and shift all traffic back"
    return f"would deploy {target_of(site, to=to)} without canary and bake"


def stop_running(site: Site, arn: str) -> Returned | None:
    """Stop a running deployment with rollback and wait for its end; None when it had succeeded before.

    Raises:
        Refused: It is the first deployment.
        PersonNeeded: The rollback failed.

    """
    document = site.ecs.deployment(arn)
    if not document.get("sourceServiceRevisions"):
        raise Refused(
            "the running deployment is the first: there is no release to go back to",
            hint="let it end (invoke status), then deploy a better one",
        )
    recorder = site.journal.recorder("rollback", site.clock, deployment=arn, how="stop")
    teller = Narrator(site.console, recorder)
    watch = Watch(
        site.ecs, arn, clock=site.clock, policy=site.policy, judge=NoJudge(), test=untested, teller=teller
    )
    site.announce(Started(arn, swift=True, first=False))
    old = _serving_before(site, document["sourceServiceRevisions"][0]["arn"])
    began = site.clock.read()
    watch.stop("a person asked for it")
    restored = _await_weight(site, old, began) if old else None
    ending = watch.run()
    went_back = ending.phase in {Phase.ROLLED_BACK, Phase.SUCCEEDED}
    code = ExitCode.SUCCEEDED if went_back else ExitCode.NEEDS_A_PERSON
    recorder.write(FINISHED, outcome=ending.phase.value, restored=restored, exit_code=int(code))
    _settle_quietly(site)
    if ending.phase is Phase.SUCCEEDED:
        return None
    if ending.phase is not Phase.ROLLED_BACK:
        raise PersonNeeded(
            f"the rollback of {arn} ended: {ending.phase.value}, {ending.observed.reason}",
            changed="the deployment was stopped",
            hint="invoke status; then look at the service's events in ECS",
        )
    revision = ending.observed.rollback_revision or document["sourceServiceRevisions"][0]["arn"]
    return Returned("stopped", _release_of(site, revision), arn, restored)


def requested_by(site: Site, arn: str, *, apart_from: Recorder) -> str:
    """Return who asked for the rollback of a deployment by hand; empty when nobody did."""
    for entry in site.journal.entries(limit=5):
        data = entry.data
        if (
            entry.deploy != apart_from.deploy
            and data.get("kind") == "rollback"
            and data.get("deployment") == arn
        ):
            return str(data.get("by", "somebody"))
    return ""


def _settle_quietly(site: Site) -> None:
    """Record the end of a deploy whose run is gone, when it is; one that lives records it by itself."""
    try:
        with site.lock("rollback") as lock:
            settle(site, token=lock.token)
    except Refused:
        return


def _serving_before(site: Site, revision: str) -> str:
    """Return the target group of the revision that will serve again."""
    found = site.ecs.revisions([revision]).get(revision, {})
    balancers = found.get("resolvedConfiguration", {}).get("loadBalancers", ())
    return str(balancers[0]["targetGroupArn"]) if balancers else ""


def _await_weight(site: Site, target_group: str, began: float) -> float | None:
    """Return the real seconds until the production rule sends all traffic to a target group."""
    elbv2 = site.aws.client("elbv2")
    rule = find_listening(elbv2, site.env).production_rule
    pause = min(_SLOWEST_LOOK, max(_QUICKEST_LOOK, site.clock.real(site.policy.poll) / _LOOKS_PER_TICK))
    while (waited := site.clock.read() - began) < site.policy.patience:
        if weights(elbv2, rule).get(target_group, 0.0) >= _WHOLE:
            restored = site.clock.read() - began
            site.console.event(
                "restored",
                f"production traffic is back on the old release after {restored:.2f} s",
                seconds=round(restored, 3),
            )
            return restored
        site.clock.wait(pause)
    site.console.event("waiting", f"production traffic is not back after {waited:.0f} s; ECS goes on")
    return None


def _release_of(site: Site, revision: str) -> str:
    task_definition = site.ecs.revisions([revision]).get(revision, {}).get("taskDefinition", "")
    registered = site.ecs.task_definition(task_definition) if task_definition else None
    if registered is None:
        return revision
    return f"{registered.tags.get('release', '')} ({registered.arn.rpartition('/')[2]})".strip()
