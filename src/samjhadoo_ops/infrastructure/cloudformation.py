"""CloudFormation, in the few calls that the tool needs; one instance for each region."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws_errors import aws_errors, translate
from samjhadoo_ops.errors import Refused
from samjhadoo_ops.infrastructure.events import FAILED, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_ops.clock import Clock

POLL = 5.0
"""Seconds on the clock between two looks at a change set or a stack."""
CAPABILITIES = ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
"""What the templates may do; they are the project's own, and reviewed with it."""
NEW = "REVIEW_IN_PROGRESS"
"""The status of a stack of which only a change set was made."""
UNMADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
"""The statuses of a stack that cannot be updated, only deleted."""
ENDINGS = SUCCEEDED | FAILED | {NEW}
"""The statuses of a stack to which nothing happens."""
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class StackDescription:
    """A stack as CloudFormation describes it."""

    id: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    exports: frozenset[str] = frozenset()
    parameters: Mapping[str, str] = field(default_factory=dict)
    change_set: str = ""
    protected: bool = False
    updated: Any = None
    drift: str = ""

    @property
    def is_new(self) -> bool:
        """Return whether nothing of it was made yet."""
        return self.status == NEW

    @property
    def in_progress(self) -> bool:
        """Return whether it is being changed right now."""
        return self.status.endswith("_IN_PROGRESS") and not self.is_new


@dataclass(frozen=True)
class ChangeSet:
    """A change set that CloudFormation has computed.

    Attributes:
        stack: The stack's ARN.
        changes: As DescribeChangeSet returns them; empty if the stack is as it should be.
        failure: Why CloudFormation could not compute it; empty if it could.
        unchanged: Whether there is nothing to do.
        mistakes: What CloudFormation's early validation has found, with its place in the template.
    """

    id: str
    stack: str
    changes: tuple[Mapping[str, Any], ...] = ()
    failure: str = ""
    unchanged: bool = False
    mistakes: tuple[str, ...] = ()


