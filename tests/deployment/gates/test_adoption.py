"""Services that were created in another way than this tool creates them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from gate_facts import BLUE, GREEN, LOAD_BALANCING, ROLE, SERVICE, facts_of, with_settings

from samjhadoo_ops.deployment.gates import adoption
from samjhadoo_ops.deployment.gates.gate import State

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

ADVANCED = {
    "alternateTargetGroupArn": GREEN,
    "productionListenerRule": LOAD_BALANCING.production_rule,
    "testListenerRule": LOAD_BALANCING.test_rule,
    "roleArn": ROLE,
}


def service(*, advanced: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """Return a service with one load balancer entry; None for one that was made for rolling deployments."""
    entry = {"containerName": "backend", "containerPort": 8080, "targetGroupArn": BLUE, **changes}
    return {
        **SERVICE,
        "loadBalancers": [entry if advanced is None else {**entry, "advancedConfiguration": advanced}],
    }


@pytest.mark.parametrize(
    ("present", "strategy", "why"),
    [
        pytest.param(None, "CANARY", "", id="no-service-yet"),
        pytest.param(service(advanced=ADVANCED), "CANARY", "", id="as-this-tool-makes-it"),
        pytest.param(
            service(advanced={**ADVANCED, "alternateTargetGroupArn": BLUE}, targetGroupArn=GREEN),
            "CANARY",
            "",
            id="target-groups-swapped",
        ),
        pytest.param(
            service(advanced=None),
            "CANARY",
            "lacks what a canary needs, or has another: alternate target group, production rule, "
            "test rule, infrastructure role",
            id="as-terraform-makes-it",
        ),
        pytest.param(service(advanced=None), "ROLLING", "", id="rolling-needs-no-more"),
        pytest.param(
            service(advanced={**ADVANCED, "roleArn": "arn:aws:iam::1:role/other"}),
            "CANARY",
            "or has another: infrastructure role",
            id="another-role",
        ),
        pytest.param(
            service(advanced={**ADVANCED, "testListenerRule": ""}),
            "CANARY",
            "another: test rule",
            id="no-test-rule",
        ),
        pytest.param(
            service(advanced=ADVANCED, containerPort=80),
            "CANARY",
            "has the containerPort 80",
            id="another-port",
        ),
        pytest.param(
            service(advanced=None, containerName="web"),
            "ROLLING",
            "has the containerName web",
            id="another-container",
        ),
        pytest.param(
            service(advanced=None, targetGroupArn="arn:other"),
            "CANARY",
            "a target group that service.target_groups does not name",
            id="unknown-target-group",
        ),
        pytest.param(
            {**SERVICE, "loadBalancers": []}, "CANARY", "has 0 load balancer entries", id="no-load-balancer"
        ),
        pytest.param(
            {**service(advanced=ADVANCED), "deploymentController": {"type": "CODE_DEPLOY"}},
            "CANARY",
            "the deployment controller CODE_DEPLOY",
            id="codedeploy",
        ),
    ],
)
def test_a_service_that_ecs_would_refuse_to_deploy_is_refused_before(
    env: Environment, present: dict[str, Any] | None, strategy: str, why: str
) -> None:
    env = with_settings(env, "deployment", strategy=strategy)
    found = adoption.service_fits(facts_of(env, service=present))
    assert found.state is (State.REFUSED if why else State.SKIPPED if present is None else State.OK), found
    assert why in found.reason
    assert bool(found.remedy) == bool(why)


@pytest.mark.parametrize(
    ("clusters", "state"), [(["ACTIVE"], State.OK), (["INACTIVE"], State.REFUSED), ([], State.REFUSED)]
)
def test_a_first_deployment_needs_its_cluster(env: Environment, clusters: list[str], state: State) -> None:
    found = [{"status": status} for status in clusters]
    client = SimpleNamespace(describe_clusters=lambda **_: {"clusters": found})
    facts = facts_of(env, service=None, ecs=SimpleNamespace(client=client))
    assert adoption.cluster(facts).state is state
