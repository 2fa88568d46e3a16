"""The load balancer as the scheduler uses it: through the ELBv2 API, as ECS's service role does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.ecs.model import Deployment, Revision, Service
    from samjhadoo_emulator.ecs.scheduler.replica import RegisteredTarget
    from samjhadoo_emulator.service import AwsApi

log = logging.getLogger(__name__)
NETWORKING = "of invalid networking configuration: "
MISSING_PERMISSIONS = (
    "ECS was unable to manage the ELB resources due to missing permissions on ECS Infrastructure Role '{}'."
)


class Balancer:
    """Registers targets, reads their health and shifts traffic between the two target groups of a service."""

    def __init__(self, aws: AwsApi) -> None:
        self._aws = aws

    async def register(self, targets: Iterable[RegisteredTarget]) -> dict[RegisteredTarget, str]:
        """Register targets in their groups; return why those were refused that were."""
        refused: dict[RegisteredTarget, str] = {}
        for group, members in _by_group(targets).items():
            refused |= await self._register(group, members)
        return refused

    async def _register(self, group: str, members: list[RegisteredTarget]) -> dict[RegisteredTarget, str]:
        try:
            await self._aws.call(
                "elbv2", "RegisterTargets", TargetGroupArn=group, Targets=[target.key() for target in members]
            )
        except AwsError as error:
            if len(members) == 1:
                return {members[0]: error.message}
            apart = [await self._register(group, [target]) for target in members]
            return {target: reason for refused in apart for target, reason in refused.items()}
        return {}

    async def deregister(self, targets: Iterable[RegisteredTarget]) -> None:
        """Take targets out of their groups; a group that is gone already is no error."""
        for group, members in _by_group(targets).items():
            try:
                await self._aws.call(
                    "elbv2",
                    "DeregisterTargets",
                    TargetGroupArn=group,
                    Targets=[target.key() for target in members],
                )
            except AwsError as error:
                log.info("deregistering from %s: %s", group, error.message)

    async def health(
        self, targets: Iterable[RegisteredTarget]
    ) -> dict[RegisteredTarget, tuple[str, str, str]]:
        """Return (state, reason, description) of each target; a target that is gone is absent."""
        found: dict[RegisteredTarget, tuple[str, str, str]] = {}
        for group, members in _by_group(targets).items():
            try:
                answer = await self._aws.call("elbv2", "DescribeTargetHealth", TargetGroupArn=group)
            except AwsError as error:
                log.info("target health of %s: %s", group, error.message)
                continue
            described = {
                (entry["Target"]["Id"], entry["Target"].get("Port")): entry["TargetHealth"]
                for entry in answer["TargetHealthDescriptions"]
            }
            for target in members:
                health = described.get((target.address, target.port))
                if health is not None:
                    found[target] = (health["State"], health.get("Reason", ""), health.get("Description", ""))
        return found

    async def boot_allowance(self, group: str) -> float:
        """Return the real seconds that a booting process has before refused connections count against it:
        what AWS would give it, interval times unhealthy threshold.
        """
        try:
            answer = await self._aws.call("elbv2", "DescribeTargetGroups", TargetGroupArns=[group])
        except AwsError:
            return 0.0
        details = answer["TargetGroups"][0]
        return float(
            details.get("HealthCheckIntervalSeconds", 30) * details.get("UnhealthyThresholdCount", 2)
        )

    async def problem(self, service: Service, source: Revision | None) -> str:
        """Return why traffic cannot be shifted, in AWS's words, or nothing (checked once, at the start).

        Raises:
            AwsError: The load balancer could not be queried; a later attempt may succeed.
        """
        for index, balancer in enumerate(service.workload.get("loadBalancers", [])):
            advanced = balancer.get("advancedConfiguration")
            if not advanced:
                continue
            groups = (balancer["targetGroupArn"], advanced["alternateTargetGroupArn"])
            expected = source.target_groups[index] if source else None
            try:
                text = await self._rule_problem(advanced, groups, expected)
            except AwsError as error:
                if "AccessDenied" not in error.code:
                    raise
                text = MISSING_PERMISSIONS.format(advanced.get("roleArn", ""))
            if text:
                return NETWORKING + text
        return ""

    async def _rule_problem(
        self, advanced: dict[str, Any], groups: tuple[str, str], expected: str | None
    ) -> str:
        rules = [arn for arn in (advanced["productionListenerRule"], advanced.get("testListenerRule")) if arn]
        forwarded: dict[str, dict[str, int]] = {}
        for arn in rules:
            rule = await self._rule(arn)
            if rule is None:
                return "One or more rules not found"
            forwarded[arn] = _weights(rule)
        production = forwarded[advanced["productionListenerRule"]]
        if not any(group in weights for group in groups for weights in forwarded.values()):
            return (
                "Both targetGroup and alternateTargetGroup must be associated with the "
                "productionListenerRule or testListenerRule."
            )
        for group in groups:
            if not any(group in weights for weights in forwarded.values()):
                return (
                    f"Target group {group} is not associated with either productionListenerRule "
                    "or testListenerRule."
                )
        serving = [group for group, weight in production.items() if weight > 0]
        if len(serving) != 1:
            return (
                f"productionListenerRule {advanced['productionListenerRule']} should have exactly one target "
                f"group serving traffic but found {len(serving)} target groups which are serving traffic"
            )
        if expected is not None and serving[0] != expected:
            return f"Production listener rule is forwarding traffic to unexpected target group {serving[0]}"
        return ""

    async def shift(
        self, service: Service, deployment: Deployment, *, production: float, test: float
    ) -> None:
        """Send these percentages to the target revision and the rest to the other target group."""
        for index, balancer in enumerate(service.workload.get("loadBalancers", [])):
            advanced = balancer.get("advancedConfiguration")
            if not advanced:
                continue
            green = deployment.target.target_groups[index]
            pair = (balancer["targetGroupArn"], advanced["alternateTargetGroupArn"])
            blue = pair[1] if green == pair[0] else pair[0]
            if production != deployment.weights[0]:
                await self._forward(advanced["productionListenerRule"], green, blue, production)
            if test != deployment.weights[1] and advanced.get("testListenerRule"):
                await self._forward(advanced["testListenerRule"], green, blue, test)

    async def _forward(self, rule_arn: str, green: str, blue: str, percent: float) -> None:
        rule = await self._rule(rule_arn)
        if rule is None:
            raise AwsError("RuleNotFoundException", f"One or more rules not found: {rule_arn}")
        action: dict[str, Any] = {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": _split(green, blue, percent)},
        }
        for existing in rule["Actions"]:
            stickiness = existing.get("ForwardConfig", {}).get("TargetGroupStickinessConfig")
            if stickiness:
                action["ForwardConfig"]["TargetGroupStickinessConfig"] = stickiness
        if rule.get("IsDefault"):
            listener = rule_arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]
            await self._aws.call("elbv2", "ModifyListener", ListenerArn=listener, DefaultActions=[action])
        else:
            await self._aws.call("elbv2", "ModifyRule", RuleArn=rule_arn, Actions=[action])

    async def _rule(self, arn: str) -> dict[str, Any] | None:
        try:
            answer = await self._aws.call("elbv2", "DescribeRules", RuleArns=[arn])
        except AwsError as error:
            if "AccessDenied" in error.code or "Throttl" in error.code:
                raise
            return None
        rule: dict[str, Any] = answer["Rules"][0]
        return rule


def networking_problem(service: Service, error: AwsError) -> str:
    """Return AWS's words for a load balancer that refuses."""
    if "AccessDenied" not in error.code:
        return NETWORKING + error.message
    advanced = service.workload["loadBalancers"][0]["advancedConfiguration"]
    return NETWORKING + MISSING_PERMISSIONS.format(advanced.get("roleArn", ""))


def _weights(rule: dict[str, Any]) -> dict[str, int]:
    """Return the weight of each target group that a rule forwards to."""
    weights: dict[str, int] = {}
    for action in rule["Actions"]:
        if action.get("TargetGroupArn"):
            weights[action["TargetGroupArn"]] = 1
        for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
            weights[group["TargetGroupArn"]] = group.get("Weight", 1)
    return weights


def _split(green: str, blue: str, percent: float) -> list[dict[str, Any]]:
    """Return integer weights in the ratio of a percentage with one decimal; ALB allows 0 to 999."""
    whole = abs(percent - round(percent)) < 1e-9  # noqa: PLR2004
    share = round(percent) if whole else round(percent * 10)
    total = 100 if whole else 1000
    return [
        {"TargetGroupArn": green, "Weight": share},
        {"TargetGroupArn": blue, "Weight": total - share},
    ]


def _by_group(targets: Iterable[RegisteredTarget]) -> dict[str, list[RegisteredTarget]]:
    groups: dict[str, list[RegisteredTarget]] = {}
    for target in targets:
        groups.setdefault(target.group, []).append(target)
    return groups
