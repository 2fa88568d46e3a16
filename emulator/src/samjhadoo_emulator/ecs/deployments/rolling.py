"""How many old and new tasks a rolling update wants at a moment: a pure function of what runs."""

from __future__ import annotations

import math
from typing import NamedTuple


class Wanted(NamedTuple):
    """Tasks wanted of the revision that arrives and of those that leave."""

    arriving: int
    leaving: int


def wanted(
    desired: int,
    *,
    minimum_percent: int,
    maximum_percent: int,
    arriving: int,
    arriving_healthy: int,
    leaving: int,
    replacing: int = 0,
) -> Wanted:
    """Return the counts to aim for now.

    The sum never exceeds `maximumPercent` of the desired count (rounded down), healthy tasks never fall
    below `minimumHealthyPercent` (rounded up) by a stop of ours.

    Args:
        desired: The service's desired count.
        arriving: Tasks of the arriving revision, starting or running.
        arriving_healthy: Those of them that are healthy.
        leaving: Tasks of the leaving revisions that are not being stopped.
        replacing: Unhealthy tasks, of any revision, that stay until others are healthy in their place.
    """
    lower = math.ceil(desired * minimum_percent / 100)
    upper = math.floor(desired * maximum_percent / 100) - replacing
    keep = max(0, lower - arriving_healthy)
    stay = min(leaving, keep) if arriving_healthy < desired else 0
    room = max(0, upper - leaving)
    return Wanted(min(desired, max(room, min(arriving, desired))), stay)
