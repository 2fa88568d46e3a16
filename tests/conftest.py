"""Which tests begin: those that take longest, so that the workers end at about the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

LONGEST = (
    "test_main_job",
    "test_resume",
    "test_live",
    "test_restarts",
    "test_lifecycle",
    "test_several_services",
    "test_rules_of_the_api",
    "test_schema",
    "test_canary",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    order = {stem: place for place, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
