"""What happens in a stack: the newest state of each resource, and why something failed; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE"})
FAILED = frozenset(
    {
        "CREATE_FAILED",
        "DELETE_FAILED",
        "IMPORT_ROLLBACK_COMPLETE",
        "IMPORT_ROLLBACK_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",
    }
)
"""How a stack's operation can end."""
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")
_WORDS = {
    "CREATE_IN_PROGRESS": "creating",
    "CREATE_COMPLETE": "created",
    "CREATE_FAILED": "could not be created",
    "UPDATE_IN_PROGRESS": "updating",
    "UPDATE_COMPLETE": "updated",
    "UPDATE_FAILED": "could not be updated",
    "DELETE_IN_PROGRESS": "deleting",
    "DELETE_COMPLETE": "deleted",
    "DELETE_FAILED": "could not be deleted",
    "DELETE_SKIPPED": "kept",
}


@dataclass(frozen=True)
class ResourceState:
    """The state of a resource, from its newest event."""

    id: str
    type: str
    status: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Return whether nothing happens to it at the moment."""
        return not self.status.endswith("_IN_PROGRESS")

    @property
    def failed(self) -> bool:
        """Return whether it failed by itself, not because something else did."""
        return self.status.endswith("_FAILED") and not self.reason.startswith(_CONSEQUENCES)

    @property
    def words(self) -> str:
        """Return its state in words; an unknown one as CloudFormation writes it."""
        return _WORDS.get(self.status, self.status)

    @property
    def cause(self) -> str:
        """Return in one line what failed and why, with AWS's reason."""
        reason = " ".join(self.reason.split()) or "CloudFormation gives no reason"
        return f"{self.id} ({self.type}) {self.words}: {reason}"


@dataclass
class StackEvents:
    """An operation on a stack, event by event.

    Args:
        stack: The stack's ARN.

    Attributes:
        status: The stack's own; empty before its first event.
        reason: Why the stack is rolled back.
        resources: The newest state of each resource, in the order of their first events.
        failures: What failed, in order; the first one is the cause of the others.
    """

    stack: str
    status: str = ""
    reason: str = ""
    last: str = ""
    resources: dict[str, ResourceState] = field(default_factory=dict)
    failures: list[ResourceState] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Return whether the operation is over."""
        return self.status in SUCCEEDED or self.status in FAILED

    @property
    def succeeded(self) -> bool:
        """Return whether it is over and has done what was wanted."""
        return self.status in SUCCEEDED

    @property
    def busy(self) -> list[ResourceState]:
        """Return the resources to which something happens at the moment."""
        return [state for state in self.resources.values() if not state.ended]

    @property
    def cause(self) -> str:
        """Return in one line why it failed."""
        return self.failures[0].cause if self.failures else self.reason or f"it ended as {self.status}"

    def record(self, event: Mapping[str, Any]) -> ResourceState | None:
        """Take an event; return the state of a resource that has just ended, None for any other event."""
        self.last = event["EventId"]
        status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
        if event.get("PhysicalResourceId") == self.stack:
            self.status = status
            if "ROLLBACK" in status or status.endswith("_FAILED"):
                self.reason = self.reason or reason
            return None
        name = event["LogicalResourceId"]
        before, state = self.resources.get(name), ResourceState(name, event["ResourceType"], status, reason)
        self.resources[name] = state
        if state.failed:
            self.failures.append(state)
        return state if state.ended and (before is None or before.status != status) else None
