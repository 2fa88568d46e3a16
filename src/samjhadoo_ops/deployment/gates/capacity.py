"""Is there room for a second set of tasks, and do the read replicas keep up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.deployment.gates.gate import Facts, Finding, gate, ok, refused, skipped, unknown
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = 1024.0
_LAG_WINDOW = timedelta(minutes=10)


@gate("the account's quota allows all tasks twice")
def vcpu_quota(facts: Facts) -> Finding:
    """Refuse when the account's quota of Fargate vCPUs has no room for a second set of tasks.

    A canary deployment runs all tasks twice; an account without room for them stops half way.
    """
    from botocore.exceptions import ClientError

    try:
        cpu = facts.render().get("cpu", "")
    except OpsError:
        return skipped("the task definition cannot be rendered")
    if not str(cpu).isdigit():
        return skipped("the task definition doesn't state its cpu units")
    code = facts.env.gates.capacity.quota
    try:
        quota = facts.aws.client("service-quotas").get_service_quota(ServiceCode="fargate", QuotaCode=code)[
            "Quota"
        ]
    except ClientError as error:
        return unknown(f"the quota {code} could not be read ({error.response['Error']['Code']})")
    used = _vcpus_in_use(facts, quota.get("UsageMetric") or {})
    return decide_vcpus(limit=float(quota["Value"]), used=used, needed=_tasks(facts) * int(cpu) / _UNITS)


def decide_vcpus(*, limit: float, used: float | None, needed: float) -> Finding:
    """Return the finding for numbers of vCPUs; `used` is None when it is not known."""
    if used is None and needed <= limit:
        return unknown(f"{needed:g} vCPUs more are needed of {limit:g}; how many are in use is not known")
    free = limit - (used or 0.0)
    if needed > free:
        return refused(
            f"{needed:g} vCPUs more are needed, {free:g} of {limit:g} are free",
            remedy="request a higher quota (Service Quotas, Fargate), or stop other tasks",
        )
    return ok(f"{needed:g} vCPUs more are needed, {free:g} of {limit:g} are free")


def _vcpus_in_use(facts: Facts, metric: dict[str, Any]) -> float | None:
    if not metric.get("MetricName"):
        return None
    dimensions = [
        {"Name": name, "Value": value} for name, value in metric.get("MetricDimensions", {}).items()
    ]
    statistic = metric.get("MetricStatisticRecommendation") or "Maximum"
    answer = facts.aws.client("cloudwatch").get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=dimensions,
        StartTime=facts.now - timedelta(hours=1),
        EndTime=facts.now,
        Period=300,
        Statistics=[statistic],
    )
    return _latest(answer, statistic)


@gate("the network of the tasks exists")
def network(facts: Facts) -> Finding:
    """Refuse when a subnet or security group that the settings name doesn't exist, or is of another VPC.

    ECS finds out only when it starts the tasks, after the migration.
    """
    settings, ec2 = facts.env.service, facts.aws.client("ec2")
    if not settings.subnets and not settings.security_groups:
        return skipped("the settings name neither subnets nor security groups")
    places: dict[str, str] = {}
    if subnets := list(settings.subnets or facts.load_balancing.subnets):
        found = ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
        places |= {each["SubnetId"]: each["VpcId"] for each in found}
    if settings.security_groups:
        found = ec2.describe_security_groups(GroupIds=list(settings.security_groups))["SecurityGroups"]
        places |= {each["GroupId"]: each["VpcId"] for each in found}
    if len(set(places.values())) > 1:
        return refused(
            f"they are in several VPCs: {', '.join(f'{name} in {vpc}' for name, vpc in places.items())}",
            remedy="name those of one VPC (service.subnets, service.security_groups)",
        )
    return ok(", ".join(places))


@gate("the subnets have free addresses for all tasks twice")
def free_addresses(facts: Facts) -> Finding:
    """Refuse when the subnets have fewer free addresses than the new set has tasks.

    Each Fargate task takes an address of its subnet.
    """
    subnets = list(facts.env.service.subnets or facts.load_balancing.subnets)
    if not subnets:
        return skipped("no subnets are known")
    answer = facts.aws.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"]
    free = {each["SubnetId"]: each["AvailableIpAddressCount"] for each in answer}
    return decide_addresses(free, tasks=_tasks(facts))


def decide_addresses(free: Mapping[str, int], *, tasks: int) -> Finding:
    """Return the finding for the free addresses of each subnet."""
    total = sum(free.values())
    if total < tasks:
        counts = ", ".join(f"{subnet} {count}" for subnet, count in sorted(free.items()))
        return refused(
            f"{tasks} tasks more need an address each, {total} are free ({counts})",
            remedy="free addresses, or add a subnet (service.subnets)",
        )
    full = [subnet for subnet, count in sorted(free.items()) if not count]
    return ok(f"{total} for {tasks} tasks more{f'; none left in {chr(44).join(full)}' if full else ''}")


@gate("the read replicas keep up")
def read_replicas(facts: Facts) -> Finding:
    """Refuse when a read replica of the database lags (AWS/RDS ReplicaLag, in the replica's region).

    A replica that lags would serve a new release data from before its migration.
    """
    instances = facts.env.gates.replicas.instances
    if not instances:
        regions = facts.env.database.read_replicas
        if not regions:
            return skipped("the database has none")
        return unknown(
            f"there are some in {', '.join(regions)}, but gates.replicas.instances names none",
            remedy="name them: region/identifier",
        )
    lags = {name: _lag(facts, *name.split("/", 1)) for name in instances}
    return decide_lag(lags, most=float(facts.env.gates.replicas.lag))


def decide_lag(lags: Mapping[str, float | None], *, most: float) -> Finding:
    """Return the finding for the lag of each replica in seconds; None where it is not known."""
    behind = [f"{name} by {lag:.0f} s" for name, lag in lags.items() if lag is not None and lag > most]
    if behind:
        return refused(
            f"lagging: {', '.join(behind)}; {most:g} s are allowed",
            remedy="wait until they have caught up (gates.replicas.lag)",
        )
    silent = [name for name, lag in lags.items() if lag is None]
    if silent:
        return unknown(f"CloudWatch has no ReplicaLag of {', '.join(silent)}")
    worst = max(lag for lag in lags.values() if lag is not None)
    return ok(f"{len(lags)} replicas, {worst:.0f} s behind at most")


def _lag(facts: Facts, region: str, identifier: str) -> float | None:
    there = msgspec.structs.replace(facts.env, aws=msgspec.structs.replace(facts.env.aws, region=region))
    client = Aws(there, facts.aws.endpoint_url).client("cloudwatch")
    answer = client.get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="ReplicaLag",
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": identifier}],
        StartTime=facts.now - _LAG_WINDOW,
        EndTime=facts.now,
        Period=60,
        Statistics=["Maximum"],
    )
    return _latest(answer, "Maximum")


def _tasks(facts: Facts) -> int:
    """Return how many tasks more will run: a second set, and what the present one lacks."""
    wanted = facts.env.service.desired_count
    now = int((facts.service or {}).get("desiredCount") or wanted)
    return now if facts.scaled else wanted + max(0, wanted - now)


def _latest(answer: Mapping[str, Any], statistic: str) -> float | None:
    """Return the newest datapoint of GetMetricStatistics, or None when there is none."""
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return float(points[-1][statistic]) if points else None
