"""Drift of stacks in the running emulator: what somebody has changed by hand is found."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count(1)


class Drifting:
    """A stack with two parameters and a topic, and its drift."""

    def __init__(self, emulator: Any, eventually: Any) -> None:
        self.api, self.ssm = emulator.client("cloudformation"), emulator.client("ssm")
        self.eventually = eventually
        self.name = f"drifting-{next(_numbers)}"
        resources = {
            name: {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Name": f"/{self.name}/{name}", "Value": "wanted"},
            }
            for name in ("First", "Second")
        }
        resources["Handle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        self.api.create_stack(StackName=self.name, TemplateBody=json.dumps({"Resources": resources}))
        self.eventually(lambda: self.stack()["StackStatus"] == "CREATE_COMPLETE")

    def stack(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_stacks(StackName=self.name)["Stacks"][0]
        return found

    def detect(self, **params: Any) -> dict[str, Any]:
        """Detect drift; return the finished detection."""
        detection = self.api.detect_stack_drift(StackName=self.name, **params)["StackDriftDetectionId"]

        def finished() -> dict[str, Any] | None:
            answer: dict[str, Any] = self.api.describe_stack_drift_detection_status(
                StackDriftDetectionId=detection
            )
            return None if answer["DetectionStatus"] == "DETECTION_IN_PROGRESS" else answer

        answer: dict[str, Any] = self.eventually(finished)
        return answer

    def drifts(self, *wanted: str) -> dict[str, str]:
        filters = {"StackResourceDriftStatusFilters": list(wanted)} if wanted else {}
        answer = self.api.describe_stack_resource_drifts(StackName=self.name, **filters)
        return {
            each["LogicalResourceId"]: each["StackResourceDriftStatus"]
            for each in answer["StackResourceDrifts"]
        }


@pytest.fixture
def drifting(noop_emulator: Any, eventually: Any) -> Drifting:
    return Drifting(noop_emulator, eventually)


def test_an_untouched_stack_is_in_sync(drifting: Drifting) -> None:
    assert drifting.stack()["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}

    detection = drifting.detect()

    assert (detection["DetectionStatus"], detection["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC")
    assert detection["DriftedStackResourceCount"] == 0
    assert drifting.drifts() == {"First": "IN_SYNC", "Second": "IN_SYNC"}
    assert drifting.stack()["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"


def test_changed_and_deleted_resources_have_drifted(drifting: Drifting) -> None:
    drifting.ssm.put_parameter(Name=f"/{drifting.name}/First", Value="changed", Overwrite=True)
    drifting.ssm.delete_parameter(Name=f"/{drifting.name}/Second")

    detection = drifting.detect()

    assert (detection["StackDriftStatus"], detection["DriftedStackResourceCount"]) == ("DRIFTED", 2)
    assert drifting.drifts() == {"First": "MODIFIED", "Second": "DELETED"}
    assert drifting.drifts("DELETED") == {"Second": "DELETED"}
    resources = drifting.api.list_stack_resources(StackName=drifting.name)["StackResourceSummaries"]
    assert {
        each["LogicalResourceId"]: each["DriftInformation"]["StackResourceDriftStatus"] for each in resources
    } == {"First": "MODIFIED", "Second": "DELETED", "Handle": "NOT_CHECKED"}


def test_one_resource_can_be_looked_at(drifting: Drifting) -> None:
    drifting.ssm.put_parameter(Name=f"/{drifting.name}/First", Value="changed", Overwrite=True)

    answer = drifting.api.detect_stack_resource_drift(StackName=drifting.name, LogicalResourceId="First")

    drift = answer["StackResourceDrift"]
    assert drift["PropertyDifferences"] == [
        {
            "PropertyPath": "/Value",
            "ExpectedValue": "wanted",
            "ActualValue": "changed",
            "DifferenceType": "NOT_EQUAL",
        }
    ]
    assert json.loads(drift["ExpectedProperties"])["Value"] == "wanted"
    assert json.loads(drift["ActualProperties"])["Value"] == "changed"
    assert drifting.stack()["DriftInformation"]["StackDriftStatus"] == "DRIFTED"


def test_a_detection_can_be_limited_to_resources(drifting: Drifting) -> None:
    drifting.ssm.delete_parameter(Name=f"/{drifting.name}/Second")

    assert drifting.detect(LogicalResourceIds=["First"])["StackDriftStatus"] == "IN_SYNC"
    assert drifting.drifts() == {"First": "IN_SYNC"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Nothing", "Resource Nothing does not exist"),
        ("Handle", "does not support drift detection"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(drifting: Drifting, name: str, reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        drifting.api.detect_stack_resource_drift(StackName=drifting.name, LogicalResourceId=name)


def test_a_stack_in_review_has_no_drift(drifting: Drifting) -> None:
    template = {"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}
    drifting.api.create_change_set(
        StackName=f"{drifting.name}-new",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
    )

    with pytest.raises(ClientError, match="REVIEW_IN_PROGRESS"):
        drifting.api.detect_stack_drift(StackName=f"{drifting.name}-new")
