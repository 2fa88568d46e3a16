"""How a deploy ended that went well, or where it was left."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.outcome import Phase

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.seen import Ending
    from samjhadoo_ops.deployment.site import Site

UNTIL = {
    "canary": frozenset({Phase.CANARY, Phase.BEFORE_FULL, Phase.BAKING, Phase.CLEANING_UP}),
    "bake": frozenset({Phase.BAKING, Phase.CLEANING_UP}),
    "done": frozenset[Phase](),
}
"""Phases in which a run may leave a deployment to ECS, by the word for `--until`."""
_LEFT = {
    Phase.CANARY: "canary",
    Phase.BEFORE_FULL: "canary",
    Phase.BAKING: "baking",
    Phase.CLEANING_UP: "baking",
}


@dataclass(frozen=True)
class Left:
    """A deployment that goes on at ECS while nobody of ours watches it.

    Attributes:
        reattach: The command that watches it again.
        acts_at: When ECS acts by itself, on the clock: it rolls a canary back, it completes a bake.
        seconds: Until then, on the clock.

    """

    reattach: str
    acts_at: datetime
    seconds: float


@dataclass(frozen=True)
class Deployed:
    """A deploy that ended well, or was left to ECS.

    Attributes:
        outcome: `succeeded`, `unchanged`; `canary` or `baking` when it was left to ECS.
        deploy: The journal's deploy.
        seconds: Real seconds spent in each part.

    """

    outcome: str
    release: str
    digest: str
    deploy: str = ""
    deployment: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    left: Left | None = None
    kind: str = "deploy"

    def told(self, url: str) -> str:
        """Return the ending in a sentence."""
        if self.outcome == "unchanged":
            return f"release {self.release} is deployed already: nothing was changed; it serves {url}"
        if self.left and self.outcome == "canary":
            return (
                f"release {self.release} has its canary's traffic. Nobody watches it now: ECS rolls it back "
                f"at about {self.left.acts_at:%H:%M} UTC, in {self.left.seconds / 60:.0f} min, unless "
                f"somebody does: {self.left.reattach}"
            )
        if self.left:
            return (
                f"release {self.release} serves {url}; ECS keeps the old one until about "
                f"{self.left.acts_at:%H:%M} UTC, {self.left.seconds / 60:.0f} min more, and then ends. "
                f"To watch it: {self.left.reattach}"
            )
        if self.kind == "rollback":
            return f"rolled back: {self.release} serves {url}"
        return f"release {self.release} is deployed and serves {url}"

    def fields(self) -> dict[str, Any]:
        """Return the ending as data."""
        left = self.left
        return {
            "release": self.release,
            "digest": self.digest,
            "deploy": self.deploy,
            "deployment": self.deployment,
            "seconds": self.seconds,
            **(
                {"reattach": left.reattach, "acts_at": left.acts_at, "seconds_left": round(left.seconds)}
                if left
                else {}
            ),
        }


def left_to_ecs(site: Site, ending: Ending, *, deploy: str) -> tuple[str, Left | None]:
    """Return the outcome of a watch that ended well, and what ECS does by itself when it goes on."""
    outcome = _LEFT.get(ending.phase)
    if outcome is None:
        return ending.phase.value, None
    now = site.clock.timestamp()
    expiries = [hook.expires_at.timestamp() for hook in ending.observed.waiting_hooks if hook.expires_at]
    acts = now + site.env.deployment.bake_time
    if outcome == "canary":
        pause = site.env.deployment.canary_time + site.env.deployment.hook_timeouts.production
        acts = min(expiries, default=now + pause)
    reattach = f"invoke watch {site.env.options} --deploy {deploy}"
    return outcome, Left(reattach, datetime.fromtimestamp(acts, UTC), max(0.0, acts - now))
