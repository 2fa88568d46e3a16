"""The stack `delivery` gives the role that releases exactly what `infra.policy` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.environment.outputs import resolve_outputs
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.infrastructure.policy import LONGEST_PARAMETER, deployer_policies, policies
from samjhadoo_ops.infrastructure.stacks import environment_stacks

if TYPE_CHECKING:
    from samjhadoo_emulator.testing import LocalAws
    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/samjhadoo-deployer"


@pytest.fixture
def env() -> Environment:
    """The local environment, with a role as real ones have it."""
    variables = {"SAMJHADOO_AWS__ROLE_ARN": ROLE, "SAMJHADOO_JOURNAL__BUCKET": "deployer-journal"}
    return load_environment("local", root=ROOT, variables=variables)


def by_action(documents: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return what each action is allowed on, and under which conditions."""
    found: dict[str, list[Any]] = {}
    for statement in (each for document in documents for each in document["Statement"]):
        actions = statement["Action"]
        for action in actions if isinstance(actions, list) else [actions]:
            allowed = [statement["Resource"], statement.get("Condition", {})]
            found.setdefault(action, []).append(allowed)
    return found


def test_the_role_gets_the_policy_that_the_command_prints(emulator: LocalAws, env: Environment) -> None:
    stack = environment_stacks(env).find("delivery")
    cloudformation, iam = emulator.client("cloudformation"), emulator.client("iam")
    cloudformation.create_stack(
        StackName=stack.name,
        TemplateBody=stack.template.body,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in stack.values.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack.name, WaiterConfig={"Delay": 1})
    attached = iam.list_attached_role_policies(RoleName="samjhadoo-deployer")["AttachedPolicies"]
    documents = []
    for policy in attached:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
        documents.append(answer["PolicyVersion"]["Document"])
    assert by_action(documents) == by_action(policies(env))
    # A setting that names what the stack made is read with a permission of that policy.
    named = load_environment(
        "local", root=ROOT, variables={"SAMJHADOO_NOTIFICATIONS__TOPIC": "stack:delivery#JournalBucket"}
    )
    assert resolve_outputs(named, Aws(named, emulator.url)).notifications.topic == "deployer-journal"


@pytest.mark.parametrize("name", ["staging", "production"])
def test_each_policy_is_a_value_that_a_parameter_takes(name: str) -> None:
    env = load_environment(name, root=ROOT, variables={})
    values = environment_stacks(env).find("delivery").values
    given = [value for key, value in sorted(values.items()) if key.startswith("DeployerPolicy") and value]
    assert given == deployer_policies(env)
    assert all(len(each) <= LONGEST_PARAMETER for each in given)


def test_without_a_role_there_are_no_policies() -> None:
    env = load_environment("local", root=ROOT, variables={})
    assert deployer_policies(env) == []


def test_names_that_other_stacks_make_are_refused(env: Environment) -> None:
    variables = {"SAMJHADOO_AWS__ROLE_ARN": ROLE, "SAMJHADOO_JOURNAL__BUCKET": "stack:delivery#JournalBucket"}
    with pytest.raises(ConfigurationError, match="needs names"):
        deployer_policies(load_environment("local", root=ROOT, variables=variables))
