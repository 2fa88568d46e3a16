"""Can traffic be moved and judged: listener rules, stickiness, the canary's sample and the error budget."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.gates.gate import Facts, Finding, GatePolicy, gate, ok, refused, skipped
from samjhadoo_ops.deployment.traffic import rule_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUESTS, _TARGET_ERRORS, _ELB_ERRORS = (
    "RequestCount",
    "HTTPCode_Target_5XX_Count",
    "HTTPCode_ELB_5XX_Count",
)
_HOUR, _DAY = 3600.0, 86_400


@gate("production traffic is where ECS expects it")
def production_traffic(facts: Facts) -> Finding:
    """Refuse unless the production rule sends all traffic to the current revision's target group.

    ECS shifts weights without checking what they are: after an edit by hand, a rollback would send traffic
    to the wrong place (containers-roadmap #2853).
    """
    if facts.service is None or facts.first:
        return skipped("no release is running yet")
    if any(brief["status"] in ONGOING for brief in facts.deployments):
        return skipped("a deployment is moving it")
    expected = {
        balancer["targetGroupArn"]
        for revision in facts.revisions.values()
        for balancer in revision.get("resolvedConfiguration", {}).get("loadBalancers", ())
    }
    if not expected:
        return skipped("ECS doesn't show the current revision's target group")
    rule = facts.rules.get(facts.load_balancing.production_rule, {})
    found = {arn for arn, share in rule_weights(rule).items() if share}
    if found == expected:
        return ok(f"all of it goes to {_name(expected)}")
    return refused(
        f"production traffic goes to {_name(found)}, but the current revision is in {_name(expected)}",
        remedy=f"correct the rule {facts.load_balancing.production_rule} by hand, then deploy again",
    )


def _name(target_groups: set[str]) -> str:
    return ", ".join(sorted(arn.split("/")[-2] if "/" in arn else arn for arn in target_groups)) or "nowhere"


@gate("clients are not bound to a target group")
def stickiness(facts: Facts) -> Finding:
    """Refuse while a rule binds clients to a target group.

    Sticky clients stay on one release, whatever the weights: the canary's share would not be what it is set
    to, and a rollback would leave them behind.
    """
    if facts.env.deployment.strategy == "ROLLING":
        return skipped("a rolling deployment shares no traffic between target groups")
    sticky = [arn for arn, rule in facts.rules.items() if is_sticky(rule)]
    if not sticky:
        return ok("off")
    return refused(
        f"on in {', '.join(sticky)}: its clients would stay on one release, whatever the weights",
        remedy="switch off the rule's target group stickiness",
    )


def is_sticky(rule: Mapping[str, Any]) -> bool:
    """Return whether a forward action of a rule has target group stickiness."""
    return any(
        action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {}).get("Enabled", False)
        for action in rule.get("Actions", ())
    )


@gate("the test listener has a rule")
def test_rule(facts: Facts) -> Finding:
    """Refuse unless the rules forward to both of the service's target groups, the test listener's to one.

    Without a rule of its own for tests, a release would meet production traffic untested.
    """
    if facts.env.deployment.strategy == "ROLLING":
        return skipped("a rolling deployment has no test traffic")
    load_balancing = facts.load_balancing
    rule = facts.rules.get(load_balancing.test_rule)
    port = facts.env.service.test_listener_port
    if rule is None or load_balancing.test_rule == load_balancing.production_rule:
        return refused(
            f"the test listener (port {port}) has no rule of its own",
            remedy="give the load balancer a test listener (service.test_listener_port)",
        )
    if not set(rule_weights(rule)) & set(load_balancing.target_groups):
        return refused(
            f"the test rule {load_balancing.test_rule} forwards to none of the service's target groups",
            remedy=f"let it forward to {' or '.join(facts.env.service.target_groups)}",
        )
    missing = set(load_balancing.target_groups) - {
        group for known in facts.rules.values() for group in rule_weights(known)
    }
    if missing:
        # ECS checks only when it shifts traffic that both are "associated with" one of the rules.
        return refused(
            f"no rule forwards to the target group {_name(missing)}",
            remedy=_forwarding(
                load_balancing.test_rule, missing.pop(), is_default=rule.get("IsDefault", True)
            ),
        )
    return ok(f"port {port}")


def _forwarding(rule: str, group: str, *, is_default: bool) -> str:
    """Return the command that lets a rule forward to a target group."""
    action = f"Type=forward,TargetGroupArn={group}"
    if not is_default:
        return f"aws elbv2 modify-rule --rule-arn {rule} --actions {action}"
    listener = rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]
    return f"aws elbv2 modify-listener --listener-arn {listener} --default-actions {action}"


@gate("what the canary can detect", policy=GatePolicy.WARN)
def canary_sample(facts: Facts) -> Finding:
    """Report how many requests the canary will get and which failures that is enough to detect.

    Never refuses.
    """
    from samjhadoo_ops.deployment.verdict import canary_expectation

    if facts.first or facts.env.deployment.strategy != "CANARY":
        return skipped("there is no canary this time")
    requests = counted(facts, _REQUESTS, seconds=_HOUR, period=60)[_REQUESTS]
    return ok(canary_expectation(facts.env, per_second=requests / _HOUR).sentence())


@gate("error budget is left", policy=GatePolicy.WARN)
def error_budget(facts: Facts) -> Finding:
    """Refuse when less of the error budget is left than `gates.error_budget.remaining_percent`.

    A service that has failed its users too often this month gets repaired, not changed (SRE workbook, error
    budget policy). 99.95 % over 30 days are 21.6 minutes.
    """
    slo = facts.env.slo
    counts = counted(facts, _REQUESTS, _TARGET_ERRORS, _ELB_ERRORS, seconds=float(slo.period), period=_DAY)
    return decide_error_budget(
        counts[_REQUESTS],
        counts[_TARGET_ERRORS] + counts[_ELB_ERRORS],
        objective=slo.availability_percent,
        wanted=facts.env.gates.error_budget.remaining_percent,
        period=str(slo.period),
    )


def remaining_budget(total: float, errors: float, *, objective: float) -> float:
    """Return the percentage of the error budget that is left; negative when it is overdrawn.

    Args:
        objective: The availability objective in percent.
    """
    allowed = total * (100.0 - objective) / 100.0
    if not allowed:
        return 100.0 if not errors else -100.0
    return 100.0 * (1.0 - errors / allowed)


def decide_error_budget(
    total: float, errors: float, *, objective: float, wanted: float, period: str
) -> Finding:
    """Return the finding for the requests and server errors of a period."""
    if not total:
        return skipped(f"no requests in {period}")
    left = remaining_budget(total, errors, objective=objective)
    served = (
        f"{100.0 * (1.0 - errors / total):.6g} % of {total:.0f} requests in {period} were served "
        f"(objective {objective:g} %): "
        + (f"{left:.0f} % of the error budget is left" if left >= 0 else "the error budget is overdrawn")
    )
    if round(left, 6) < wanted:
        return refused(
            f"{served}, {wanted:g} % is required",
            remedy='deploy only a fix, and name it: --override error_budget="what this fixes"',
        )
    return ok(served)


def counted(facts: Facts, *metrics: str, seconds: float, period: int) -> dict[str, float]:
    """Return the sums of the load balancer's metrics over the last seconds on the clock.

    Args:
        period: Seconds; a multiple of 60, of 300 beyond 15 days back.
    """
    queries: list[dict[str, Any]] = [
        {
            "Id": f"m{number}",
            "ReturnData": True,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ApplicationELB",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "LoadBalancer", "Value": facts.balancer}],
                },
                "Period": period,
                "Stat": "Sum",
            },
        }
        for number, metric in enumerate(metrics)
    ]
    now, sums = facts.now, dict.fromkeys(metrics, 0.0)
    request = {"StartTime": now - timedelta(seconds=seconds), "EndTime": now, "MetricDataQueries": queries}
    client = facts.aws.client("cloudwatch")
    while True:
        answer = client.get_metric_data(**request)
        for result in answer["MetricDataResults"]:
            sums[metrics[int(result["Id"][1:])]] += sum(result["Values"])
        if not answer.get("NextToken"):
            return sums
        request["NextToken"] = answer["NextToken"]
