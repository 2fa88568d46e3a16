"""The settings of the preflight's gates (`[gates]`)."""

# ruff: noqa: TC001 - msgspec reads the annotations when the program runs

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from samjhadoo_ops.environment.kinds import Limit, Percent, Span, Text
from samjhadoo_ops.environment.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICIES = ("refuse", "warn", "off")
_REPLICA = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]/[A-Za-z][A-Za-z0-9-]*")


class ImageGate(Section, frozen=True, kw_only=True):
    """How many findings a scan of the image may have, by severity; -1 for any number."""

    unscanned: Literal["skip", "refuse"]
    wait: Span
    critical: Limit
    high: Limit
    medium: Limit


class MigrationsGate(Section, frozen=True, kw_only=True):
    """Which rules of squawk hold for pending migrations."""

    exclude: list[Text]
    destructive: list[Text]
    rollback_window: Span


class RollbackTargetGate(Section, frozen=True, kw_only=True):
    """For how long the image of the running release must be safe from the lifecycle policy."""

    image_kept: Span


class CapacityGate(Section, frozen=True, kw_only=True):
    """The account's limit on Fargate."""

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
                yield "instances", f"{name!r}: expected region/identifier, as us-east-1/samjhadoo-replica"


class Gates(Section, frozen=True, kw_only=True):
    """What must hold before a deployment changes anything."""

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
