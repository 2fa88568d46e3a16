from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from conftest import StackProject

TOPIC = "Resources: {Topic: {Type: AWS::SNS::Topic}}\n"
NETWORK = TOPIC + "Outputs: {VpcId: {Value: !Ref Topic, Export: {Name: !Sub '${AWS::StackName}-VpcId'}}}\n"
DATA = """
Parameters: {Prefix: {Type: String}, Environment: {Type: String}}
Metadata: {Settings: {Prefix: {value: prefix}, Environment: {value: environment}}}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName:
        Fn::ImportValue: !Sub ${Prefix}-${Environment}-network-VpcId
"""


def test_a_stack_is_named_after_prefix_environment_and_template(project: StackProject) -> None:
    project.template("network", TOPIC)
    (stack,) = project.stacks("network").items
    assert (stack.key, stack.name, stack.region) == ("network", "samjhadoo-production-network", "ap-south-1")


def test_a_stack_follows_the_one_whose_exports_it_imports(project: StackProject) -> None:
    project.template("network", NETWORK)
    project.template("data", DATA)
    project.template("other", TOPIC)
    assert [stack.key for stack in project.stacks("data", "other", "network").items] == [
        "other",
        "network",
        "data",
    ]


def test_stacks_that_need_each_other_are_refused(project: StackProject) -> None:
    settings = "Parameters: {{P: {{Type: String}}}}\nMetadata: {{Settings: {{P: {{output: {}.X}}}}}}\n"
    project.template("one", settings.format("two") + TOPIC)
    project.template("two", settings.format("one") + TOPIC)
    with pytest.raises(ConfigurationError, match="the stacks one, two need each other's outputs in a circle"):
        project.stacks("one", "two")


def test_each_service_has_its_own_stack(project: StackProject) -> None:
    project.template(
        "service",
        "Parameters: {Name: {Type: String}}\n"
        "Metadata: {Stacks: {ForEach: services}, Settings: {Name: service.name}}\n" + TOPIC,
    )
    (only,) = project.stacks("service").items
    assert (only.key, only.values) == ("service", {"Name": "samjhadoo-service"})
    project.append(
        "production",
        """
        [services.api]
        [services.worker.service]
        name = "samjhadoo-worker"
        target_groups = ["worker-blue", "worker-green"]
        production_listener_port = 9080
        test_listener_port = 9081
        [services.worker.build]
        repository = "samjhadoo/worker"
        """,
    )
    found = {stack.name: stack.values["Name"] for stack in project.stacks("service").items}
    assert found == {
        "samjhadoo-production-service-api": "samjhadoo-service",
        "samjhadoo-production-service-worker": "samjhadoo-worker",
    }


def test_the_first_service_makes_what_services_share(project: StackProject) -> None:
    shared = dedent(
        """
        Metadata:
          Stacks: {ForEach: services}
          Settings:
            Repository: {first: build.repository}
            Role: {first: {task_definition: task_role}}
            Alarms: {stack: alarms}
        Parameters: {Repository: {Type: String}, Role: {Type: String}, Alarms: {Type: String}}
        """
    )
    project.template("service", shared + TOPIC)
    project.template("alarms", "Metadata: {Stacks: {ForEach: services}}\n" + TOPIC)
    project.append(
        "production",
        """
        [services.api]
        [services.worker.service]
        name = "samjhadoo-worker"
        target_groups = ["worker-blue", "worker-green"]
        production_listener_port = 9080
        test_listener_port = 9081
        [services.worker.build]
        repository = "samjhadoo/worker"
        """,
    )
    stacks = project.stacks("service", "alarms")
    assert stacks.find("service-api").values == {
        "Repository": "true",
        "Role": "true",
        "Alarms": "samjhadoo-production-alarms-api",
    }
    assert stacks.find("service-worker").values == {
        "Repository": "true",
        "Role": "false",
        "Alarms": "samjhadoo-production-alarms-worker",
    }


def test_each_region_of_a_setting_has_its_own_stack(project: StackProject) -> None:
    project.template("replicas", "Metadata: {Stacks: {ForEach: database.read_replicas}}\n" + TOPIC)
    assert {(stack.key, stack.region) for stack in project.stacks("replicas").items} == {
        ("replicas-us-east-1", "us-east-1"),
        ("replicas-ap-southeast-1", "ap-southeast-1"),
    }
    assert project.stacks("replicas", environment="staging").items == ()


def test_an_output_for_a_service_is_taken_from_that_services_stack(project: StackProject) -> None:
    project.template("service", "Metadata: {Stacks: {ForEach: services}}\n" + TOPIC)
    project.template(
        "edge",
        "Parameters: {P: {Type: String}}\n"
        "Metadata: {Stacks: {Region: us-east-1, ForEach: services}, Settings: {P: {output: service.Url}}}\n"
        + TOPIC,
    )
    project.append(
        "production",
        """
        [services.api]
        [services.worker]
        after = ["api"]
        [services.worker.service]
        name = "w"
        target_groups = ["w1", "w2"]
        production_listener_port = 9080
        test_listener_port = 9081
        """,
    )
    stacks = project.stacks("edge", "service")
    edge = stacks.find("edge-worker")
    assert [each.key for each in stacks.needed_by(edge)] == ["service-worker"]
    assert edge.region == "us-east-1"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("Resources: [", "infrastructure/x.yaml:2: is not valid YAML", id="no YAML"),
        pytest.param("a: 1\n", "infrastructure/x.yaml: is no CloudFormation template", id="no template"),
        pytest.param("#" * 52_000, "has 52,001 bytes; CloudFormation takes 51,200", id="too long"),
        pytest.param(
            "Metadata: {Stacks: {Each: services}}\n" + TOPIC,
            "infrastructure/x.yaml: Metadata.Stacks: unknown Each",
            id="unknown key",
        ),
    ],
)
def test_a_wrong_template_is_refused_with_its_place(project: StackProject, text: str, error: str) -> None:
    project.template("x", text + "\n")
    with pytest.raises(ConfigurationError, match=error):
        project.stacks("x")


def test_a_template_that_does_not_exist_is_refused_with_the_nearest(project: StackProject) -> None:
    project.template("network", TOPIC)
    with pytest.raises(ConfigurationError, match=r"stacks: .* infrastructure/netwrok.yaml") as caught:
        project.stacks("netwrok")
    assert caught.value.hint == "did you mean network?"


def test_an_environment_without_stacks_is_explained(project: StackProject) -> None:
    with pytest.raises(ConfigurationError, match="infrastructure.stacks is empty"):
        project.stacks()
