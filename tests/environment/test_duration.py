from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.environment import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("1h30m", 5400),
        ("0.2s", 0.2),
        ("300ms", 0.3),
        ("1d", 86_400),
        ("0s", 0),
        ("1s500ms", 1.5),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds
    assert Duration.parse(text).seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "15",
        "m",
        "-5m",
        "15 m",
        "15M",
        "1.5h",
        "30m1h",
        "1m1m",
        "nan",
        "inf",
        "1e3s",
        "٣m",
        "15m\n",
        "0x1s",
    ],
)
def test_other_text_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        Duration.parse(text)


@given(st.integers(0, 10**12))
def test_what_a_duration_writes_it_reads_again(microseconds: int) -> None:
    duration = Duration(microseconds / 1_000_000)
    assert Duration.parse(str(duration)) == duration


@given(st.integers(0, 9), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 999))
def test_units_add_up(days: int, hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s{milliseconds}ms"
    total = days * 86_400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert Duration.parse(text) == pytest.approx(total)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert Duration.parse(text) >= 0
    except ValueError as error:
        assert "expected a duration" in str(error)  # noqa: PT017 - both endings are right


def test_a_duration_shows_itself_as_written_and_counts_as_seconds() -> None:
    bake = Duration.parse("90m")
    assert f"{bake} {bake:.0f} {bake!r} {bake.minutes:.0f}" == "1h30m 5400 Duration('1h30m') 90"
