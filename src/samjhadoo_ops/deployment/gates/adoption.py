"""Was the service created in a way that lets it be deployed: by hand, by Terraform, by this tool."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.configuration import load_balancers
from samjhadoo_ops.deployment.gates.gate import Facts, Finding, gate, ok, refused, skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.environment import Environment

_NEEDED = {
    "productionListenerRule": "production rule",
    "testListenerRule": "test rule",
    "roleArn": "infrastructure role",
}
"""What a canary needs besides the alternate target group."""


@gate("the cluster exists")
def cluster(facts: Facts) -> Finding:
    """Refuse when there is no active cluster: the service could not be created, after the migration."""
    name = facts.env.service.cluster
    if facts.service is not None:
        return ok(name)
    known = facts.ecs.client.describe_clusters(clusters=[name])["clusters"]
    if any(each["status"] == "ACTIVE" for each in known):
        return ok(name)
    return refused(
        f"there is no cluster {name!r} (service.cluster)",
        remedy=f"aws ecs create-cluster --cluster-name {name}",
    )


@gate("the service has what the deployment strategy needs")
def service_fits(facts: Facts) -> Finding:
    """Refuse a service that was created for another strategy, before anything is changed.

    ECS itself refuses it only when the deployment is to start, after the migration.
    """
    service, env = facts.service, facts.env
    if service is None:
        return skipped("there is no service yet: this is the first deployment")
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        return refused(
            f"{env.service.name} has the deployment controller {controller}",
            remedy=f"aws ecs update-service --cluster {env.service.cluster} --service {env.service.name} "
            "--deployment-controller type=ECS, or create it anew",
        )
    why = unfit(service.get("loadBalancers", ()), load_balancers(env, facts.load_balancing), env)
    return refused(why, remedy=_adoption(facts)) if why else ok(env.deployment.strategy)


def unfit(present: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], env: Environment) -> str:
    """Return why a service's load balancers do not fit the settings; empty when they do.

    The target groups change places with every deployment, and a rolling one needs one of them only.
    """
    name = env.service.name
    if len(present) != len(wanted):
        return f"{name} has {len(present)} load balancer entries, and the settings ask for {len(wanted)}"
    for own, one in zip(present, wanted, strict=True):
        for key in ("containerName", "containerPort"):
            if own.get(key) != one[key]:
                return f"{name} has the {key} {own.get(key)}, and the settings have {one[key]}"
        advanced, asked = own.get("advancedConfiguration") or {}, one.get("advancedConfiguration") or {}
        groups = {own.get("targetGroupArn"), advanced.get("alternateTargetGroupArn")} - {None}
        if not groups <= {one["targetGroupArn"], asked.get("alternateTargetGroupArn")}:
            return f"{name} uses a target group that service.target_groups does not name"
        lacking = [] if len(groups) > 1 else ["alternate target group"]
        lacking += [words for key, words in _NEEDED.items() if advanced.get(key) != asked.get(key)]
        if lacking and env.deployment.strategy != "ROLLING":
            return f"{name} lacks what a canary needs, or has another: {', '.join(lacking)}"
    return ""


def _adoption(facts: Facts) -> str:
    """Return the commands that make a service fit; the target group that serves stays the first.

    AWS wants a rolling deployment for that ("Update the deployment strategy from rolling update to Amazon ECS
    blue/green", ECS developer guide).
    """
    service, (wanted,) = facts.env.service, load_balancers(facts.env, facts.load_balancing)
    first, advanced = wanted["targetGroupArn"], wanted.get("advancedConfiguration") or {}
    second = advanced.get("alternateTargetGroupArn")
    present = {each.get("targetGroupArn") for each in (facts.service or {}).get("loadBalancers", ())}
    if second is None or not present & {first, second}:
        return "name its target group, and a second one for new releases, in service.target_groups"
    if second in present:
        first, second = second, first
    adopted = {
        **wanted,
        "targetGroupArn": first,
        "advancedConfiguration": {**advanced, "alternateTargetGroupArn": second},
    }
    where = f"--cluster {service.cluster}"
    return (
        f"adopt it by a rolling deployment: aws ecs update-service {where} --service {service.name} "
        "--deployment-configuration strategy=ROLLING "
        f"--load-balancers {shlex.quote(json.dumps([adopted]))}; "
        f"aws ecs wait services-stable {where} --services {service.name}. Or deploy it rolling, with alarms "
        'and circuit breaker: deployment.strategy = "ROLLING"'
    )
