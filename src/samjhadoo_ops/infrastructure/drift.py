"""What differs from the templates because somebody changed it by other means."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws_errors import aws_errors
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.infrastructure.cloudformation import POLL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext
    from samjhadoo_ops.infrastructure.stacks import Stack

_AT_ONCE = 8
_DETECTABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "IMPORT_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",
    }
)
"""The statuses of a stack whose drift can be detected."""
_RULES = frozenset({"AWS::ElasticLoadBalancingV2::ListenerRule", "AWS::ElasticLoadBalancingV2::Listener"})
_FORWARD = re.compile(r"/(?P<actions>(Default)?Actions)/(?P<number>\d+)/ForwardConfig/TargetGroups\b")


@dataclass(frozen=True)
class Drift:
    """A resource that is not as its template says.

    Attributes:
        status: `MODIFIED` or `DELETED`.
        differences: Path, expected and actual value of each property.
    """

    stack: str
    id: str
    type: str
    physical: str
    status: str
    differences: tuple[tuple[str, str, str], ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """Return it as the fields of an event."""
        return {
            "stack": self.stack,
            "resource": self.id,
            "type": self.type,
            "physical": self.physical,
            "status": self.status,
            "differences": [
                {"path": path, "expected": expected, "actual": actual}
                for path, expected, actual in self.differences
            ],
        }


def drifts(infrastructure: InfrastructureContext) -> list[Drift]:
    """Return what has drifted in all stacks whose drift can be detected.

    Raises:
        OpsError: CloudFormation could not detect it.
        AwsCallFailed: AWS refused a call or could not be reached.
    """
    stacks = [
        stack for stack, state in infrastructure.states() if state is not None and state.status in _DETECTABLE
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [
            drift
            for found in pool.map(lambda each: _detected(infrastructure, each), stacks)
            for drift in found
        ]


def _detected(infrastructure: InfrastructureContext, stack: Stack) -> list[Drift]:
    client, clock = infrastructure.cloudformation(stack).client, infrastructure.clock
    with aws_errors():
        detection = client.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
        while True:
            found = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            clock.sleep(POLL)
        if found["DetectionStatus"] == "DETECTION_FAILED":
            raise OpsError(
                f"{stack.key}: CloudFormation could not detect the drift: "
                f"{found.get('DetectionStatusReason', 'it gives no reason')}"
            )
        return unexpected(stack.key, _described(client, stack.name))


def _described(client: Any, name: str) -> list[Mapping[str, Any]]:
    request: dict[str, Any] = {
        "StackName": name,
        "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
    }
    found: list[Mapping[str, Any]] = []
    while True:
        answer = client.describe_stack_resource_drifts(**request)
        found += answer["StackResourceDrifts"]
        if not answer.get("NextToken"):
            return found
        request["NextToken"] = answer["NextToken"]


def unexpected(stack: str, found: Iterable[Mapping[str, Any]]) -> list[Drift]:
    """Return the drifts of a stack, without those that are ECS's own: the weights of the declared groups."""
    drifted = [
        _drift(stack, each) for each in found if each["StackResourceDriftStatus"] in {"MODIFIED", "DELETED"}
    ]
    return [drift for drift in drifted if drift.status == "DELETED" or drift.differences]


def _drift(stack: str, found: Mapping[str, Any]) -> Drift:
    differences = [
        (each["PropertyPath"], each.get("ExpectedValue", ""), each.get("ActualValue", ""))
        for each in found.get("PropertyDifferences", ())
    ]
    if found["ResourceType"] in _RULES:
        differences = _without_weights(differences, found)
    return Drift(
        stack,
        found["LogicalResourceId"],
        found["ResourceType"],
        found.get("PhysicalResourceId", ""),
        found["StackResourceDriftStatus"],
        tuple(differences),
    )


def _without_weights(
    differences: Sequence[tuple[str, str, str]], found: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return the differences of a rule but those of weights and order of its declared target groups."""
    expected, actual = (
        json.loads(found.get(key, "{}")) for key in ("ExpectedProperties", "ActualProperties")
    )
    return [
        each
        for each in differences
        if not (place := _FORWARD.match(each[0]))
        or _target_groups(expected, place) != _target_groups(actual, place)
    ]


def _target_groups(properties: Mapping[str, Any], place: re.Match[str]) -> set[str]:
    """Return the ARNs of the target groups to which an action forwards."""
    actions = properties.get(place["actions"], [])
    number = int(place["number"])
    forward = actions[number].get("ForwardConfig", {}) if number < len(actions) else {}
    return {str(each.get("TargetGroupArn")) for each in forward.get("TargetGroups", ())}
