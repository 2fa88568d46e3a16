"""How the services of an environment are deployed together."""

# ruff: noqa: TC001 - msgspec reads the annotations when the program runs

from __future__ import annotations

from typing import Literal

from samjhadoo_ops.environment.kinds import Count
from samjhadoo_ops.environment.section import Section


class Rollout(Section, frozen=True, kw_only=True):
    """How many services are deployed at once, and what becomes of the others when one fails."""

    parallel: Count
    on_failure: Literal["stop", "continue", "rollback"]
