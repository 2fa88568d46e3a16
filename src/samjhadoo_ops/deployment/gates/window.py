"""Deployments happen when people are there to mend them, never while the database is maintained (plan 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from datetime import datetime

    from samjhadoo_ops.deployment.consent import Consent
    from samjhadoo_ops.deployment.gates.ground import Ground
    from samjhadoo_ops.environment.schema import Windows


def check(ground: Ground) -> Finding:
    """Refuse outside the deployment window and in the maintenance window."""
    return decide(ground.env.windows, ground.now, ground.consent)


def decide(windows: Windows, now: datetime, consent: Consent) -> Finding:
    """Return the finding at a time, an aware one.

    An emergency goes through at any time, the maintenance window included: with a manager's approval where
    `windows.emergency` is `approval`.
    """
    maintained = windows.maintenance.contains(now)
    if not maintained and windows.deployment.contains(now):
        return ok(f"{_local(windows, now)} is within {windows.deployment}")
    why = (
        f"{_local(windows, now)} is in the maintenance window {windows.maintenance}"
        if maintained
        else f"{_local(windows, now)} is outside the deployment window {windows.deployment}"
    )
    if windows.emergency == "always":
        return ok(f"{why}, which windows.emergency allows")
    if not consent.emergency or windows.emergency == "never":
        return refused(why, remedy=_remedy(windows, now))
    if not consent.approved_by:
        return refused(f"{why}, and nobody approved the emergency", remedy="add --approved-by MANAGER")
    if consent.approved_by.casefold() not in {name.casefold() for name in windows.managers}:
        return refused(
            f"{why}, and {consent.approved_by!r} is none of the managers",
            remedy=f"windows.managers: {', '.join(windows.managers) or 'none yet, name them there'}",
        )
    return ok(f"{why}; emergency: {consent.emergency}, approved by {consent.approved_by}")


def _local(windows: Windows, moment: datetime) -> str:
    local = moment.astimezone(windows.deployment.timezone)
    return f"{local:%a %H:%M %Z}"


def _remedy(windows: Windows, now: datetime) -> str:
    opening = f"it opens {windows.deployment.next_opening(now):%a %d %b %H:%M %Z}"
    if windows.deployment.contains(now):  # both windows at once
        opening = "wait for the maintenance to end"
    if windows.emergency == "never":
        return opening
    return f'{opening}; in an emergency: --emergency "why" --approved-by MANAGER'


GATE = Gate("window", "deployments are welcome now", check, overridable=False)
