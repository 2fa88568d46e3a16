"""The load balancer at its limits, 1,000 targets and 100 rules, and how soon requests meet a change.

What counts is what requests meet: they are sent without a break through Envoy, on connections of their own,
while the API changes a rule's answer. The time runs from the call's beginning to the first request that meets
the change (and to the last one that does not, should any come later).
"""

from __future__ import annotations

import http.client
import itertools
import statistics
import threading
import time
from typing import Any

from harness.backend import backend
from harness.figures import percentile, row
from harness.running import Running, emulator, until

FIRST_PORT = 21000
TARGETS = 1000
GROUPS = 10
RULES = 100
CHANGES = 40
PORT = 18080


def fixed(text: str) -> dict[str, Any]:
    return {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": text},
    }


class Requests(threading.Thread):
    """Sends requests without a break, and remembers when each was sent and what it met."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__()
        self.port, self.path = port, path
        self.met: list[tuple[float, str]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            sent = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", self.path)
            self.met.append((sent, connection.getresponse().read().decode()))
            connection.close()
            time.sleep(0.001)


def effect(elbv2: Any, rule: str, port: int, path: str) -> tuple[list[float], list[float]]:
    """Return how long changes of a rule take: until requests meet them, and until the API's answer; in ms."""
    requests, effects, answers = Requests(port, path), [], []
    requests.start()
    until(lambda: requests.met)
    try:
        for number in range(CHANGES):
            text = f"change-{number}"
            began = time.perf_counter()
            elbv2.modify_rule(RuleArn=rule, Actions=[fixed(text)])
            answers.append((time.perf_counter() - began) * 1000)
            until(lambda text=text: requests.met[-1][1] == text, within=20, every=0.002)
            time.sleep(0.05)
            late = max((sent for sent, body in requests.met if sent >= began and body != text), default=began)
            first = min(sent for sent, body in requests.met if body == text)
            effects.append((max(first, late) - began) * 1000)
    finally:
        requests.ended.set()
        requests.join()
    return effects, answers


def healthy(elbv2: Any, groups: list[str]) -> int:
    answers = (elbv2.describe_target_health(TargetGroupArn=group) for group in groups)
    states = itertools.chain.from_iterable(answer["TargetHealthDescriptions"] for answer in answers)
    return sum(each["TargetHealth"]["State"] == "healthy" for each in states)


def balance(running: Running, elbv2: Any) -> tuple[list[str], list[str]]:
    """Make the load balancer; return its groups and rules."""
    subnets = running.client("ec2").describe_subnets()["Subnets"]
    balancer = elbv2.create_load_balancer(Name="bench", Subnets=[each["SubnetId"] for each in subnets])
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=PORT,
        DefaultActions=[fixed("default")],
    )["Listeners"][0]["ListenerArn"]
    groups = [
        elbv2.create_target_group(
            Name=f"group-{number}", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"], TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        for number in range(GROUPS)
    ]
    rules = []
    for number in range(RULES):
        made = elbv2.create_rule(
            ListenerArn=listener,
            Priority=number + 1,
            Conditions=[{"Field": "path-pattern", "Values": [f"/rule-{number}/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": groups[number % GROUPS]}],
        )
        rules.append(made["Rules"][0]["RuleArn"])
    return groups, rules


def register(running: Running, elbv2: Any, groups: list[str]) -> None:
    """Register all targets and wait until they are healthy."""
    share = TARGETS // GROUPS
    began = time.perf_counter()
    for number, group in enumerate(groups):
        first = FIRST_PORT + number * share
        targets = [{"Id": "127.0.0.1", "Port": port} for port in range(first, first + share)]
        elbv2.register_targets(TargetGroupArn=group, Targets=targets)
    row(f"{TARGETS} targets registered in {GROUPS} calls", (time.perf_counter() - began) * 1000, "ms")
    until(lambda: healthy(elbv2, groups) == TARGETS, every=0.1)
    row("until all are healthy", (time.perf_counter() - began) * 1000, "ms")
    began = time.perf_counter()
    for port in range(FIRST_PORT, FIRST_PORT + 20):
        one = [{"Id": "127.0.0.1", "Port": port}]
        elbv2.deregister_targets(TargetGroupArn=groups[0], Targets=one)
        elbv2.register_targets(TargetGroupArn=groups[0], Targets=one)
    row("one target out and in again", (time.perf_counter() - began) * 1000 / 20, "ms")
    times = []
    for group in groups * 3:
        began = time.perf_counter()
        elbv2.describe_target_health(TargetGroupArn=group)
        times.append((time.perf_counter() - began) * 1000)
    row(f"DescribeTargetHealth of {share} targets, median", statistics.median(times), "ms")
    began, used = running.cpu(), sum(running.envoy().cpu_times()[:2])
    at = time.monotonic()
    time.sleep(5)
    seconds = time.monotonic() - at
    row("idle CPU of the emulator", 100 * (running.cpu() - began) / seconds, "% of a core")
    row("CPU of Envoy, which checks every target",
        100 * (sum(running.envoy().cpu_times()[:2]) - used) / seconds, "% of a core")  # fmt: skip


def main() -> None:
    """Measure and print."""
    with backend(FIRST_PORT, TARGETS), emulator() as running:
        elbv2 = running.client("elbv2")
        began = time.perf_counter()
        groups, rules = balance(running, elbv2)
        row(f"{GROUPS} target groups and {RULES} rules made", time.perf_counter() - began, "s")
        port = running.control("listeners")[0]["bound_port"]
        effects, answers = effect(elbv2, rules[50], port, "/rule-50/x")
        row(f"a rule's change in effect, p50 of {CHANGES}, without targets", percentile(effects, 50), "ms")
        register(running, elbv2, groups)
        effects, answers = effect(elbv2, rules[50], port, "/rule-50/x")
        row(f"a rule's change in effect, p50 of {CHANGES}", percentile(effects, 50), "ms", "<= 200 ms")
        row("a rule's change in effect, worst", max(effects), "ms", "<= 200 ms")
        row("the API's answer, p50", percentile(answers, 50), "ms")
        row("resident memory", running.memory(), "MiB")
        row("resident memory of Envoy", running.envoy().memory_info().rss / 2**20, "MiB")


if __name__ == "__main__":
    main()
