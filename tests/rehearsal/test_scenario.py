from __future__ import annotations

import pytest

from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.rehearsal.scenario import FOLDER, read_scenario, scenarios

KILL = '\n[[steps]]\nat = "canary"\ndo = "kill"\n'
MINIMAL = 'title = "It works"\n[expect]\nserving = "new"\n'


def test_every_built_in_scenario_can_be_read(tmp_path):
    found = scenarios(tmp_path)
    assert {"healthy", "crash-at-start", "killed-and-never-back"} <= set(found)
    assert all(name == scenario.name and scenario.title for name, scenario in found.items())
    assert any(scenario.quick for scenario in found.values())


def test_a_project_adds_scenarios_and_replaces_built_in_ones(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "mine.toml").write_text(MINIMAL)
    (tmp_path / FOLDER / "healthy.toml").write_text(MINIMAL)
    (tmp_path / FOLDER / "notes.txt").write_text("not a scenario")
    found = scenarios(tmp_path)
    assert found["mine"].title == found["healthy"].title == "It works"
    assert "notes" not in found


def test_a_scenario_has_steps_and_expectations():
    text = f"""{MINIMAL}
exit_code = 4
detect = "5m"

[[steps]]
at = "before-canary"
after = "1m"
do = "fault"
fault = {{ kind = "throttle", service = "ecs" }}
"""
    scenario = read_scenario(text, name="mine", where="mine.toml")
    assert scenario.steps[0].after == Duration(60)
    assert scenario.expect.detect == Duration(300)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title =", "mine.toml: Invalid value"),
        ('title = "x"', "mine.toml: Object missing required field `expect`"),
        (MINIMAL + "exit = 4", "mine.toml: expect: Object contains unknown field `exit`"),
        (MINIMAL.replace("new", "both"), "mine.toml: expect.serving: Invalid enum value 'both'"),
        (MINIMAL + 'detect = "soon"', "mine.toml: expect.detect: expected a duration"),
        (MINIMAL + "detect = 5", "mine.toml: expect.detect: expected a duration"),
        (MINIMAL + 'output = "("', "mine.toml: expect.output: not a regular expression"),
        (MINIMAL + "[load]\nrate = -1", "mine.toml: load.rate: expected 0 or more"),
        (MINIMAL + '[[steps]]\nat = "dawn"\ndo = "kill"', "mine.toml: steps[0].at: 'dawn'; expected before"),
        (MINIMAL + '[[steps]]\nat = "canary"\ndo = "dance"', "mine.toml: steps[0].do: Invalid enum value"),
        (MINIMAL + '[[steps]]\nat = "canary"\ndo = "alarm"', "mine.toml: steps[0].alarm: required with"),
        (
            MINIMAL + '[[steps]]\nat = "canary"\ndo = "kill"\narguments = ["x"]',
            "mine.toml: steps[0].arguments: required with do = invoke",
        ),
        (
            MINIMAL
            + '[[steps]]\nat = "canary"\ndo = "kill"\n[[steps]]\nat = "before"\ndo = "freeze-database"',
            "mine.toml: steps[1].at: steps before the deploy have to come first",
        ),
    ],
)
def test_a_file_that_is_not_a_scenario_is_refused_with_its_key(text, message):
    with pytest.raises(ConfigurationError) as refused:
        read_scenario(text, name="mine", where="mine.toml")
    assert refused.value.message.startswith(message)
