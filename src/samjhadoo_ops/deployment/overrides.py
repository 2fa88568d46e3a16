"""What a person overrides for one deploy, and an emergency with its approval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Overrides:
    """Which gates are overridden and why; recorded with the deployment.

    Attributes:
        emergency: Why it cannot wait for the deployment window; empty when it is none.
        approved_by: The manager who approved it.

    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    emergency: str = ""
    approved_by: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Return what the journal keeps; empty when nothing was requested."""
        known = {
            "overrides": dict(self.reasons),
            "emergency": self.emergency,
            "approved_by": self.approved_by,
        }
        return {key: value for key, value in known.items() if value}


def recorded_overrides(data: Mapping[str, Any]) -> Overrides:
    """Return the overrides that the journal has of a deploy: a resumed one uses the same."""
    overrides = data.get("overrides") or {}
    return Overrides(
        {str(gate): str(reason) for gate, reason in overrides.items()},
        str(data.get("emergency", "")),
        str(data.get("approved_by", "")),
    )
