"""The API of drift detection."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.base import CloudFormationBase
from samjhadoo_emulator.cloudformation.changes.change_shapes import as_text
from samjhadoo_emulator.cloudformation.changes.property_changes import ABSENT
from samjhadoo_emulator.cloudformation.drift import compared, property_differences
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.model import NOT_CHECKED, STACK, StackStatus
from samjhadoo_emulator.cloudformation.scheduling import Cancellation
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error
from samjhadoo_emulator.pagination import CLOUDFORMATION
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from samjhadoo_emulator.cloudformation.drift import PropertyDifference
    from samjhadoo_emulator.cloudformation.model import Stack, StackResource
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

IN_SYNC: Final = "IN_SYNC"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"
UNKNOWN: Final = "UNKNOWN"
DRIFTED: Final = "DRIFTED"
SETTLED: Final = frozenset(
    {
        StackStatus.CREATE_COMPLETE,
        StackStatus.UPDATE_COMPLETE,
        StackStatus.UPDATE_ROLLBACK_COMPLETE,
        StackStatus.UPDATE_ROLLBACK_FAILED,
    }
)
"""The statuses in which a stack's drift can be detected."""


@dataclass(frozen=True)
class ResourceDrift:
    """What a detection has found about a resource.

    Attributes:
        status: DetectStackResourceDrift's StackResourceDriftStatus.
        reason: Why the status is UNKNOWN.
        expected: The properties that were compared, as the template wants them.
        actual: The same as they are.
    """

    logical_id: str
    id: str
    type: str
    status: str
    checked: datetime
    expected: Properties
    actual: Properties
    differences: tuple[PropertyDifference, ...] = ()
    reason: str = ""


@dataclass
class Detection:
    """One detection of a stack's drift."""

    id: str
    stack: Stack
    started: datetime
    status: str = "DETECTION_IN_PROGRESS"
    reason: str = ""
    drifted: int = 0


