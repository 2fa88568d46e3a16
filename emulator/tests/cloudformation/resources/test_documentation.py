"""The reference lists the resource types that can be made."""

from __future__ import annotations

import re
from pathlib import Path

from samjhadoo_emulator.cloudformation.resources import registry

REFERENCE = Path(__file__).parents[3] / "docs" / "reference.md"
ROW = re.compile(r"\| `AWS::(\w+)` \| (.+) \|")


def documented() -> set[str]:
    rows = ROW.findall(REFERENCE.read_text())
    return {f"AWS::{service}::{name}" for service, names in rows for name in names.split(", ")}


def test_the_reference_lists_every_type_that_can_be_made() -> None:
    made = {name for service in registry._MODULES for name in registry._types(service)}
    assert documented() == made | {"AWS::CloudFormation::Stack"}
