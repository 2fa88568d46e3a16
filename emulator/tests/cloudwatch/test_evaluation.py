"""An alarm's state from its data points: the tables of the user guide, and what lies between their rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudwatch.alarms.evaluation import (
    COMPARISONS,
    Criteria,
    Point,
    evaluate,
    evaluation_range,
)
from samjhadoo_emulator.cloudwatch.alarms.reasons import reason

RETAIN = None
INSUFFICIENT = "INSUFFICIENT_DATA"
OUT_OF = (
    "Threshold Crossed: 1 out of the last 1 datapoints [9.0 (01/01/70 00:00:00)] was greater than the "
    "threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
)
NOT_CROSSED = (
    "Threshold Crossed: 1 datapoint [0.0 (01/01/70 00:00:00)] was not greater than the threshold (1.0)."
)
ONE_MISSING = (
    "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
    "[NonBreaching]."
)
TWO_MISSING = (
    "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
    "[Breaching]."
)
ONE_OF_TWO = (
    "Threshold Crossed: 1 datapoint [9.0 (01/01/70 00:01:00)] was greater than the threshold (1.0) and "
    "1 missing datapoint was treated as [Breaching]."
)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def points(picture: str) -> list[Point | None]:
    """Read the guide's notation: `0` is fine, `X` breaches, `-` is missing."""
    values = {"0": 0.0, "X": 9.0}
    return [
        None if mark == "-" else Point(60 * index, values[mark])
        for index, mark in enumerate(picture.replace(" ", ""))
    ]


def criteria(datapoints: int, periods: int, missing: str = "missing", samples: float = 0.0) -> Criteria:
    return Criteria(datapoints, periods, "GreaterThanThreshold", 1.0, missing, samples)


@pytest.mark.parametrize(
    ("picture", "states"),
    [
        ("0 - X - X", ("OK", "OK", "OK", "OK")),
        ("0 - - - -", ("OK", "OK", "OK", "OK")),
        ("- - - - -", (INSUFFICIENT, RETAIN, "ALARM", "OK")),
        ("0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("- - X - -", ("ALARM", RETAIN, "ALARM", "OK")),
        ("- - - - X", (RETAIN, RETAIN, "ALARM", "OK")),
        ("- - - X -", (RETAIN, RETAIN, "ALARM", "OK")),
    ],
)
def test_three_of_three_is_as_the_guides_first_table(picture: str, states: tuple[str | None, ...]) -> None:
    found = [evaluate(points(picture), criteria(3, 3, missing)).state for missing in TREATMENTS]
    assert found == list(states)


@pytest.mark.parametrize(
    ("picture", "states"),
    [
        ("0 - X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0 0 X 0 X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0 - X - -", ("OK", "OK", "ALARM", "OK")),
        ("- - - - 0", ("OK", "OK", "ALARM", "OK")),
        ("- - - X -", ("ALARM", RETAIN, "ALARM", "OK")),
    ],
)
def test_two_of_three_is_as_the_guides_second_table(picture: str, states: tuple[str | None, ...]) -> None:
    found = [evaluate(points(picture), criteria(2, 3, missing)).state for missing in TREATMENTS]
    assert found == list(states)


@pytest.mark.parametrize(
    ("operator", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", [1.0, 2.0]),
        ("GreaterThanThreshold", [2.0]),
        ("LessThanThreshold", [0.0]),
        ("LessThanOrEqualToThreshold", [0.0, 1.0]),
    ],
)
def test_comparisons_are_strict_or_not_as_named(operator: str, breaching: list[float]) -> None:
    asked = Criteria(1, 1, operator, 1.0)
    found = [value for value in (0.0, 1.0, 2.0) if evaluate([Point(0, value)], asked).state == "ALARM"]
    assert found == breaching


def test_a_percentile_of_too_few_observations_changes_nothing() -> None:
    asked = criteria(1, 1, samples=200)
    assert evaluate([Point(0, 9.0, samples=199)], asked).state is None
    assert evaluate([Point(0, 9.0, samples=200)], asked).state == "ALARM"


@given(st.lists(st.sampled_from("0X"), min_size=3, max_size=5), st.integers(1, 3))
def test_with_every_data_point_there_the_treatment_does_not_matter(marks: list[str], needed: int) -> None:
    seen = {evaluate(points("".join(marks)), criteria(needed, 3, each)).state for each in TREATMENTS}
    assert seen == {"ALARM" if marks[-3:].count("X") >= needed else "OK"}


@given(st.text(alphabet="0X-", min_size=5, max_size=5), st.integers(1, 3), st.sampled_from(TREATMENTS))
def test_no_alarm_without_a_breaching_point_unless_missing_breaches(
    picture: str, needed: int, missing: str
) -> None:
    state = evaluate(points(picture), criteria(needed, 3, missing)).state
    assert state in ("OK", "ALARM", INSUFFICIENT, RETAIN)
    if state == "ALARM" and missing != "breaching":
        assert "X" in picture
    if missing in ("breaching", "notBreaching"):
        assert state in ("OK", "ALARM")


@pytest.mark.parametrize(
    ("picture", "asked", "counted", "text"),
    [
        (
            "X",
            criteria(1, 1),
            False,
            "Threshold Crossed: 1 datapoint [9.0 (01/01/70 00:00:00)] was greater than the threshold (1.0).",
        ),
        (
            "X",
            criteria(1, 1),
            True,
            OUT_OF,
        ),
        (
            "0X",
            criteria(2, 2),
            False,
            NOT_CROSSED,
        ),
        (
            "--",
            criteria(1, 1, "notBreaching"),
            False,
            ONE_MISSING,
        ),
        (
            "----",
            criteria(2, 2, "breaching"),
            False,
            TWO_MISSING,
        ),
        (
            "-X",
            criteria(2, 2, "breaching"),
            False,
            ONE_OF_TWO,
        ),
        ("--", criteria(2, 2), False, "Insufficient Data: 2 datapoints were unknown."),
    ],
)
def test_the_reason_is_in_the_words_of_aws(picture: str, asked: Criteria, counted: bool, text: str) -> None:
    assert reason(evaluate(points(picture), asked), asked, old_state="OK", counted=counted) == text


def test_the_evaluation_range_is_the_guides_five_for_three() -> None:
    assert evaluation_range(3) == 5
    assert len(COMPARISONS) == 4