class CloudFormation:
    """The stacks of one region.

    Args:
        client: boto3's client.
        by: Who works, for those who find a stack in progress.
    """

    def __init__(self, client: Any, clock: Clock, *, by: str) -> None:
        self.client = client
        self.clock = clock
        self.by = by

    def stack(self, name: str) -> StackDescription | None:
        """Return a stack by name or ARN; None if there is none, or it is deleted."""
        try:
            found = self.client.describe_stacks(StackName=name)["Stacks"][0]
        except Exception as error:
            if is_missing(error):
                return None
            raise translate(error) or error from error
        return None if found["StackStatus"] == "DELETE_COMPLETE" else _state(found)

    def create_change_set(
        self, name: str, *, template: str, parameters: Mapping[str, str], new: bool
    ) -> ChangeSet:
        """Have CloudFormation compute what an update would do; nothing changes.

        Args:
            new: Whether the stack does not exist yet.
        """
        with aws_errors():
            made = self.client.create_change_set(
                StackName=name,
                ChangeSetName=f"samjhadoo-ops-{secrets.token_hex(6)}",
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=template,
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
                ],
                Capabilities=list(CAPABILITIES),
                Description=self.by,
            )
            found = self._awaited(made["Id"])
        ids = (made["Id"], made["StackId"])
        reason = found.get("StatusReason", "")
        if found["Status"] != "FAILED":
            return ChangeSet(*ids, tuple(found["Changes"]))
        if any(text in reason for text in _NO_CHANGES):
            return ChangeSet(*ids, unchanged=True)
        return ChangeSet(*ids, failure=reason, mistakes=self._mistakes(made["Id"]))

    def _mistakes(self, change_set: str) -> tuple[str, ...]:
        """Return what early validation has found; only DescribeEvents has it."""
        with aws_errors():
            answer = self.client.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})
        return tuple(
            f"{event.get('ValidationPath', event.get('LogicalResourceId', ''))}: "
            f"{event.get('ValidationStatusReason', '')}"
            for event in answer["OperationEvents"]
            if event.get("EventType") == "VALIDATION_ERROR"
        )

    def _awaited(self, change_set: str) -> dict[str, Any]:
        while True:
            found = self._described(change_set)
            if found["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
                return found
            self.clock.sleep(POLL)

    def _described(self, change_set: str) -> dict[str, Any]:
        """Return a change set with the changes of all pages."""
        answer: dict[str, Any] = self.client.describe_change_set(
            ChangeSetName=change_set, IncludePropertyValues=True
        )
        changes, page = list(answer.get("Changes", ())), answer
        while page.get("NextToken"):
            page = self.client.describe_change_set(
                ChangeSetName=change_set, IncludePropertyValues=True, NextToken=page["NextToken"]
            )
            changes += page.get("Changes", ())
        return {**answer, "Changes": changes}

    def delete_change_set(self, change_set: str) -> None:
        """Delete a change set."""
        with aws_errors():
            self.client.delete_change_set(ChangeSetName=change_set)

    def discard(self, name: str, change_set: str) -> None:
        """Delete a change set, and the stack if it exists for nothing else."""
        self.delete_change_set(change_set)
        state = self.stack(name)
        if state is not None and state.is_new and not self._change_sets(name):
            with aws_errors():
                self.client.delete_stack(StackName=name)

    def _change_sets(self, name: str) -> list[Any]:
        with aws_errors():
            return list(self.client.list_change_sets(StackName=name)["Summaries"])

    def execute(self, change_set: str) -> None:
        """Begin to do what a change set shows.

        Raises:
            Refused: The stack was changed after the change set had been made.
        """
        try:
            self.client.execute_change_set(ChangeSetName=change_set)
        except Exception as error:
            explained = translate(error)
            if explained is None:
                raise
            if getattr(explained, "code", "") in {"InvalidChangeSetStatus", "ChangeSetNotFound"}:
                raise Refused(
                    "the stack was changed by somebody else after its changes had been shown",
                    hint="look again: invoke infra.plan",
                    details=(explained.message,),
                ) from error
            raise explained from error

    def events(self, stack: str, *, after: str) -> list[dict[str, Any]]:
        """Return a stack's events after the one with an id, oldest first; all of them for an empty id."""
        found: list[dict[str, Any]] = []
        for page in self._event_pages(stack):
            for event in page:
                if event["EventId"] == after:
                    return found[::-1]
                found.append(event)
        return found[::-1]

    def newest_event(self, stack: str) -> str:
        """Return the id of a stack's last event; empty if it has none."""
        for page in self._event_pages(stack):
            return str(page[0]["EventId"]) if page else ""
        return ""

    def last_ending(self, stack: str) -> str:
        """Return the id of the event that ended the operation before the current one; empty for none."""
        for page in self._event_pages(stack):
            for event in page:
                if event.get("PhysicalResourceId") == stack and event["ResourceStatus"] in ENDINGS:
                    return str(event["EventId"])
        return ""

    def _event_pages(self, stack: str) -> Iterator[list[dict[str, Any]]]:
        request = {"StackName": stack}
        while True:
            with aws_errors():
                answer = self.client.describe_stack_events(**request)
            yield answer["StackEvents"]
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]

    def resources(self, name: str) -> list[dict[str, Any]]:
        """Return the resources of a stack."""
        with aws_errors():
            pages = self.client.get_paginator("list_stack_resources").paginate(StackName=name)
            return [resource for page in pages for resource in page["StackResourceSummaries"]]

    def delete(self, name: str) -> None:
        """Begin to delete a stack."""
        with aws_errors():
            self.client.delete_stack(StackName=name)

    def protect(self, name: str, *, enabled: bool) -> None:
        """Turn the protection of a stack against deletion on or off."""
        with aws_errors():
            self.client.update_termination_protection(StackName=name, EnableTerminationProtection=enabled)

    def set_policy(self, name: str, policy: str) -> None:
        """Set a stack's policy: which updates of its resources are allowed."""
        with aws_errors():
            self.client.set_stack_policy(StackName=name, StackPolicyBody=policy)

    def worker(self, state: StackDescription) -> str:
        """Return who made the change that is in progress; empty if that is not known."""
        if not state.change_set:
            return ""
        try:
            found = self.client.describe_change_set(ChangeSetName=state.change_set)
        except Exception as error:  # the change set may be gone, and this is only for people
            if translate(error) is None:
                raise
            return ""
        return str(found.get("Description", ""))


def is_missing(error: BaseException) -> bool:
    """Return whether an error of an AWS client says that a stack does not exist."""
    response = getattr(error, "response", {}).get("Error", {})
    return response.get("Code") == "ValidationError" and "does not exist" in response.get("Message", "")


def _state(found: Mapping[str, Any]) -> StackDescription:
    return StackDescription(
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
        exports=frozenset(each["ExportName"] for each in found.get("Outputs", ()) if "ExportName" in each),
        parameters={
            each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())
        },
        change_set=found.get("ChangeSetId", ""),
        protected=bool(found.get("EnableTerminationProtection")),
        updated=found.get("LastUpdatedTime") or found.get("CreationTime"),
        drift=found.get("DriftInformation", {}).get("StackDriftStatus", ""),
    )
