"""Starting a service deployment and pinning it.

One UpdateService starts it, and sets how it is to run: a canary that pauses for tests and gates, or a
swift one for a first deployment and for going back. A deployment is known by its ARN from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.configuration import (
    deployment_configuration,
    load_balancers,
    network_configuration,
    swift_configuration,
)
from samjhadoo_ops.deployment.ecs import has_served
from samjhadoo_ops.errors import PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.configuration import Policy
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.seen import Before
    from samjhadoo_ops.deployment.telling import Teller
    from samjhadoo_ops.deployment.traffic import Listening
    from samjhadoo_ops.environment import Environment

_PIN_TRIES = 50
_KNOWN = 20


@dataclass(frozen=True)
class Started:
    """A deployment that ECS has accepted.

    Attributes:
        arn: The pinned service deployment.
        swift: Whether it shifts all traffic at once, without tests and gates.
        first: Whether there is no release to go back to.
        before: What a run before saw of it; None when this run started it.

    """

    arn: str
    swift: bool
    first: bool
    before: Before | None = None


def start(
    ecs: EcsService,
    env: Environment,
    *,
    task_definition: str,
    listening: Listening,
    clock: Clock,
    policy: Policy,
    teller: Teller,
    swift: bool = False,
) -> Started:
    """Start a deployment of a registered task definition and pin it.

    Args:
        swift: Go without canary and pauses; a first deployment always does.

    Raises:
        PersonNeeded: ECS accepted the update but shows no deployment for it.

    """
    service = ecs.describe()
    briefs = ecs.deployments(limit=100) if service else []
    first = not has_served(service, briefs)
    swift = swift or first
    configuration = swift_configuration(env) if swift else deployment_configuration(env)
    known = {str(brief["serviceDeploymentArn"]) for brief in briefs[:_KNOWN]}
    teller.record("starting", task_definition=task_definition, swift=swift, first=first, known=sorted(known))
    if service is None:
        answer = ecs.create(**creation(env, task_definition, listening, configuration))
    else:
        # A first deployment that failed left nothing to compare with: only force makes ECS try again.
        force = {"forceNewDeployment": True} if first else {}
        before = {str(deployment["id"]) for deployment in service["deployments"]}
        answer = ecs.update(
            known=before, taskDefinition=task_definition, deploymentConfiguration=configuration, **force
        )
    arn = pin(ecs, answer, task_definition=task_definition, clock=clock, poll=policy.poll)
    teller.record("started-deployment", deployment=arn, task_definition=task_definition)
    teller.tell("deployment", f"deployment {arn.rpartition('/')[2]} has started", deployment=arn)
    return Started(arn, swift=swift, first=first)


def creation(
    env: Environment, task_definition: str, listening: Listening, configuration: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request that creates the service."""
    return {
        "taskDefinition": task_definition,
        "desiredCount": env.service.desired_count,
        "launchType": "FARGATE",
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": dict(configuration),
        "loadBalancers": load_balancers(env, listening),
        "healthCheckGracePeriodSeconds": round(env.service.health_check_grace),
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "networkConfiguration": network_configuration(env, listening),
    }


def started_unseen(ecs: EcsService, *, task_definition: str, known: Container[str]) -> str:
    """Return the service deployment that a run started which then died; empty when it started none.

    Args:
        task_definition: What the run was about to deploy.
        known: The service deployments that were there before.

    """
    if ecs.describe() is None:
        return ""
    new = [brief for brief in ecs.deployments(limit=_KNOWN) if brief["serviceDeploymentArn"] not in known]
    revisions = ecs.revisions(brief.get("targetServiceRevisionArn", "") for brief in new)
    for brief in reversed(new):  # ours is the first of that task definition
        revision = revisions.get(brief.get("targetServiceRevisionArn", ""), {})
        if revision.get("taskDefinition") == task_definition:
            return str(brief["serviceDeploymentArn"])
    return ""


def pin(
    ecs: EcsService, service: Mapping[str, Any], *, task_definition: str, clock: Clock, poll: float
) -> str:
    """Return the ARN of the service deployment that an update has started.

    The update's answer names the deployment's revision number; the service deployment with that target
    revision is ours, whoever else deploys meanwhile.

    Raises:
        PersonNeeded: There is none.

    """
    number = newest_revision(service, task_definition)
    for _ in range(_PIN_TRIES):
        for brief in ecs.deployments(limit=20):
            if brief.get("targetServiceRevisionArn", "").rpartition("/")[2] == number:
                return str(brief["serviceDeploymentArn"])
        clock.sleep(poll / 4)
    raise PersonNeeded(
        f"ECS accepted the update of {ecs.name} but shows no service deployment for revision {number}",
        changed="the service was updated",
        hint="invoke status",
    )


def newest_revision(service: Mapping[str, Any], task_definition: str) -> str:
    """Return the number of the newest service revision of a task definition in a DescribeServices document.

    Raises:
        PersonNeeded: There is none.

    """
    found = [each for each in service["deployments"] if each["taskDefinition"] == task_definition]
    if not found:
        raise PersonNeeded(f"ECS shows no deployment of {task_definition}", hint="invoke status")
    newest = max(found, key=lambda each: (each["status"] == "PRIMARY", str(each.get("createdAt", ""))))
    return str(newest["id"]).rpartition("/")[2]
