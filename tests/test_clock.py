from __future__ import annotations

import pytest

from samjhadoo_ops.clock import Clock, in_words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (75 * 60, "75 min"),
        (5 * 3600, "5 h"),
        (72 * 3600, "3 days"),
    ],
)
def test_a_duration_is_in_the_unit_that_suits_it(seconds: float, expected: str) -> None:
    assert in_words(seconds) == expected


def test_an_emulated_duration_is_marked_and_comes_after_the_real_one() -> None:
    assert Clock(minute=0.2).words(15 * 60) == "3 s (15 min emulated)"
    assert Clock().words(15 * 60) == "15 min"
