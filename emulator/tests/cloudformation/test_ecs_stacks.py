"""Stacks with an ECS service behind a load balancer: real tasks, real traffic, and deployments that fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from stack_flows import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_emulator.testing import Emulator

STACK = "shop"
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Vpc: {Type: String}
  Subnets: {Type: CommaDelimitedList}
  Image: {Type: String}
  Release: {Type: String, Default: v1}
  Crash: {Type: String, Default: ""}
  Strategy: {Type: String, Default: ROLLING}
  Hook: {Type: String, Default: ""}
  Priority: {Type: Number, Default: 10}
Conditions:
  Crashes: !Not [!Equals [!Ref Crash, ""]]
  Shifts: !Not [!Equals [!Ref Strategy, ROLLING]]
  Canary: !Equals [!Ref Strategy, CANARY]
  Linear: !Equals [!Ref Strategy, LINEAR]
  Pauses: !Not [!Equals [!Ref Hook, ""]]
Resources:
  Cluster: {Type: AWS::ECS::Cluster}
  LoadBalancerGroup:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: load balancer
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}]
  LoadBalancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Subnets: !Ref Subnets, SecurityGroups: [!Ref LoadBalancerGroup]}
  Blue:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      VpcId: !Ref Vpc
      Port: 8080
      Protocol: HTTP
      TargetType: ip
      HealthCheckPath: /health
      HealthCheckIntervalSeconds: 6
      HealthyThresholdCount: 2
      TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: "5"}]
  Green:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      VpcId: !Ref Vpc
      Port: 8080
      Protocol: HTTP
      TargetType: ip
      HealthCheckPath: /health
      HealthCheckIntervalSeconds: 6
      HealthyThresholdCount: 2
      TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: "5"}]
  Production:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref LoadBalancer
      Port: 80
      Protocol: HTTP
      DefaultActions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: "404"}}]
  Test:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref LoadBalancer
      Port: 8081
      Protocol: HTTP
      DefaultActions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: "404"}}]
  ProductionRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Production
      Priority: !Ref Priority
      Conditions: [{Field: path-pattern, PathPatternConfig: {Values: ["/*"]}}]
      Actions:
        - Type: forward
          ForwardConfig:
            TargetGroups:
              - {TargetGroupArn: !Ref Blue, Weight: 100}
              - {TargetGroupArn: !Ref Green, Weight: 0}
  TestRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Test
      Priority: 10
      Conditions: [{Field: path-pattern, PathPatternConfig: {Values: ["/*"]}}]
      Actions: [{Type: forward, ForwardConfig: {TargetGroups: [{TargetGroupArn: !Ref Blue, Weight: 1}]}}]
  InfrastructureRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: ecs.amazonaws.com}, Action: sts:AssumeRole}]
  TaskDefinition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: !Sub "${AWS::StackName}-web"
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      Cpu: "256"
      Memory: "512"
      ContainerDefinitions:
        - Name: app
          Image: !Ref Image
          PortMappings: [{ContainerPort: 8080}]
          Environment:
            - {Name: NAME, Value: !Ref Release}
            - !If [Crashes, {Name: CRASH, Value: !Ref Crash}, !Ref AWS::NoValue]
  Service:
    Type: AWS::ECS::Service
    DependsOn: [ProductionRule, TestRule]
    Properties:
      Cluster: !Ref Cluster
      TaskDefinition: !Ref TaskDefinition
      LaunchType: FARGATE
      DesiredCount: 1
      NetworkConfiguration: {AwsvpcConfiguration: {Subnets: !Ref Subnets}}
      LoadBalancers:
        - ContainerName: app
          ContainerPort: 8080
          TargetGroupArn: !Ref Blue
          AdvancedConfiguration: !If
            - Shifts
            - AlternateTargetGroupArn: !Ref Green
              ProductionListenerRule: !Ref ProductionRule
              TestListenerRule: !Ref TestRule
              RoleArn: !GetAtt InfrastructureRole.Arn
            - !Ref AWS::NoValue
      DeploymentConfiguration:
        Strategy: !Ref Strategy
        DeploymentCircuitBreaker:
          Enable: true
          Rollback: true
          ThresholdConfiguration: {Type: COUNT, Value: 2}
        BakeTimeInMinutes: !If [Shifts, 2, !Ref AWS::NoValue]
        CanaryConfiguration: !If
          [Canary, {CanaryPercent: 10, CanaryBakeTimeInMinutes: 2}, !Ref AWS::NoValue]
        LinearConfiguration: !If [Linear, {StepPercent: 50, StepBakeTimeInMinutes: 1}, !Ref AWS::NoValue]
        LifecycleHooks: !If
          - Pauses
          - - TargetType: PAUSE
              LifecycleStages: [!Ref Hook]
              TimeoutConfiguration: {TimeoutInMinutes: 600, Action: ROLLBACK}
          - !Ref AWS::NoValue
  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    Properties:
      ServiceNamespace: ecs
      ScalableDimension: ecs:service:DesiredCount
      ResourceId: !Sub "service/${Cluster}/${Service.Name}"
      MinCapacity: 1
      MaxCapacity: 3
  Scaling:
    Type: AWS::ApplicationAutoScaling::ScalingPolicy
    Properties:
      PolicyName: cpu
      PolicyType: TargetTrackingScaling
      ScalingTargetId: !Ref Target
      TargetTrackingScalingPolicyConfiguration:
        TargetValue: 60
        PredefinedMetricSpecification: {PredefinedMetricType: ECSServiceAverageCPUUtilization}
Outputs:
  Cluster: {Value: !Ref Cluster}
  Service: {Value: !GetAtt Service.Name}
  Production: {Value: !Ref Production}
  Address: {Value: !GetAtt LoadBalancer.DNSName}
"""
BREAKER = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."


