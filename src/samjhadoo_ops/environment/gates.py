"""Settings of the preflight gates (`[gates]`)."""

# ruff: noqa: TC001 - msgspec reads the annotations when the program runs

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from samjhadoo_ops.environment.section import Section
from samjhadoo_ops.environment.value_types import Limit, Percent, Span, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICIES = ("refuse", "warn", "off")
_REPLICA = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]/[A-Za-z][A-Za-z0-9-]*")


class ImageGate(Section, frozen=True, kw_only=True):
    """How many findings an image scan may have, by severity; -1 for any number."""

    unscanned: Literal["skip", "refuse"]
    wait: Span
    critical: Limit
    high: Limit
    medium: Limit


class MigrationsGate(Section, frozen=True, kw_only=True):
    """Which of squawk's rules apply to pending migrations."""

    exclude: list[Text]
    destructive: list[Text]
    rollback_window: Span


class RollbackTargetGate(Section, frozen=True, kw_only=True):
    """How long the repository's lifecycle policy must keep the image of the running release."""

    image_kept: Span


class CapacityGate(Section, frozen=True, kw_only=True):
    """The service quota that limits Fargate."""

    quota: Text


class ErrorBudgetGate(Section, frozen=True, kw_only=True):
    """How much of the error budget must be left."""

    remaining_percent: Percent


class ReplicasGate(Section, frozen=True, kw_only=True):
    """The database's read replicas and how far they may lag."""

    instances: list[Text]
    lag: Span

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        for name in self.instances:
            if not _REPLICA.fullmatch(name):
                yield (
                    "instances",
                    f"{name!r}: expected region/identifier, such as us-east-1/samjhadoo-replica",
                )


class Gates(Section, frozen=True, kw_only=True):
    """What is checked before a deployment changes anything."""

    on_unknown: Literal["skip", "refuse"]
    policy: dict[str, str]
    image: ImageGate
    migrations: MigrationsGate
    rollback_target: RollbackTargetGate
    capacity: CapacityGate
    error_budget: ErrorBudgetGate
    replicas: ReplicasGate

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        for name, policy in self.policy.items():
            if policy not in POLICIES:
                yield f"policy.{name}", f"expected one of {', '.join(POLICIES)}, got {policy!r}"
