"""What the load balancer counted, from CloudWatch."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground

REQUESTS, TARGET_ERRORS, ELB_ERRORS = "RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"


def counted(ground: Ground, *metrics: str, seconds: float, period: int) -> dict[str, float]:
    """Return the sums of metrics of the load balancer over the last seconds on the clock.

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
                    "Dimensions": [{"Name": "LoadBalancer", "Value": ground.balancer}],
                },
                "Period": period,
                "Stat": "Sum",
            },
        }
        for number, metric in enumerate(metrics)
    ]
    now, sums = ground.now, dict.fromkeys(metrics, 0.0)
    request = {"StartTime": now - timedelta(seconds=seconds), "EndTime": now, "MetricDataQueries": queries}
    client = ground.aws.client("cloudwatch")
    while True:
        answer = client.get_metric_data(**request)
        for result in answer["MetricDataResults"]:
            sums[metrics[int(result["Id"][1:])]] += sum(result["Values"])
        if not answer.get("NextToken"):
            return sums
        request["NextToken"] = answer["NextToken"]
