"""Templates as other tools write them, from their text to resources that exist.

`templates/cdk_fargate.json` is what `cdk synth` 2.276 makes of an `ApplicationLoadBalancedFargateService`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from stack_flows import Flow

CDK = (Path(__file__).parent / "templates" / "cdk_fargate.json").read_text()
VERSION = "/cdk-bootstrap/hnb659fds/version"
LOOPS = """
Transform: AWS::LanguageExtensions
Parameters:
  Names: {Type: CommaDelimitedList}
  Kept: {Type: String, Default: Delete}
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - Topic${Name}:
        Type: AWS::SNS::Topic
        DeletionPolicy: !Ref Kept
        Properties: {DisplayName: !Sub 'It is ${Name}'}
  Listed:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Value: !ToJsonString {count: !Length [!Ref Names, more], names: !Ref Names}
Outputs:
  Fn::ForEach::Arns: [Name, !Ref Names, {'Arn${Name}': {Value: !Ref 'Topic${Name}'}}]
"""

SERVERLESS = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Timeout: 3, Runtime: python3.13}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: 'def handler(event, context): return 1'
      Policies: [AmazonS3ReadOnlyAccess]
      Environment: {Variables: {TABLE: !Ref Table}}
  Table: {Type: AWS::Serverless::SimpleTable}
Outputs: {Role: {Value: !GetAtt HelloRole.Arn}}
"""


def bootstrapped(flow: Flow, version: str) -> None:
    """Say which version of the CDK's bootstrap stack the account has."""
    flow.emulator.client("ssm").put_parameter(Name=VERSION, Value=version, Type="String", Overwrite=True)


def test_a_template_of_the_cdk_becomes_a_service_behind_a_load_balancer(flow: Flow) -> None:
    bootstrapped(flow, "31")
    flow.create("cdk", CDK, Capabilities=["CAPABILITY_IAM"])
    physical = flow.physical("cdk")
    types = {name: each["Type"] for name, each in json.loads(CDK)["Resources"].items()}
    assert physical.keys() == types.keys()
    (service,) = (physical[name] for name, type_name in types.items() if type_name == "AWS::ECS::Service")
    (balancer,) = flow.emulator.client("elbv2").describe_load_balancers()["LoadBalancers"]
    (found,) = flow.emulator.client("ecs").describe_services(
        cluster=service.split("/")[1], services=[service]
    )["services"]
    assert found["loadBalancers"][0]["containerPort"] == 80
    assert f"http://{balancer['DNSName']}" in flow.outputs("cdk").values()
    flow.delete("cdk")
    assert flow.emulator.client("elbv2").describe_load_balancers()["LoadBalancers"] == []


def test_the_rule_of_the_cdk_asks_for_a_bootstrapped_account(flow: Flow) -> None:
    bootstrapped(flow, "5")
    with pytest.raises(ClientError, match="CDK bootstrap stack version 6 required"):
        flow.create("cdk", CDK, Capabilities=["CAPABILITY_IAM"])
    flow.emulator.client("ssm").delete_parameter(Name=VERSION)
    with pytest.raises(ClientError, match=rf"Unable to fetch parameters \[{VERSION}\] from parameter store"):
        flow.create("cdk", CDK, Capabilities=["CAPABILITY_IAM"])


def test_loops_make_as_many_resources_as_a_parameter_names(flow: Flow) -> None:
    given = [{"ParameterKey": "Names", "ParameterValue": "A,B"}]
    flow.create("loops", LOOPS, Parameters=given, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    physical = flow.physical("loops")
    assert physical.keys() == {"TopicA", "TopicB", "Listed"}
    assert flow.parameters()[physical["Listed"]] == '{"count":2,"names":["A","B"]}'
    assert flow.outputs("loops") == {"ArnA": physical["TopicA"], "ArnB": physical["TopicB"]}
    fewer = [{"ParameterKey": "Names", "ParameterValue": "B"}]
    flow.update("loops", Parameters=fewer, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert flow.physical("loops").keys() == {"TopicB", "Listed"}


def test_a_serverless_template_becomes_a_function_with_its_role(flow: Flow) -> None:
    flow.create("serverless", SERVERLESS, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
    physical = flow.physical("serverless")
    assert physical.keys() == {"Hello", "HelloRole", "Table"}
    found = flow.emulator.client("lambda").get_function_configuration(FunctionName=physical["Hello"])
    assert found["Role"] == flow.outputs("serverless")["Role"]
    assert found["Environment"]["Variables"] == {"TABLE": physical["Table"]}
    processed = flow.api.get_template(StackName="serverless", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"].keys() == physical.keys()
