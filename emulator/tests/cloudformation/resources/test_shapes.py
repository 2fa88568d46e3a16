"""Properties become the parameters of AWS's operations by botocore's models."""

from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.errors import AwsError


@pytest.mark.parametrize(
    ("service", "operation", "properties", "parameters"),
    [
        pytest.param(
            "ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.0.0.0/16"}, id="same"
        ),
        pytest.param(
            "ecs",
            "RegisterTaskDefinition",
            {
                "Family": "web",
                "ContainerDefinitions": [{"Name": "app", "PortMappings": [{"ContainerPort": "80"}]}],
            },
            {
                "family": "web",
                "containerDefinitions": [{"name": "app", "portMappings": [{"containerPort": 80}]}],
            },
            id="lower-case-at-any-depth",
        ),
        pytest.param(
            "rds",
            "CreateDBInstance",
            {"AllocatedStorage": "20", "MultiAZ": "true", "StorageEncrypted": False},
            {"AllocatedStorage": 20, "MultiAZ": True, "StorageEncrypted": False},
            id="types-of-the-model",
        ),
        pytest.param(
            "iam",
            "CreateRole",
            {"AssumeRolePolicyDocument": {"Version": "2012-10-17"}},
            {"AssumeRolePolicyDocument": '{"Version": "2012-10-17"}'},
            id="documents-are-text",
        ),
        pytest.param(
            "logs",
            "CreateLogGroup",
            {"Tags": [{"Key": "a", "Value": "b"}]},
            {"tags": {"a": "b"}},
            id="tags-as-a-map",
        ),
        pytest.param("ec2", "CreateVpc", {"EnableDnsSupport": True}, {}, id="not-taken"),
    ],
)
def test_properties_take_the_form_of_the_model(
    service: str, operation: str, properties: dict[str, Any], parameters: dict[str, Any]
) -> None:
    assert shapes.parameters(service, operation, properties) == parameters


def test_renamed_properties_have_the_names_of_the_api() -> None:
    renamed = {"GroupDescription": "Description"}
    properties = {"GroupDescription": "web"}
    found = shapes.parameters("ec2", "CreateSecurityGroup", properties, renamed=renamed)
    assert found == {"Description": "web"}
    assert shapes.takes("ec2", "CreateSecurityGroup", renamed) >= {"GroupDescription", "VpcId"}


def test_a_member_that_the_api_lacks_is_refused_by_its_path() -> None:
    with pytest.raises(AwsError, match=r"property ProcessorFeatures\.Colour"):
        shapes.parameters("rds", "CreateDBInstance", {"ProcessorFeatures": [{"Name": "a", "Colour": "b"}]})


def test_answers_become_properties() -> None:
    answer = {"logGroupName": "a", "metricTransformations": [{"metricName": "b"}]}
    assert shapes.as_properties(answer) == {
        "LogGroupName": "a",
        "MetricTransformations": [{"MetricName": "b"}],
    }
