"""Services on an emulator whose tasks are no processes, registered as scalable targets."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
DIMENSION = "ecs:service:DesiredCount"
MINUTE = timedelta(minutes=1)


class Stage:
    """An ECS service and its scaling."""

    def __init__(self, emulator: Any, eventually: Callable[..., Any]) -> None:
        self.emulator, self.eventually = emulator, eventually
        self.ecs = emulator.client("ecs")
        self.scaling = emulator.client("application-autoscaling")
        self.cloudwatch = emulator.client("cloudwatch")
        self.cluster, self.service = "scaled", f"service-{next(_numbers)}"
        self.resource = f"service/{self.cluster}/{self.service}"
        self.key = {"ServiceNamespace": "ecs", "ResourceId": self.resource, "ScalableDimension": DIMENSION}
        self.ecs.create_cluster(clusterName=self.cluster)
        self.ecs.register_task_definition(
            family=self.service,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": "any"}],
        )

    minute = MINUTE

    def create_paused(self, desired: int, paused: dict[str, Any]) -> None:
        """Create the service without the hooks that later deployments stop at."""
        configuration = {**paused["deploymentConfiguration"]}
        hooks = configuration.pop("lifecycleHooks")
        self.create(desired, deploymentConfiguration=configuration)
        self.ecs.update_service(
            cluster=self.cluster,
            service=self.service,
            deploymentConfiguration={**configuration, "lifecycleHooks": hooks},
        )

    def go_on(self, deployment: dict[str, Any]) -> None:
        """Answer the hook that a deployment waits at."""
        self.ecs.continue_service_deployment(
            serviceDeploymentArn=deployment["serviceDeploymentArn"],
            hookId=deployment["lifecycleHookDetails"][0]["hookId"],
        )

    def create(self, desired: int, **more: Any) -> Stage:
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.service,
            taskDefinition=self.service,
            desiredCount=desired,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            **more,
        )
        self.eventually(lambda: self.deployment()["status"] == "SUCCESSFUL")
        return self

    def deployment(self) -> dict[str, Any]:
        listed = self.ecs.list_service_deployments(cluster=self.cluster, service=self.service)
        arn = listed["serviceDeployments"][0]["serviceDeploymentArn"]
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        found: dict[str, Any] = answer["serviceDeployments"][0]
        return found

    def deploy_until_paused(self) -> dict[str, Any]:
        """Begin a deployment and return it once it waits at its hook."""
        self.ecs.update_service(cluster=self.cluster, service=self.service, forceNewDeployment=True)

        def paused() -> dict[str, Any] | None:
            deployment = self.deployment()
            return deployment if deployment.get("lifecycleHookDetails") else None

        found: dict[str, Any] = self.eventually(paused)
        return found

    def register(self, minimum: int | None = None, maximum: int | None = None, **more: Any) -> str:
        bounds = {"MinCapacity": minimum, "MaxCapacity": maximum}
        given = {name: each for name, each in bounds.items() if each is not None}
        return str(self.scaling.register_scalable_target(**self.key, **given, **more)["ScalableTargetARN"])

    def suspend(self, **suspended: bool) -> None:
        self.register(SuspendedState=suspended)

    def track(
        self, goal: float = 50.0, metric: str = "ECSServiceAverageCPUUtilization", **more: Any
    ) -> list[str]:
        """Put a target tracking policy named after its metric; return the names of its alarms."""
        answer = self.scaling.put_scaling_policy(
            **self.key,
            PolicyName=metric,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": goal,
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
                **more,
            },
        )
        return [alarm["AlarmName"] for alarm in answer["Alarms"]]

    def step(self, name: str, adjustment: int, *, threshold: float = 80.0, **more: Any) -> str:
        """Put a step scaling policy and an alarm of its name that executes it; return the policy's ARN."""
        arn: str = self.scaling.put_scaling_policy(
            **self.key,
            PolicyName=name,
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": adjustment}],
                **more,
            },
        )["PolicyARN"]
        self.cloudwatch.put_metric_alarm(
            AlarmName=f"{self.service}-{name}",
            Namespace="Queue",
            MetricName=self.service,
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            AlarmActions=[arn],
        )
        return arn

    def put_queue(self, value: float) -> None:
        """Put the metric that step scaling follows, for the next hour."""
        self._put("Queue", self.service, value, [], "None")

    def put_usage(self, name: str, value: float) -> None:
        """Put a utilization of the service, for the last half and the next hour."""
        dimensions = [
            {"Name": "ClusterName", "Value": self.cluster},
            {"Name": "ServiceName", "Value": self.service},
        ]
        self._put("AWS/ECS", name, value, dimensions, "Percent")

    def _put(self, namespace: str, name: str, value: float, dimensions: list[Any], unit: str) -> None:
        now = self.now()
        self.cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": dimensions,
                    "Value": value,
                    "Unit": unit,
                    "Timestamp": now + minute * MINUTE,
                }
                for minute in range(-30, 60)
            ],
        )

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.emulator.ask("GET", "health")["clock"]["now"], UTC)

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=self.cluster, services=[self.service])[
            "services"
        ][0]
        return found

    def desired(self) -> int:
        return int(self.described()["desiredCount"])

    def becomes(self, desired: int, put: Callable[[], None] = lambda: None) -> None:
        """Wait until the service has a desired count; data is put as long as that takes."""

        def there() -> bool:
            put()
            return self.desired() == desired

        self.eventually(there)

    def activities(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Return the scaling activities, the newest first."""
        answer = self.scaling.describe_scaling_activities(
            **self.key, **({"IncludeNotScaledActivities": True} if everything else {})
        )
        found: list[dict[str, Any]] = answer["ScalingActivities"]
        return found

    def activity(self, **members: str) -> dict[str, Any]:
        """Wait for an activity with some members and return it."""
        found: dict[str, Any] = self.eventually(
            lambda: next((each for each in self.activities() if members.items() <= each.items()), None)
        )
        return found

    def held_back(self, code: str, put: Callable[[], None]) -> dict[str, Any]:
        """Wait until a policy did not scale for a reason; return the activity."""

        def told() -> dict[str, Any] | None:
            put()
            return next(
                (
                    each
                    for each in self.activities(everything=True)
                    if code in [reason["Code"] for reason in each.get("NotScaledReasons", [])]
                ),
                None,
            )

        found: dict[str, Any] = self.eventually(told)
        return found


@pytest.fixture
def stage(noop_emulator: Any, eventually: Callable[..., Any]) -> Stage:
    return Stage(noop_emulator, eventually)
