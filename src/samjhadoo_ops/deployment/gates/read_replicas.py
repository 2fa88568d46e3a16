"""A replica that lags would answer a new release from before its migration."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped, unknown
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.gates.ground import Ground

_LOOK_BACK = timedelta(minutes=10)


def check(ground: Ground) -> Finding:
    """Refuse when a read replica of the database lags (AWS/RDS ReplicaLag, in the replica's region)."""
    instances = ground.env.gates.replicas.instances
    if not instances:
        regions = ground.env.database.read_replicas
        if not regions:
            return skipped("the database has none")
        return unknown(
            f"there are some in {', '.join(regions)}, but gates.replicas.instances names none",
            remedy="name them: region/identifier",
        )
    lags = {name: _lag(ground, *name.split("/", 1)) for name in instances}
    return decide(lags, most=float(ground.env.gates.replicas.lag))


def decide(lags: Mapping[str, float | None], *, most: float) -> Finding:
    """Return the finding for the lag of each replica in seconds; None when it is not told."""
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


def _lag(ground: Ground, region: str, identifier: str) -> float | None:
    there = msgspec.structs.replace(ground.env, aws=msgspec.structs.replace(ground.env.aws, region=region))
    client = Aws(there, ground.aws.endpoint_url).client("cloudwatch")
    answer = client.get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="ReplicaLag",
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": identifier}],
        StartTime=ground.now - _LOOK_BACK,
        EndTime=ground.now,
        Period=60,
        Statistics=["Maximum"],
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return float(points[-1]["Maximum"]) if points else None


GATE = Gate("read_replicas", "the read replicas keep up", check)
