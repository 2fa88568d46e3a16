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
from samjhadoo_ops.errors import PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.configuration import Policy
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.traffic import Listening
    from samjhadoo_ops.deployment.watch import Teller
    from samjhadoo_ops.environment import Environment

_PIN_TRIES = 50


@dataclass(frozen=True)
class Started:
    """A deployment that ECS has accepted.

    Attributes:
        arn: The pinned service deployment.
        swift: Whether it shifts all traffic at once, without tests and gates.
        first: Whether there is no release to go back to.

    """

    arn: str
    swift: bool
    first: bool


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
    first = service is None or not ecs.deployments(statuses=["SUCCESSFUL"], limit=1)
    swift = swift or first
    configuration = swift_configuration(env) if swift else deployment_configuration(env)
    teller.record("starting", task_definition=task_definition, swift=swift, first=first)
    if service is None:
        answer = ecs.create(**creation(env, task_definition, listening, configuration))
    else:
        # A first deployment that failed left nothing to compare with: only force makes ECS try again.
        force = {"forceNewDeployment": True} if first else {}
        answer = ecs.update(taskDefinition=task_definition, deploymentConfiguration=configuration, **force)
    arn = pin(ecs, answer, clock=clock, poll=policy.poll)
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


def pin(ecs: EcsService, service: Mapping[str, Any], *, clock: Clock, poll: float) -> str:
    """Return the ARN of the service deployment that an update has started.

    The update's answer names the deployment's revision number; the service deployment with that target
    revision is ours, whoever else deploys meanwhile.

    Raises:
        PersonNeeded: There is none.

    """
    number = primary_revision(service)
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


def primary_revision(service: Mapping[str, Any]) -> str:
    """Return the number of the newest service revision of a DescribeServices document."""
    for deployment in service["deployments"]:
        if deployment["status"] == "PRIMARY":
            return str(deployment["id"]).rpartition("/")[2]
    raise PersonNeeded("ECS shows no primary deployment of the service", hint="invoke status")
