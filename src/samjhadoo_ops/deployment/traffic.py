"""Where traffic goes: the load balancer's rules and target groups of a service, found by name. Read only;
ECS moves the traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class LoadBalancing:
    """The load balancer of a service, in ARNs.

    Attributes:
        production_rule: The rule of the production listener that ECS rewrites.
        test_rule: The test listener's; empty where a rolling deployment has no such listener.
        target_groups: Both target groups, in the order of the settings; a rolling deployment may have one.
        role: The role ECS assumes to do so.
    """

    production_rule: str
    test_rule: str
    target_groups: tuple[str, ...]
    role: str
    subnets: tuple[str, ...] = ()


def find_load_balancing(elbv2: Any, env: Environment) -> LoadBalancing:
    """Find the service's load balancer; raise `ConfigurationError` if a part that is named is missing."""
    settings = env.service
    balancer = _find(elbv2, "load_balancer", settings.load_balancer)
    if balancer is None:
        raise _absent("load balancer", settings.load_balancer)
    listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    by_port = {listener["Port"]: listener["ListenerArn"] for listener in listeners}
    test_port = settings.test_listener_port
    tested = env.deployment.strategy != "ROLLING" or test_port in by_port
    production = _listener(by_port, settings.production_listener_port, settings.load_balancer)
    test = _listener(by_port, test_port, settings.load_balancer) if tested else ""
    groups = _target_groups(elbv2, settings.target_groups)
    return LoadBalancing(
        production_rule=_rule(elbv2, production, groups),
        test_rule=_rule(elbv2, test, groups) if test else "",
        target_groups=groups,
        role=f"arn:aws:iam::{env.aws.account}:role/{settings.infrastructure_role}",
        subnets=tuple(
            zone["SubnetId"] for zone in balancer.get("AvailabilityZones", ()) if "SubnetId" in zone
        ),
    )


def weights(elbv2: Any, rule: str) -> dict[str, float]:
    """Return the share of traffic that a listener rule sends to each target group; shares sum to 1."""
    rules = elbv2.describe_rules(RuleArns=[rule])["Rules"]
    return rule_weights(rules[0]) if rules else {}


def rule_weights(rule: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of a rule; literal weights mean nothing, only their ratios do."""
    forwards = [action for action in rule.get("Actions", ()) if action.get("Type") == "forward"]
    if not forwards:
        return {}
    groups = forwards[-1].get("ForwardConfig", {}).get("TargetGroups", [])
    if not groups:
        return {forwards[-1]["TargetGroupArn"]: 1.0} if "TargetGroupArn" in forwards[-1] else {}
    given = {group["TargetGroupArn"]: float(group.get("Weight", 1)) for group in groups}
    total = sum(given.values())
    return {arn: weight / total for arn, weight in given.items()} if total else dict.fromkeys(given, 0.0)


def _target_groups(elbv2: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Return the target groups' ARNs; where only one of two exists, the error shows how to make the other."""
    found = {name: _find(elbv2, "target_group", name) for name in names}
    like = next(filter(None, found.values()), None)
    for name, group in found.items():
        if group is None:
            raise _absent("target group", name, hint=_another(like, name) if like else "")
    return tuple(str(group["TargetGroupArn"]) for group in found.values() if group)


def _another(like: Mapping[str, Any], name: str) -> str:
    return (
        f"aws elbv2 create-target-group --name {name} --target-type {like.get('TargetType', 'ip')} "
        f"--protocol {like['Protocol']} --port {like['Port']} --vpc-id {like['VpcId']} "
        f"--health-check-path {like.get('HealthCheckPath', '/')}; "
        'or name one target group only, with deployment.strategy = "ROLLING"'
    )


def _find(elbv2: Any, kind: str, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        found: list[dict[str, Any]] = (
            elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
            if kind == "load_balancer"
            else elbv2.describe_target_groups(Names=[name])["TargetGroups"]
        )
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        return None
    return found[0] if found else None


def _absent(what: str, name: str, *, hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"there is no {what} {name!r}, which the settings of the service name",
        hint=hint or "invoke config shows the section [service]",
    )


def _listener(by_port: Mapping[int, str], port: int, balancer: str) -> str:
    if port not in by_port:
        raise ConfigurationError(
            f"load balancer {balancer!r} has no listener on port {port}",
            hint="create one (aws elbv2 create-listener), or correct the ports in [service]; "
            'a canary needs a test listener, deployment.strategy = "ROLLING" does not',
        )
    return by_port[port]


def _rule(elbv2: Any, listener: str, groups: Sequence[str]) -> str:
    """Return the first rule that forwards to one of the service's target groups, or the default rule.

    The templates make a rule of its own; a listener made by hand may have only its default rule.
    """
    rules = elbv2.describe_rules(ListenerArn=listener)["Rules"]
    forwarding = [rule for rule in rules if rule_weights(rule).keys() & set(groups)]
    default = [rule for rule in rules if rule["IsDefault"]]
    return str((forwarding or default)[0]["RuleArn"])
