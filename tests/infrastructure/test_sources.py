from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.infrastructure.sources import OutputSource

if TYPE_CHECKING:
    from conftest import StackProject
    from samjhadoo_ops.infrastructure.stacks import Stack

TEMPLATE = """
Parameters: {{P: {{Type: String}}}}
Metadata: {{Settings: {{P: {entry}}}}}
Resources: {{Topic: {{Type: AWS::SNS::Topic}}}}
"""


def stack_with(project: StackProject, entry: str) -> Stack:
    project.template("x", TEMPLATE.format(entry=entry))
    return project.stacks("x").find("x")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("database.instance", "db.r6g.xlarge"),
        ("infrastructure.multi_az", "true"),
        ("infrastructure.min_tasks", "4"),
        ("alarms.cpu.percent", "70"),
        ("slo.availability_percent", "99.95"),
        ("{setting: alarms.cpu.time, unit: minutes}", "5"),
        ("{setting: alarms.latency.threshold, unit: seconds}", "1"),
        ("{setting: slo.latency, unit: seconds}", "0.5"),
        ("{setting: slo.period, unit: days}", "30"),
        ("database.read_replicas", "us-east-1,ap-southeast-1"),
        ("service.target_groups.1", "samjhadoo-green"),
        ("service.variables.environment", "production"),
        ("database.secret", "samjhadoo/production/database"),
        ("{setting: windows.maintenance, unit: utc_window}", "sat:20:30-sat:22:30"),
        ("{task_definition: task_role}", "samjhadoo-backend"),
        ("{task_definition: log_group}", "/ecs/samjhadoo-backend"),
        ("{first: build.repository}", "true"),
        ("{first: infrastructure.certificate}", "false"),
        ("{stack: x}", "samjhadoo-production-x"),
        ("{stack: edge}", ""),
        ("{value: environment}", "production"),
        ("{value: prefix}", "samjhadoo"),
        ("{value: account}", "111122223333"),
        ("{value: region}", "ap-south-1"),
        ("{value: stack}", "samjhadoo-production-x"),
    ],
)
def test_a_parameter_takes_its_value_from_its_source(project: StackProject, entry: str, value: str) -> None:
    assert stack_with(project, entry).values == {"P": value}


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (
            "database.instanc",
            "P: there is no setting database.instanc; did you mean database.instance?",
        ),
        ("alarms.cpu.time", "Metadata.Settings.P: alarms.cpu.time is a duration: add unit: "),
        (
            "{setting: alarms.cpu.time, unit: weeks}",
            "P: unknown 'weeks'; known are milliseconds",
        ),
        (
            "{setting: alarms.cpu.percent, unit: days}",
            "alarms.cpu.percent is no duration, so it takes no unit",
        ),
        ("windows.maintenance", "windows.maintenance is a weekly window: add unit: utc_window"),
        ("{setting: alarms.cpu.time, unit: utc_window}", "alarms.cpu.time is a duration: add unit: "),
        ("{task_definition: family}", "unknown 'family'; known are execution_role, "),
        ("{first: {value: environment}}", "expected a setting's path"),
        ("alarms.cpu", "alarms.cpu is a table; name one of its settings"),
        ("sources", "there is no setting sources"),
        ("{value: colour}", "unknown 'colour'; known are environment, "),
        ("{live: colour}", "unknown 'colour'; known are blue_weight"),
        ("{output: network}", "expected a setting's path"),
        ("[a]", "expected a setting's path"),
    ],
)
def test_a_wrong_source_is_an_error_with_file_and_key(project: StackProject, entry: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _ = stack_with(project, entry).values
    assert caught.value.message.startswith("infrastructure/x.yaml: ")
    assert error in caught.value.message


def test_a_source_for_a_parameter_that_does_not_exist_is_an_error(project: StackProject) -> None:
    project.template(
        "x",
        "Metadata: {Settings: {Clas: database.instance}}\nParameters: {Class: {Type: String, "
        "Default: a}}\nResources: {T: {Type: AWS::SNS::Topic}}\n",
    )
    with pytest.raises(ConfigurationError, match=r"Settings.Clas: .*no such parameter; did you mean Class\?"):
        project.stacks("x")


def test_a_parameter_without_source_and_default_is_an_error(project: StackProject) -> None:
    project.template("x", "Parameters: {Class: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic}}\n")
    with pytest.raises(ConfigurationError, match=r"x.yaml: Parameters.Class: has neither"):
        project.stacks("x")


def test_a_setting_that_names_an_output_needs_that_stack(project: StackProject) -> None:
    project.edit("production", r"^subnets = .*", 'subnets = "stack:network#Private"')
    project.template("network", "Resources: {T: {Type: AWS::SNS::Topic}}\n")
    project.template("x", TEMPLATE.format(entry="service.subnets"))
    stacks = project.stacks("x", "network")
    assert [stack.key for stack in stacks.items] == ["network", "x"]
    assert stacks.find("x").outputs == {"P": OutputSource("network", "Private")}


def test_live_values_and_outputs_are_filled_in(project: StackProject) -> None:
    project.template(
        "x",
        "Parameters: {Blue: {Type: Number}, Id: {Type: String}, Env: {Type: String}}\n"
        "Metadata: {Settings: {Blue: {live: blue_weight}, Id: {output: x.Id}, Env: {value: environment}}}\n"
        "Resources: {T: {Type: AWS::SNS::Topic}}\n",
    )
    stack = project.stacks("x").find("x")
    found = stack.parameters(live={"blue_weight": "90"}, output=lambda _, wanted: f"the {wanted.output}")
    assert found == {"Blue": "90", "Id": "the Id", "Env": "production"}


def test_a_time_window_is_given_in_utc_as_rds_takes_it(project: StackProject) -> None:
    stack = stack_with(project, "{setting: windows.maintenance, unit: utc_window}")
    assert stack.values == {"P": "sat:20:30-sat:22:30"}


def test_what_services_share_is_made_by_the_first_ones_stack(project: StackProject) -> None:
    project.template(
        "service",
        "Parameters: {Role: {Type: String}, Makes: {Type: String}, Repository: {Type: String}}\n"
        "Metadata:\n"
        "  Stacks: {ForEach: services}\n"
        "  Settings:\n"
        "    Role: {task_definition: execution_role}\n"
        "    Makes: {first: {task_definition: execution_role}}\n"
        "    Repository: {first: build.repository}\n"
        "Resources: {T: {Type: AWS::SNS::Topic}}\n",
    )
    project.append(
        "production",
        """
        [services.api]
        [services.worker.service]
        name = "w"
        target_groups = ["w1", "w2"]
        production_listener_port = 9080
        test_listener_port = 9081
        [services.worker.build]
        repository = "samjhadoo/worker"
        """,
    )
    found = [stack.values for stack in project.stacks("service").items]
    assert found == [
        {"Role": "samjhadoo-task-execution", "Makes": "true", "Repository": "true"},
        {"Role": "samjhadoo-task-execution", "Makes": "false", "Repository": "true"},
    ]


@pytest.mark.parametrize(
    ("stacks", "name"),
    [(["x", "edge"], "samjhadoo-production-edge"), (["x"], "")],
    ids=["there", "not there"],
)
def test_a_parameter_can_be_the_name_of_another_stack(
    project: StackProject, stacks: list[str], name: str
) -> None:
    project.template("x", TEMPLATE.format(entry="{stack: edge}"))
    project.template("edge", "Resources: {T: {Type: AWS::SNS::Topic}}\n")
    assert project.stacks(*stacks).find("x").values == {"P": name}
