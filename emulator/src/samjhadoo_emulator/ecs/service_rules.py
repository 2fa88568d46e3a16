"""What ECS refuses of CreateService, UpdateService and RunTask, with AWS's texts.

Every service request goes through `check_settings` and `check_workload`, one that creates a service through
`check_new` first; RunTask through `check_run` and `check_overrides`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs import definition_rules
from samjhadoo_emulator.ecs.deployments.steps import PAUSE_STAGES, Stage
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.ecs.tasks.request import launch_type
from samjhadoo_emulator.errors import AwsError, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samjhadoo_emulator.service import AwsApi, Params

MOST_SUBNETS, MOST_SECURITY_GROUPS, MOST_LOAD_BALANCERS = 16, 5, 5
PLATFORMS = frozenset({"LATEST", "1.4.0", "1.3.0"})
STRATEGIES = ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
THRESHOLD_TYPES = ("COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT")
NO_HOOK_STAGES = frozenset({Stage.SCALE_UP, Stage.BAKE_TIME, Stage.CLEAN_UP})
HOOK_LIMIT = 10
BAKE_LIMIT = 1440
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")


def check_new(params: Params) -> None:
    """Refuse a request to create a service that lacks a member or has one that no service can have."""
    if not _NAME.match(params["serviceName"]):
        raise invalid_parameter(
            "Invalid service name. Up to 255 letters, numbers, hyphens, and underscores are allowed."
        )
    if not params.get("taskDefinition"):
        raise invalid_parameter("TaskDefinition can not be blank.")
    check_tags(params.get("tags", []))
    replicas = params.get("schedulingStrategy") in (None, "REPLICA")
    if replicas and params.get("desiredCount") is None:
        raise invalid_parameter(
            "DesiredCount must be specified for a service with REPLICA scheduling strategy."
        )


def check_settings(settings: dict[str, Any], workload: dict[str, Any], desired_count: int | None) -> None:
    """Refuse settings of a service that AWS refuses."""
    if desired_count is not None and desired_count < 0:
        raise invalid_parameter("DesiredCount cannot be negative.")
    balancers = workload.get("loadBalancers", [])
    if settings.get("healthCheckGracePeriodSeconds") and not balancers:
        raise invalid_parameter(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    if len(balancers) > MOST_LOAD_BALANCERS:
        raise invalid_parameter(f"load balancers can have at most {MOST_LOAD_BALANCERS} items.")
    if settings.get("schedulingStrategy") == "DAEMON" and launch_type(workload) == "FARGATE":
        raise invalid_parameter(
            "The DAEMON scheduling strategy is not supported for the FARGATE launch type."
        )
    controller = settings.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise AwsError(
            "UnsupportedFeatureException",
            f"The deployment controller {controller} is not supported by this emulator.",
        )


async def check_workload(
    aws: AwsApi, definition: dict[str, Any], workload: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Refuse what cannot be deployed.

    Args:
        aws: The API of the load balancing service.
        definition: The registered task definition.
        workload: The members of the service that its revisions carry.
        settings: Its other members.
    """
    balancers = workload.get("loadBalancers", [])
    configuration = settings.get("deploymentConfiguration") or {}
    check_deployment_configuration(configuration, balancers)
    check_run(definition, workload)
    await check_load_balancers(aws, balancers, strategy=configuration.get("strategy", "ROLLING"))
    groups = [arn for balancer in balancers if (arn := balancer.get("targetGroupArn"))]
    await check_target_types(aws, groups, definition.get("networkMode", "bridge"))
    check_containers(definition, balancers)