class Shop:
    """The stack of a service behind a load balancer."""

    def __init__(self, emulator: Emulator, image: str) -> None:
        self.flow, self.emulator = Flow(emulator), emulator
        ec2 = emulator.client("ec2")
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
        self.given = {
            "Vpc": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
            "Subnets": ",".join(subnets),
            "Image": image,
        }
        self.http = urllib3.PoolManager()

    def parameters(self, changes: dict[str, str]) -> dict[str, Any]:
        """Remember changed parameters; return all as CloudFormation takes them, and the capability."""
        self.given |= changes
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.given.items()]
        return {"Parameters": listed, "Capabilities": ["CAPABILITY_IAM"]}

    def create(self, *, ends: str = "CREATE_COMPLETE", **changes: str) -> None:
        self.flow.create(STACK, TEMPLATE, ends=ends, **self.parameters(changes))

    def update(self, *, ends: str = "UPDATE_COMPLETE", **changes: str) -> None:
        self.flow.update(STACK, TEMPLATE, ends=ends, **self.parameters(changes))

    def start_update(self, **changes: str) -> None:
        """Begin an update, and do not wait for its end."""
        self.flow.api.update_stack(StackName=STACK, TemplateBody=TEMPLATE, **self.parameters(changes))

    def answer(self) -> tuple[int, str]:
        """Return the status and the body of an answer at the production listener."""
        arn = self.flow.outputs(STACK)["Production"]
        ports = {each["listener_arn"]: each["bound_port"] for each in self.emulator.ask("GET", "listeners")}
        answer = self.http.request("GET", f"http://127.0.0.1:{ports[arn]}/", retries=False)
        return answer.status, answer.data.decode()

    def weights(self) -> list[int]:
        """Return the production rule's weights: blue's and green's."""
        ids = self.flow.physical(STACK)
        found = self.emulator.client("elbv2").describe_rules(RuleArns=[ids["ProductionRule"]])["Rules"][0]
        groups = found["Actions"][0]["ForwardConfig"]["TargetGroups"]
        weights = {each["TargetGroupArn"]: each["Weight"] for each in groups}
        return [weights[ids[name]] for name in ("Blue", "Green")]

    def service(self) -> dict[str, Any]:
        ids = self.flow.physical(STACK)
        found = self.emulator.client("ecs").describe_services(
            cluster=ids["Cluster"], services=[ids["Service"]]
        )
        service: dict[str, Any] = found["services"][0]
        return service

    def deployment(self) -> dict[str, Any]:
        arn = self.service()["currentServiceDeployment"]
        found = self.emulator.client("ecs").describe_service_deployments(serviceDeploymentArns=[arn])
        deployment: dict[str, Any] = found["serviceDeployments"][0]
        return deployment


@pytest.fixture
def shop(emulator: Emulator, server_image: str) -> Iterator[Shop]:
    shop = Shop(emulator, server_image)
    yield shop
    shop.flow.clear()


def test_a_stack_is_complete_once_its_service_serves_and_gone_without_a_trace(shop: Shop) -> None:
    shop.create()
    assert shop.answer() == (200, "v1")
    assert shop.service()["deployments"][0]["rolloutState"] == "COMPLETED"
    shop.update(Release="v2")
    assert shop.answer() == (200, "v2")
    definition = shop.emulator.client("ecs").list_task_definitions(
        familyPrefix=f"{STACK}-web", status="INACTIVE"
    )["taskDefinitionArns"]
    assert [arn.rpartition(":")[2] for arn in definition] == ["1"]
    cluster = shop.flow.outputs(STACK)["Cluster"]
    shop.flow.delete(STACK)
    found = shop.emulator.client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    assert [each["status"] for each in found] == ["INACTIVE"]
    assert shop.emulator.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert shop.emulator.client("elbv2").describe_target_groups()["TargetGroups"] == []


