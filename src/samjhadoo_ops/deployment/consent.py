"""What a person has taken upon themselves for one deploy: overrides, and an emergency with its approval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Consent:
    """Who allows what, and why; recorded with the deployment.

    Attributes:
        overrides: The reason for each gate that is overridden.
        emergency: Why it cannot wait for the deployment window; empty when it is none.
        approved_by: The manager who approved it.

    """

    overrides: Mapping[str, str] = field(default_factory=dict)
    emergency: str = ""
    approved_by: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Return what the journal keeps; empty when nothing was asked for."""
        told = {
            "overrides": dict(self.overrides),
            "emergency": self.emergency,
            "approved_by": self.approved_by,
        }
        return {key: value for key, value in told.items() if value}


def recorded_consent(data: Mapping[str, Any]) -> Consent:
    """Return what the journal kept of a deploy's consent: a resumed one goes on with the same."""
    overrides = data.get("overrides") or {}
    return Consent(
        {str(gate): str(reason) for gate, reason in overrides.items()},
        str(data.get("emergency", "")),
        str(data.get("approved_by", "")),
    )


def read_consent(
    overrides: Iterable[str] | None = None, emergency: str = "", approved_by: str = ""
) -> Consent:
    """Read the options `--override GATE=reason` (repeatable), `--emergency` and `--approved-by`.

    Raises:
        ConfigurationError: A gate is unknown or cannot be overridden, or a reason is missing.

    """
    from samjhadoo_ops.deployment.gates import GATES

    reasons: dict[str, str] = {}
    for option in overrides or ():
        said, _, reason = option.partition("=")
        name = said.strip().replace("-", "_")
        gate = GATES.get(name)
        if gate is None:
            known = ", ".join(sorted(each.name for each in GATES.values() if each.overridable))
            raise ConfigurationError(
                f"--override {said.strip()}: there is no such gate", hint=f"gates: {known}"
            )
        if not gate.overridable:
            instead = "use --emergency and --approved-by" if name == "window" else "correct what it tells"
            raise ConfigurationError(f"--override {name}: this gate cannot be overridden", hint=instead)
        if not reason.strip():
            raise ConfigurationError(
                f"--override {name}: the reason is missing", hint=f'--override {name}="why it may be passed"'
            )
        reasons[name] = reason.strip()
    if approved_by.strip() and not emergency.strip():
        raise ConfigurationError("--approved-by approves an emergency", hint='add --emergency "why"')
    return Consent(reasons, emergency.strip(), approved_by.strip())