def check_deployment_configuration(
    configuration: dict[str, Any], load_balancers: list[dict[str, Any]]
) -> None:
    """Refuse a deployment configuration that AWS refuses (A.2, A.5, A.7 of the reference)."""
    strategy = configuration.get("strategy", "ROLLING")
    if strategy not in STRATEGIES:
        raise invalid_parameter(f"Invalid deployment strategy. Valid values are: {', '.join(STRATEGIES)}")
    _check_percentages(configuration)
    _check_breaker(configuration.get("deploymentCircuitBreaker") or {})
    _check_hooks(configuration.get("lifecycleHooks", []))
    for key, owner in (("canaryConfiguration", "CANARY"), ("linearConfiguration", "LINEAR")):
        if configuration.get(key) and strategy != owner:
            raise invalid_parameter(f"{key} can only be specified when the deployment strategy is {owner}.")
    early = configuration.get("earlySuccessCriteria")
    if early and early.get("enable") and strategy != "ROLLING":
        raise invalid_parameter(
            "earlySuccessCriteria can only be specified when the deployment strategy is ROLLING."
        )
    _check_early_success(configuration)
    advanced = [balancer for balancer in load_balancers if balancer.get("advancedConfiguration")]
    if advanced and len(advanced) < len(load_balancers):
        raise invalid_parameter(
            "Either all or none of the provided loadBalancers must have advancedConfiguration defined"
        )
    if strategy != "ROLLING" and load_balancers and not advanced:
        raise invalid_parameter(
            "advancedConfiguration field is required for all loadBalancers when using a "
            "non-ROLLING deployment strategy"
        )
    if strategy == "BLUE_GREEN" and configuration.get("bakeTimeInMinutes") is None:
        raise invalid_parameter("bakeTimeInMinutes is required when the deployment strategy is BLUE_GREEN.")


def _check_early_success(configuration: dict[str, Any]) -> None:
    early = configuration.get("earlySuccessCriteria") or {}
    if not early.get("enable"):
        return
    if early.get("healthyPercent") is None or early.get("sourceServiceRevisionCleanup") is None:
        raise invalid_parameter(
            "healthyPercent and sourceServiceRevisionCleanup are required when "
            "earlySuccessCriteria is enabled."
        )
    if not configuration.get("minimumHealthyPercent", 100) <= early["healthyPercent"] <= 100:  # noqa: PLR2004
        raise invalid_parameter("healthyPercent must be between minimumHealthyPercent and 100.")


def _check_percentages(configuration: dict[str, Any]) -> None:
    canary = configuration.get("canaryConfiguration") or {}
    linear = configuration.get("linearConfiguration") or {}
    _multiple(canary.get("canaryPercent"), "canaryPercent", low=0.1)
    _multiple(linear.get("stepPercent"), "stepPercent", low=3.0)
    for section, key in (
        (configuration, "bakeTimeInMinutes"),
        (canary, "canaryBakeTimeInMinutes"),
        (linear, "stepBakeTimeInMinutes"),
    ):
        value = section.get(key)
        if value is not None and not 0 <= value <= BAKE_LIMIT:
            raise invalid_parameter(f"{key} must be between 0 and {BAKE_LIMIT}.")
    minimum, maximum = (
        configuration.get("minimumHealthyPercent", 100),
        configuration.get("maximumPercent", 200),
    )
    if not 0 <= minimum <= 100 or not 100 <= maximum <= 200:  # noqa: PLR2004
        raise invalid_parameter(
            "deploymentConfiguration: minimumHealthyPercent must be between 0 and 100, "
            "maximumPercent between 100 and 200."
        )
    if minimum == maximum == 100:  # noqa: PLR2004
        raise invalid_parameter(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )


def _check_breaker(breaker: dict[str, Any]) -> None:
    threshold = breaker.get("thresholdConfiguration")
    if threshold is None:
        return
    kind, value = threshold.get("type"), threshold.get("value")
    if kind not in THRESHOLD_TYPES:
        raise invalid_parameter(f"Invalid threshold type. Valid values are: {', '.join(THRESHOLD_TYPES)}")
    if value is None or value < 1 or (kind != "COUNT" and value > 100):  # noqa: PLR2004
        limits = "at least 1" if kind == "COUNT" else "between 1 and 100"
        raise invalid_parameter(f"The value of a threshold of type {kind} must be {limits}.")


def _multiple(value: float | None, name: str, *, low: float) -> None:
    if value is None:
        return
    if not low <= value <= 100 or abs(value * 10 - round(value * 10)) > 1e-6:  # noqa: PLR2004
        raise invalid_parameter(f"{name} must be a multiple of 0.1 from {low} to 100.0.")


