"""A gate: a name, when it is asked, and one read-only function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.deployment.gates.finding import Finding
    from samjhadoo_ops.deployment.gates.ground import Ground


class Stage(StrEnum):
    """What has to be known before a gate can be asked."""

    GROUND = "ground"
    SCHEMA = "schema"
    IMAGE = "image"


@dataclass(frozen=True)
class Gate:
    """One thing that must hold.

    Attributes:
        name: What settings (`gates.policy`) and `--override` call it.
        title: What holds when it is open, for people.
        overridable: Whether `--override` opens it.
        mandatory: Whether no setting can switch it off either.

    """

    name: str
    title: str
    check: Callable[[Ground], Finding]
    stage: Stage = Stage.GROUND
    overridable: bool = True
    mandatory: bool = False
