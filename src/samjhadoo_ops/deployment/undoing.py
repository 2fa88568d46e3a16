"""Taking one deployment back and no other, whatever has become of it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.observation import observe
from samjhadoo_ops.deployment.outcome import Phase, phase_of
from samjhadoo_ops.deployment.redeployment import Returned, redeploy, serving
from samjhadoo_ops.deployment.rollback import stop_running
from samjhadoo_ops.errors import PersonNeeded, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.site import Site


def undo(site: Site, arn: str, *, to: str = "", force_schema: str = "", lock_wait: float = 0.0) -> Returned:
    """Stop a deployment that runs, go back from one that has succeeded, leave one that was rolled back.

    Args:
        arn: The service deployment.
        to: A release by version, git sha, digest or task definition; where it has succeeded.
        force_schema: Why a release is wanted that the schema no longer supports.
        lock_wait: Seconds on the clock to wait for the lock.

    Raises:
        Refused: There is nothing to go back to, or another release serves by now.
        PersonNeeded: The rollback failed, or the deployment ended in a way that nothing is known of.
        DeploymentFailed: The release to go back to didn't start.

    """
    document = site.ecs.deployment(arn)
    _require_ours(site, document)
    if document["status"] in ONGOING:
        returned = stop_running(site, arn)
        if returned is not None:
            return returned
        document = site.ecs.deployment(arn)
    phase = phase_of(observe(document))
    if phase is Phase.ROLLED_BACK:
        return Returned("rolled back before", serving(site) or "the release before", arn)
    if phase is not Phase.SUCCEEDED:
        raise PersonNeeded(f"{arn} ended: {phase.value}", hint="invoke status tells what serves now")
    _require_serving(site, document)
    return redeploy(site, to=to, force_schema=force_schema, lock_wait=lock_wait)


def _require_ours(site: Site, document: dict[str, Any]) -> None:
    """Refuse to touch another service's deployment: its lock and journal are not ours.

    Raises:
        Refused: It is another's.

    """
    theirs = str(document["serviceArn"]).split("/")[1:]
    if theirs[-1:] != [site.ecs.name] or theirs[:-1] not in ([], [site.ecs.cluster]):
        raise Refused(
            f"{document['serviceDeploymentArn']} is a deployment of {'/'.join(theirs)}, "
            f"not of {site.ecs.cluster}/{site.ecs.name}",
            hint="invoke status shows this service's; --service NAME and --env E name another",
        )


def _require_serving(site: Site, document: dict[str, object]) -> None:
    """Refuse to go back from a release that does not serve any more.

    Raises:
        Refused: Another one does.

    """
    target = document.get("targetServiceRevision")
    arn = target.get("arn") if isinstance(target, dict) else None
    service = site.ecs.describe() or {}
    current = [revision["arn"] for revision in service.get("currentServiceRevisions", ())]
    if current and arn not in current:
        raise Refused(
            f"{document['serviceDeploymentArn']} is not what serves now: another deployment came after it",
            hint="invoke status; invoke rollback --to RELEASE goes where you say",
        )