def _check_hooks(hooks: list[dict[str, Any]]) -> None:
    for kind in ("PAUSE", "AWS_LAMBDA"):
        if sum(hook.get("targetType", "AWS_LAMBDA") == kind for hook in hooks) > HOOK_LIMIT:
            raise invalid_parameter(f"A service can have at most {HOOK_LIMIT} {kind} lifecycle hooks.")
    for hook in hooks:
        kind = hook.get("targetType", "AWS_LAMBDA")
        if kind not in ("AWS_LAMBDA", "PAUSE"):
            raise invalid_parameter("Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE")
        if kind == "PAUSE" and not PAUSE_STAGES.issuperset(hook.get("lifecycleStages", [])):
            raise invalid_parameter("Invalid lifecycle stage provided for Pause Hook")
        stages = hook.get("lifecycleStages", [])
        if not stages or any(stage not in set(Stage) - NO_HOOK_STAGES for stage in stages):
            raise invalid_parameter("Invalid lifecycle stage provided for Lambda Hook")
        if kind == "AWS_LAMBDA" and not hook.get("hookTargetArn"):
            raise invalid_parameter("hookTargetArn is required for lifecycle hooks of type AWS_LAMBDA.")
        limit = 20160 if kind == "PAUSE" else 1440
        timeout = hook.get("timeoutConfiguration") or {}
        if timeout.get("action", "ROLLBACK") not in ("ROLLBACK", "CONTINUE"):
            raise invalid_parameter("Invalid timeout action. Valid values are: ROLLBACK, CONTINUE")
        minutes = timeout.get("timeoutInMinutes")
        if minutes is not None and not 1 <= minutes <= limit:
            raise invalid_parameter(f"timeoutInMinutes must be between 1 and {limit}.")


def check_run(definition: dict[str, Any], request: dict[str, Any]) -> None:
    """Refuse a launch type, platform or network that a task definition cannot be run with.

    Args:
        request: `launchType`, `capacityProviderStrategy`, `platformVersion`, `networkConfiguration`.
    """
    if request.get("launchType") and request.get("capacityProviderStrategy"):
        raise invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    mode = definition.get("networkMode")
    fargate = launch_type(request) == "FARGATE"
    if fargate and "FARGATE" not in definition["compatibilities"]:
        raise invalid_parameter("Task definition does not support launch_type FARGATE.")
    if fargate and request.get("platformVersion", "LATEST") not in PLATFORMS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
    network = request.get("networkConfiguration")
    if mode == "awsvpc" and not network:
        raise invalid_parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if network and mode != "awsvpc":
        raise invalid_parameter(
            "Network Configuration is not valid for the given networkMode of this task definition."
        )
    if network:
        _check_interfaces(network.get("awsvpcConfiguration") or {})


def _check_interfaces(network: dict[str, Any]) -> None:
    if not network.get("subnets"):
        raise invalid_parameter("subnets can not be empty.")
    for name, most in (("subnets", MOST_SUBNETS), ("securityGroups", MOST_SECURITY_GROUPS)):
        if len(network.get(name) or []) > most:
            raise invalid_parameter(f"{name} can have at most {most} items.")


def check_overrides(overrides: dict[str, Any], definition: dict[str, Any]) -> None:
    """Refuse overrides of containers that are not there, and sizes that Fargate does not have."""
    names = {container["name"] for container in definition["containerDefinitions"]}
    for override in overrides.get("containerOverrides", []):
        name = override.get("name")
        if name not in names:
            raise invalid_parameter(
                f"Override for container named {name} is not a container in the TaskDefinition."
            )
    changed = {key: overrides[key] for key in ("cpu", "memory") if overrides.get(key)}
    if changed and "FARGATE" in definition.get("compatibilities", []):
        for key, value in changed.items():
            if not str(value).isdecimal():
                raise invalid_parameter(f"Invalid '{key}' setting for task.")
        problem = definition_rules.fargate_problem({**definition, **changed})
        if problem:
            raise invalid_parameter(problem)