def test_a_release_that_does_not_start_rolls_the_stack_back_to_what_served_before(shop: Shop) -> None:
    shop.create()
    shop.update(Release="v2", Crash="3", ends="UPDATE_ROLLBACK_COMPLETE")
    assert shop.answer() == (200, "v1")
    failed = [event for event in shop.flow.events(STACK, "Service") if event[1] == "UPDATE_FAILED"]
    assert len(failed) == 1
    assert failed[0][2].startswith(f'Resource handler returned message: "{BREAKER}" (RequestToken: ')
    assert failed[0][2].endswith("HandlerErrorCode: GeneralServiceException)")
    assert shop.service()["taskDefinition"] == shop.flow.physical(STACK)["TaskDefinition"]
    shop.update(Release="v3", Crash="")
    assert shop.answer() == (200, "v3")


def test_a_service_that_never_starts_leaves_no_stack_behind(shop: Shop) -> None:
    shop.create(Crash="3", ends="ROLLBACK_COMPLETE")
    failed = [event for event in shop.flow.events(STACK) if event[1] == "CREATE_FAILED"]
    assert [logical for logical, _, _ in failed] == ["Service"]
    assert BREAKER in failed[0][2]
    assert shop.emulator.client("elbv2").describe_load_balancers()["LoadBalancers"] == []


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "CANARY", "LINEAR"])
def test_a_stack_waits_until_the_traffic_is_shifted_and_baked(shop: Shop, strategy: str) -> None:
    shop.create(Strategy=strategy)
    assert shop.weights() == [100, 0]
    shop.update(Release="v2")
    assert (shop.answer(), shop.weights()) == ((200, "v2"), [0, 100])
    assert shop.deployment()["status"] == "SUCCESSFUL"
    shop.update(Release="v3", Crash="3", ends="UPDATE_ROLLBACK_COMPLETE")
    assert (shop.answer(), shop.weights()) == ((200, "v2"), [0, 100])
    shop.update(Release="v4", Crash="")
    assert (shop.answer(), shop.weights()) == ((200, "v4"), [100, 0])


def test_weights_that_ecs_has_set_are_drift_and_stay_until_the_rule_itself_changes(
    shop: Shop, eventually: Callable[..., Any]
) -> None:
    shop.create(Strategy="BLUE_GREEN")
    shop.update(Release="v2")
    detection = shop.flow.api.detect_stack_drift(StackName=STACK)["StackDriftDetectionId"]
    describe = shop.flow.api.describe_stack_drift_detection_status
    eventually(lambda: describe(StackDriftDetectionId=detection)["DetectionStatus"] == "DETECTION_COMPLETE")
    drifts = shop.flow.api.describe_stack_resource_drifts(
        StackName=STACK, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    )["StackResourceDrifts"]
    found = {
        each["LogicalResourceId"]: [
            (one["PropertyPath"], one["ExpectedValue"], one["ActualValue"])
            for one in each["PropertyDifferences"]
        ]
        for each in drifts
    }
    groups = "/Actions/0/ForwardConfig/TargetGroups"
    assert found["ProductionRule"] == [(f"{groups}/0/Weight", "100", "0"), (f"{groups}/1/Weight", "0", "100")]
    assert found.keys() <= {"ProductionRule", "TestRule"}, json.dumps(found)


def test_a_pause_holds_the_stack_until_somebody_answers_it(
    shop: Shop, eventually: Callable[..., Any]
) -> None:
    shop.create(Strategy="BLUE_GREEN")
    shop.start_update(Release="v2", Hook="POST_TEST_TRAFFIC_SHIFT")
    eventually(lambda: _hooks(shop))
    assert shop.flow.stack(STACK)["StackStatus"] == "UPDATE_IN_PROGRESS"
    assert (shop.answer(), shop.weights()) == ((200, "v1"), [100, 0])
    for hook in _hooks(shop):
        shop.emulator.client("ecs").continue_service_deployment(
            serviceDeploymentArn=shop.deployment()["serviceDeploymentArn"], hookId=hook
        )
    shop.flow.settle(STACK, "UPDATE_COMPLETE")
    assert (shop.answer(), shop.weights()) == ((200, "v2"), [0, 100])


def _hooks(shop: Shop) -> list[str]:
    waiting = shop.deployment().get("lifecycleHookDetails", [])
    return [each["hookId"] for each in waiting if each["status"] == "AWAITING_ACTION"]


def test_a_cancelled_update_stops_its_service_deployment(shop: Shop, eventually: Callable[..., Any]) -> None:
    shop.create(Strategy="BLUE_GREEN")
    shop.start_update(Release="v2", Hook="POST_TEST_TRAFFIC_SHIFT")
    eventually(lambda: shop.deployment()["status"] == "IN_PROGRESS" and _hooks(shop))
    arn = shop.deployment()["serviceDeploymentArn"]
    shop.flow.api.cancel_update_stack(StackName=STACK)
    shop.flow.settle(STACK, "UPDATE_ROLLBACK_COMPLETE")
    stopped = shop.emulator.client("ecs").describe_service_deployments(serviceDeploymentArns=[arn])
    assert stopped["serviceDeployments"][0]["status"] == "ROLLBACK_SUCCESSFUL"
    assert (shop.answer(), shop.weights()) == ((200, "v1"), [100, 0])
