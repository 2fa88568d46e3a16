from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from samjhadoo_ops.aws_errors import AwsCallFailed
from samjhadoo_ops.environment.outputs import resolve_outputs
from samjhadoo_ops.environment.view import rows
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from environment.conftest import Project

SUBNETS = r"^subnets = .*"


class CloudFormation:
    """Clients of an account with stacks that have outputs."""

    def __init__(self, code: str = "ValidationError", **outputs: dict[str, str]) -> None:
        self.stacks = {name.replace("_", "-"): found for name, found in outputs.items()}
        self.code = code
        self.asked: list[str] = []

    def client(self, service: str) -> CloudFormation:
        assert service == "cloudformation"
        return self

    def describe_stacks(self, **request: str) -> dict[str, Any]:
        name = request["StackName"]
        self.asked.append(name)
        if name not in self.stacks:
            error = {"Code": self.code, "Message": f"Stack with id {name} does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        outputs = self.stacks[name].items()
        return {"Stacks": [{"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs]}]}


def test_settings_take_what_the_stacks_made(project: Project) -> None:
    project.edit("production", r"^alarms = .*", "alarms = []")
    project.edit("production", SUBNETS, 'subnets = "stack:network#Private"')
    project.edit("production", r"^security_groups = .*", 'security_groups = ["stack:network#Tasks", "sg-2"]')
    project.edit("base", r"^execution_role = .*", 'execution_role = "stack:network#Role"')
    role = "arn:aws:iam::111122223333:role/x"
    aws = CloudFormation(
        samjhadoo_production_network={"Private": "subnet-1, subnet-2", "Tasks": "sg-1", "Role": role}
    )
    env = resolve_outputs(project.load("production"), aws)
    assert env.service.subnets == ["subnet-1", "subnet-2"]
    assert env.service.security_groups == ["sg-1", "sg-2"]
    assert env.database.task.execution_role == role
    assert aws.asked == ["samjhadoo-production-network"]


def test_without_a_reference_aws_is_not_asked(project: Project) -> None:
    aws = CloudFormation()
    env = project.load("local")
    assert resolve_outputs(env, aws) is env
    assert aws.asked == []


def test_the_settings_show_references_unresolved(project: Project) -> None:
    project.edit("production", SUBNETS, 'subnets = "stack:network#Private"')
    found = {key: value for key, value, _ in rows(project.load("production"))}
    assert found["service.subnets"] == ["stack:network#Private"]


def test_a_service_takes_the_outputs_of_its_own_stack_first(project: Project) -> None:
    project.append(
        "local",
        '[services.api.service]\nsubnets = "stack:service#Subnets"\n'
        'security_groups = "stack:network#Groups"\n',
    )
    aws = CloudFormation(
        samjhadoo_local_service_api={"Subnets": "subnet-1"}, samjhadoo_local_network={"Groups": "sg-1"}
    )
    env = resolve_outputs(project.load("local").services["api"], aws)
    assert (env.service.subnets, env.service.security_groups) == (["subnet-1"], ["sg-1"])


@pytest.mark.parametrize(
    ("outputs", "error", "hint"),
    [
        pytest.param(
            {},
            "environments/production.toml: service.subnets: stack:network#Private: the stack "
            "samjhadoo-production-network does not exist in ap-south-1, or has no outputs",
            "make it: invoke infra.apply --env production",
            id="no stack",
        ),
        pytest.param(
            {"samjhadoo_production_network": {"Privat": "x"}},
            "environments/production.toml: service.subnets: stack:network#Private: the stack "
            "samjhadoo-production-network has no output Private",
            "did you mean Privat?",
            id="no output",
        ),
    ],
)
def test_the_error_names_file_key_stack_and_output(
    project: Project, outputs: dict[str, dict[str, str]], error: str, hint: str
) -> None:
    project.edit("production", SUBNETS, 'subnets = "stack:network#Private"')
    with pytest.raises(ConfigurationError) as caught:
        resolve_outputs(project.load("production"), CloudFormation(**outputs))
    assert (caught.value.message, caught.value.hint) == (error, hint)


def test_a_lacking_permission_is_reported_with_the_reference(project: Project) -> None:
    project.edit("production", SUBNETS, 'subnets = "stack:network#Private"')
    with pytest.raises(AwsCallFailed, match="stack:network#Private: AWS DescribeStacks: AccessDenied"):
        resolve_outputs(project.load("production"), CloudFormation("AccessDenied"))


def test_a_value_that_the_setting_does_not_take_is_refused(project: Project) -> None:
    project.edit("base", r"^execution_role = .*", 'execution_role = "stack:network#Role"')
    aws = CloudFormation(samjhadoo_local_network={"Role": "nobody"})
    with pytest.raises(ConfigurationError, match="'nobody' is not the ARN of an IAM role"):
        resolve_outputs(project.load("local"), aws)


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "error"),
    [
        ("production", SUBNETS, 'subnets = "stack:network"', "expected stack:NAME#Output"),
        ("base", r"^prefix = .*", 'prefix = "stack:a#B"', "cannot come from a stack"),
        ("base", r"^strategy = .*", 'strategy = "stack:a#B"', "expected one of CANARY, ROLLING"),
    ],
)
def test_a_reference_where_none_may_be_is_refused(
    project: Project, file: str, pattern: str, replacement: str, error: str
) -> None:
    project.edit(file, pattern, replacement)
    assert any(error in problem for problem in project.refusal("production"))