async def check_load_balancers(aws: AwsApi, load_balancers: list[dict[str, Any]], *, strategy: str) -> None:
    """Refuse load balancers that do not exist or are used twice, against the live load balancing service."""
    if any(balancer.get("loadBalancerName") for balancer in load_balancers):
        if any(balancer.get("targetGroupArn") for balancer in load_balancers):
            raise invalid_parameter(
                "All loadBalancers must be strictly either ELBv1 (defining loadBalancerName) or "
                "ELBv2 (defining targetGroupArn)"
            )
        if any(balancer.get("advancedConfiguration") for balancer in load_balancers):
            raise invalid_parameter("advancedConfiguration field is not allowed with ELBv1 loadBalancers")
        raise AwsError(
            "UnsupportedFeatureException", "Classic Load Balancers are not supported by this emulator."
        )
    seen: set[str] = set()
    production: set[str | None] = set()
    test: set[str | None] = set()
    for balancer in load_balancers:
        advanced = balancer.get("advancedConfiguration") or {}
        arns = [balancer.get("targetGroupArn"), advanced.get("alternateTargetGroupArn")]
        for arn in filter(None, arns):
            if arn in seen:
                raise invalid_parameter(f"Duplicate targetGroupArn found: {arn}")
            seen.add(arn)
            await _check_target_group(aws, arn)
        if advanced:
            _check_rules(advanced)
            production.add(advanced.get("productionListenerRule"))
            test.add(advanced.get("testListenerRule"))
            if strategy != "ROLLING" and not advanced.get("testListenerRule"):
                await _check_both_in_production(aws, balancer, advanced)
    both = sorted(arn for arn in production & test if arn)
    if both:
        raise invalid_parameter(
            "The following rules cannot be used as both production and test listener rules: "
            + ", ".join(both)
        )


async def _check_target_group(aws: AwsApi, arn: str) -> None:
    try:
        answer = await aws.call("elbv2", "DescribeTargetGroups", TargetGroupArns=[arn])
    except AwsError as error:
        raise invalid_parameter(
            f"Unable to assume role and validate the specified targetGroupArn. {error.message}"
        ) from error
    if not answer["TargetGroups"][0].get("LoadBalancerArns"):
        raise invalid_parameter(
            f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        )


def _check_rules(advanced: dict[str, Any]) -> None:
    production, test = advanced.get("productionListenerRule", ""), advanced.get("testListenerRule")
    for name, arn in (("productionListenerRule", production), ("testListenerRule", test)):
        if arn is not None and ":listener-rule/" not in arn and ":listener/net/" not in arn:
            raise invalid_parameter(
                f"{name} has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for "
                f"NLB. Got: {arn}"
            )


async def _check_both_in_production(aws: AwsApi, balancer: dict[str, Any], advanced: dict[str, Any]) -> None:
    answer = await aws.call("elbv2", "DescribeRules", RuleArns=[advanced["productionListenerRule"]])
    forwarded = {
        group["TargetGroupArn"]
        for action in answer["Rules"][0]["Actions"]
        for group in action.get("ForwardConfig", {}).get("TargetGroups", [])
    }
    if not {balancer["targetGroupArn"], advanced.get("alternateTargetGroupArn")} <= forwarded:
        raise invalid_parameter(
            "For Application LoadBalancer, testListenerRule is required when "
            "productionListenerRule is not associated with both targetGroup and alternateTargetGroup"
        )


async def check_target_types(aws: AwsApi, arns: Sequence[str], mode: str) -> None:
    """Refuse target groups that cannot take the addresses that tasks of a network mode have."""
    if not arns:
        return
    answer = await aws.call("elbv2", "DescribeTargetGroups", TargetGroupArns=list(arns))
    for group in answer["TargetGroups"]:
        if (group["TargetType"] == "ip") != (mode == "awsvpc"):
            raise invalid_parameter(
                f"The provided target group {group['TargetGroupArn']} has target type {group['TargetType']}, "
                f"which is incompatible with the {mode} network mode specified in the task definition."
            )


def check_containers(definition: dict[str, Any], load_balancers: Iterable[dict[str, Any]]) -> None:
    """Refuse a load balancer that names a container or port that the task definition does not have."""
    containers = {container["name"]: container for container in definition["containerDefinitions"]}
    for balancer in load_balancers:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        if name not in containers:
            raise invalid_parameter(f"The container {name} does not exist in the task definition.")
        ports = [mapping.get("containerPort") for mapping in containers[name].get("portMappings", [])]
        if port not in ports:
            raise invalid_parameter(f"The container {name} did not have a container port {port} defined.")
