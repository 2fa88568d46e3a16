"""The cost of alarms: how long an evaluation of 1,000 of them takes, and what CPU time the emulator needs.

Each alarm has data in every minute. Target: 1,000 alarms in an emulated minute of the local clock (0.2 s).
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from samjhadoo_emulator.cloudwatch.alarms.operations import CloudWatch
from samjhadoo_emulator.service import Host
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.processes import die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ALARMS = 1000
MINUTE = 0.2
PER_CALL = 500
WATCHED = 5.0


class Nobody:
    """No neighbours: the alarms have no actions."""

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        raise NotImplementedError(service, operation, params)


def alarm(index: int, *, math: bool) -> dict[str, Any]:
    """Return the parameters of an alarm: on a metric, or on an error rate."""
    common = {
        "AlarmName": f"alarm-{index}",
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    metric = {"Namespace": "Bench", "MetricName": f"metric-{index}"}
    if not math:
        return {**common, **metric, "Statistic": "Sum", "Period": 60}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "rate", "Expression": "IF(m > 0, 100 * FILL(m, 0) / m, 0)"},
        {"Id": "m", "MetricStat": stat, "ReturnData": False},
    ]
    return {**common, "Metrics": metrics}


async def evaluation(*, math: bool) -> float:
    """Return seconds of CPU time of one evaluation of all alarms."""
    clock = Clock(minute=60.0)
    with tempfile.TemporaryDirectory() as folder:
        host = Host("000000000000", clock, Path(folder), "")
        service = CloudWatch(host, "ap-south-1", Nobody())
        now = clock.timestamp()
        for index in range(ALARMS):
            await service.put_metric_alarm(alarm(index, math=math))
            for minute in range(1, 8):
                at = clock.now().fromtimestamp(now - 60 * minute, clock.now().tzinfo)
                datum = {"MetricName": f"metric-{index}", "Value": 1.0, "Timestamp": at}
                await service.put_metric_data({"Namespace": "Bench", "MetricData": [datum]})
        await service.evaluate_all()  # the first one changes states
        began = time.process_time()
        await service.evaluate_all()
        took = time.process_time() - began
        await service.stop()
    return took


@contextlib.contextmanager
def emulator() -> Iterator[tuple[psutil.Process, Any]]:
    """Run an emulator; give its process and a client."""
    import boto3

    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "samjhadoo_emulator", "--port", str(port), "--minute", str(MINUTE)]
        process = subprocess.Popen([*argv, "--data-dir", folder], preexec_fn=die_with_parent())  # noqa: PLW1509
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/_emulator/health")
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "ap-south-1"}
            yield psutil.Process(process.pid), boto3.client("cloudwatch", endpoint_url=url, **keys)
        finally:
            process.terminate()
            process.wait(20)


def wait_for(url: str) -> None:
    """Return once something answers there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def busy(process: psutil.Process, client: Any = None) -> float:
    """Return the share of a core that a process takes, in percent, while data comes in for every alarm."""
    began, before = time.monotonic(), sum(process.cpu_times()[:2])
    while time.monotonic() - began < WATCHED:
        for start in range(0, ALARMS if client else 0, PER_CALL):
            data = [{"MetricName": f"metric-{start + index}", "Value": 1.0} for index in range(PER_CALL)]
            client.put_metric_data(Namespace="Bench", MetricData=data)
        time.sleep(MINUTE)
    return 100 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


def main() -> None:
    """Measure and print."""
    for math in (False, True):
        took = asyncio.run(evaluation(math=math))
        kind = "on metric math" if math else "on a metric"
        target = f"target <= {1000 * MINUTE:.0f} ms"
        print(f"{ALARMS} alarms {kind:15} {1000 * took:6.0f} ms an evaluation ({target})")
    with emulator() as (process, client):
        print(f"no alarms                   {busy(process):6.1f} % of a core")
        for index in range(ALARMS):
            client.put_metric_alarm(**alarm(index, math=False))
        print(f"{ALARMS} alarms without data    {busy(process):6.1f} % of a core")
        print(
            f"{ALARMS} alarms with data       {busy(process, client):6.1f} % of a core, its intake included"
        )


if __name__ == "__main__":
    main()