class DriftOperations(CloudFormationBase):
    """Detects drift of stacks and answers what was found."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._detections: dict[str, Detection] = {}
        self._drifts: dict[str, dict[str, ResourceDrift]] = {}

    @operation("DetectStackDrift")
    async def detect_stack_drift(self, params: Params) -> Result:
        stack = self._settled(params)
        wanted = params.get("LogicalResourceIds")
        records = [
            record for record in stack.existing.values() if wanted is None or record.logical_id in wanted
        ]
        detection = Detection(str(uuid.uuid4()), stack, self.clock.now())
        self._detections[detection.id] = detection
        self.spawn(self._detect_all(detection, records), name=f"cloudformation-drift-{stack.name}")
        return {"StackDriftDetectionId": detection.id}

    @operation("DescribeStackDriftDetectionStatus")
    async def describe_stack_drift_detection_status(self, params: Params) -> Result:
        detection = self._detections.get(params["StackDriftDetectionId"])
        if detection is None:
            raise validation_error(f"Drift detection {params['StackDriftDetectionId']} does not exist")
        answer: dict[str, Any] = {
            "StackId": detection.stack.id,
            "StackDriftDetectionId": detection.id,
            "DetectionStatus": detection.status,
            "Timestamp": detection.started,
        }
        if detection.status != "DETECTION_IN_PROGRESS":
            answer["StackDriftStatus"] = detection.stack.drift_status
            answer["DriftedStackResourceCount"] = detection.drifted
        if detection.reason:
            answer["DetectionStatusReason"] = detection.reason
        return answer

    @operation("DetectStackResourceDrift")
    async def detect_stack_resource_drift(self, params: Params) -> Result:
        stack, name = self._settled(params), params["LogicalResourceId"]
        record = stack.existing.get(name)
        if record is None:
            raise validation_error(f"Resource {name} does not exist for stack {stack.name}")
        found = await self._detect(stack, record)
        if found.status == NOT_CHECKED:
            raise validation_error(f"The resource type {record.type} does not support drift detection")
        self._summarise(stack)
        return {"StackResourceDrift": _shape(stack, found)}

    @operation("DescribeStackResourceDrifts")
    async def describe_stack_resource_drifts(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        wanted = params.get("StackResourceDriftStatusFilters")
        shapes = [
            _shape(stack, drift)
            for name, drift in sorted(self._drifts.get(stack.id, {}).items())
            if name in stack.existing
            and drift.status != NOT_CHECKED
            and (not wanted or drift.status in wanted)
        ]
        return CLOUDFORMATION.answer("StackResourceDrifts", shapes, params)

    def _settled(self, params: Params) -> Stack:
        stack = self.stacks.find(params["StackName"])
        if stack.status not in SETTLED:
            raise validation_error(
                f"Drift detection cannot be performed on stack [{stack.name}] in status [{stack.status}]"
            )
        return stack

    async def _detect_all(self, detection: Detection, records: Iterable[StackResource]) -> None:
        found = await asyncio.gather(*(self._detect(detection.stack, record) for record in records))
        failed = [drift.logical_id for drift in found if drift.status == UNKNOWN]
        detection.drifted = sum(drift.status in (MODIFIED, DELETED) for drift in found)
        detection.status = "DETECTION_FAILED" if failed else "DETECTION_COMPLETE"
        if failed:
            detection.reason = f"Failed to detect drift on resource [{', '.join(failed)}]"
        self._summarise(detection.stack)

    async def _detect(self, stack: Stack, record: StackResource) -> ResourceDrift:
        drift = await self._compared(stack, record)
        if stack.resources.get(record.logical_id) is record:  # and has not been updated meanwhile
            record.drift_status, record.drift_checked = drift.status, drift.checked
            self._drifts.setdefault(stack.id, {})[record.logical_id] = drift
        return drift

    async def _compared(self, stack: Stack, record: StackResource) -> ResourceDrift:
        def drift(status: str, **further: Any) -> ResourceDrift:
            found = {"expected": record.properties, "actual": {}, **further}
            now = self.clock.now()
            return ResourceDrift(record.logical_id, record.id, record.type, status, now, **found)

        if record.type == STACK:  # a nested stack's drift is detected by itself
            return drift(NOT_CHECKED)
        try:
            actual = await self._read(stack, record)
        except AwsError as error:
            if error.code == not_implemented("").code:
                return drift(NOT_CHECKED)
            return drift(UNKNOWN, reason=error.message)
        if actual is None:
            return drift(DELETED)
        schema = schemas.schema(record.type)
        differences = property_differences(record.properties, actual, schema, stack_tags=record.tags)
        expected, shown = compared(record.properties, actual, schema)
        status = MODIFIED if differences else IN_SYNC
        return drift(status, expected=expected, actual=shown, differences=differences)

    async def _read(self, stack: Stack, record: StackResource) -> Properties | None:
        request = await self.provider.request(stack, record, Cancellation())
        return await self.provider.type_of(record).read(request)

    def _summarise(self, stack: Stack) -> None:
        """Note a stack's drift: that of its resources that were checked."""
        statuses = {record.drift_status for record in stack.existing.values()}
        stack.drift_checked = self.clock.now()
        if statuses & {MODIFIED, DELETED}:
            stack.drift_status = DRIFTED
        else:
            stack.drift_status = UNKNOWN if UNKNOWN in statuses else IN_SYNC


def _shape(stack: Stack, drift: ResourceDrift) -> dict[str, Any]:
    """Return botocore's `StackResourceDrift`."""
    shape: dict[str, Any] = {
        "StackId": stack.id,
        "LogicalResourceId": drift.logical_id,
        "PhysicalResourceId": drift.id,
        "ResourceType": drift.type,
        "StackResourceDriftStatus": drift.status,
        "Timestamp": drift.checked,
    }
    if drift.status in (IN_SYNC, MODIFIED):
        shape["ExpectedProperties"] = json.dumps(drift.expected, separators=(",", ":"), sort_keys=True)
        shape["ActualProperties"] = json.dumps(drift.actual, separators=(",", ":"), sort_keys=True)
        shape["PropertyDifferences"] = [_difference(each) for each in drift.differences]
    if drift.reason:
        shape["DriftStatusReason"] = drift.reason
    return shape


def _difference(difference: PropertyDifference) -> dict[str, str]:
    expected, actual = difference.expected, difference.actual
    return {
        "PropertyPath": "/" + "/".join(difference.path),
        "ExpectedValue": "" if expected is ABSENT else as_text(expected),
        "ActualValue": "" if actual is ABSENT else as_text(actual),
        "DifferenceType": difference.kind,
    }
