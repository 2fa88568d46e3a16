from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from samjhadoo_ops.deployment.gates.access import decide_window
from samjhadoo_ops.deployment.gates.gate import Overrides, State
from samjhadoo_ops.environment.window import Window

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

IST = ZoneInfo("Asia/Kolkata")
EMERGENCY = Overrides(emergency="payments are down", approved_by="Asha")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time of the week that begins on Monday, 23 November 2026, in India."""
    return datetime(2026, 11, 23 + day, hour, minute, tzinfo=IST)


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        pytest.param(at(0, 21, 59), State.REFUSED, id="a-minute-too-early"),
        pytest.param(at(0, 22), State.OK, id="monday-opens"),
        pytest.param(at(3, 23, 59), State.OK, id="thursday-just-before-midnight"),
        pytest.param(at(4, 0), State.REFUSED, id="midnight-ends-it"),
        pytest.param(at(4, 22), State.REFUSED, id="friday"),
        pytest.param(at(6, 3), State.REFUSED, id="sunday-maintenance"),
        pytest.param(datetime(2026, 11, 23, 17, tzinfo=ZoneInfo("UTC")), State.OK, id="told-in-utc"),
    ],
)
def test_production_is_deployed_in_its_window(
    production: Environment, moment: datetime, state: State
) -> None:
    found = decide_window(production.windows, moment, Overrides())
    assert found.state is state, found
    if state is State.REFUSED:
        assert "it opens Mon 23 Nov 22:00 IST" in found.remedy or "Nov 22:00" in found.remedy


@pytest.mark.parametrize(
    ("overrides", "state", "said"),
    [
        pytest.param(EMERGENCY, State.OK, "approved by Asha", id="approved"),
        pytest.param(
            Overrides(emergency="x", approved_by="asha"), State.OK, "approved", id="whatever-the-case"
        ),
        pytest.param(Overrides(emergency="x"), State.REFUSED, "nobody approved", id="not-approved"),
        pytest.param(
            Overrides(emergency="x", approved_by="Mallory"),
            State.REFUSED,
            "is not one of the managers",
            id="no-manager",
        ),
    ],
)
@pytest.mark.parametrize("moment", [at(5, 12), at(6, 3)], ids=["saturday", "maintenance"])
def test_an_emergency_needs_a_manager(
    production: Environment, moment: datetime, overrides: Overrides, state: State, said: str
) -> None:
    windows = msgspec.structs.replace(production.windows, managers=["Asha", "Ravi"])
    found = decide_window(windows, moment, overrides)
    assert found.state is state
    assert said in found.reason


def test_where_emergencies_never_pass_even_a_manager_waits(production: Environment) -> None:
    windows = msgspec.structs.replace(production.windows, emergency="never", managers=["Asha"])
    found = decide_window(windows, at(5, 12), EMERGENCY)
    assert found.state is State.REFUSED
    assert "--emergency" not in found.remedy


def test_where_they_always_pass_nobody_is_asked(production: Environment) -> None:
    windows = msgspec.structs.replace(production.windows, emergency="always")
    assert decide_window(windows, at(6, 3), Overrides()).state is State.OK


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        pytest.param("2026-03-29T01:30", State.OK, id="before-the-clocks-go-forward"),
        pytest.param("2026-03-29T03:30", State.OK, id="after-it"),
        pytest.param("2026-10-25T02:30", State.OK, id="in-the-hour-that-comes-twice"),
        pytest.param("2026-10-25T04:00", State.REFUSED, id="the-end-is-local-time"),
    ],
)
def test_a_window_follows_the_local_clock_through_its_changes(
    production: Environment, moment: str, state: State
) -> None:
    window = Window.parse("Sun 01:00-04:00 Europe/Berlin")
    windows = msgspec.structs.replace(
        production.windows, deployment=window, maintenance=Window.parse("Wed 02:00-04:00 Asia/Kolkata")
    )
    local = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert decide_window(windows, local, Overrides()).state is state
