"""Makes the environment's stacks in the local AWS, from the same templates as at AWS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.processes import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.environment import Environment


def prepare() -> None:
    """Import what `make` needs, while the local AWS starts."""
    import boto3  # noqa: F401

    from samjhadoo_ops.infrastructure import apply  # noqa: F401


def make(env: Environment, edge: int, *, log: Path) -> None:
    """Make the stacks.

    Args:
        edge: The port of the local AWS.
        log: Where everything is recorded that `infra.apply` would show.

    Raises:
        OpsError: A template is wrong, or a stack could not be made.
    """
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.infrastructure.apply import apply
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext

    with log.open("w", encoding="utf-8") as lines:
        console = Console("lines", out=lines, err=lines)
        aws = Aws(env, f"http://{LOOPBACK}:{edge}")
        clock = Clock(minute=env.clock.minute, origin=time.time())
        apply(InfrastructureContext(env, aws, clock, console), confirm=lambda _: None)
