"""The load balancer's cost: requests per second and latency through a listener, against its backend directly.

Run with `python benchmarks/load_balancer.py`. Needs no tool but Python: the load comes from `wrk` where it is
on PATH, else from an asyncio client in a process of its own (which then, and not Envoy, is the limit).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from samjhadoo_ops.processes import die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n" + b'{"status":"ok"}'
)
CONNECTIONS = 16


# --- a backend and a client that cost as little as Python allows


class Backend(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(RESPONSE * data.count(b"\r\n\r\n"))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", port)
    await server.serve_forever()


class Client(asyncio.Protocol):
    def __init__(self, port: int, latencies: list[float], end: float) -> None:
        self.request = f"GET / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
        self.latencies, self.end = latencies, end
        self.failures, self.body = 0, b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self.body += data
        if not self.body.endswith(b"}"):
            return
        self.latencies.append(time.perf_counter() - self.sent)
        self.failures += not self.body.startswith(b"HTTP/1.1 200")
        self.body = b""
        if time.perf_counter() < self.end:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if time.perf_counter() < self.end:
            self.failures += 1
        self.done.set_result(None)

    def _send(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.request)


async def load(port: int, seconds: float) -> dict[str, float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: Client(port, latencies, end), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(client.done for _, client in connections))
    percentiles = statistics.quantiles(latencies, n=1000)
    return {
        "requests_per_second": len(latencies) / seconds,
        "p50_ms": percentiles[499] * 1000,
        "p99_ms": percentiles[989] * 1000,
        "failures": sum(client.failures for _, client in connections),
    }


# --- measurements


def measure(port: int, seconds: float) -> dict[str, float]:
    if shutil.which("wrk"):
        return _wrk(port, seconds)
    argv = [sys.executable, __file__, "load", str(port), str(seconds)]
    result: dict[str, float] = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    return result


def _wrk(port: int, seconds: float) -> dict[str, float]:
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", f"http://127.0.0.1:{port}/"]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}

    def found(expression: str) -> re.Match[str]:
        match = re.search(expression, text)
        assert match, text
        return match

    p50, p99 = (found(rf"{percent}%\s+([\d.]+)(us|ms|s)") for percent in (50, 99))
    failures = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "requests_per_second": float(found(r"Requests/sec:\s+([\d.]+)")[1]),
        "p50_ms": float(p50[1]) * units[p50[2]],
        "p99_ms": float(p99[1]) * units[p99[2]],
        "failures": float(failures[1]) if failures else 0.0,
    }


@contextlib.contextmanager
def running(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, *argv], preexec_fn=die_with_parent()) as process:  # noqa: PLW1509
        try:
            yield process
        finally:
            process.terminate()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.05)
        else:
            return


def balance(edge: str, backend: int) -> tuple[Any, str, list[str], int]:
    """Put a load balancer with two target groups in front of the backend."""
    import boto3

    settings = {"endpoint_url": edge, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    elbv2, ec2 = (boto3.client(name, region_name="ap-south-1", **settings) for name in ("elbv2", "ec2"))
    subnets = ec2.describe_subnets()["Subnets"]
    created = elbv2.create_load_balancer(Name="bench", Subnets=[subnet["SubnetId"] for subnet in subnets])
    groups = [
        elbv2.create_target_group(
            Name=name, Protocol="HTTP", Port=backend, VpcId=subnets[0]["VpcId"], TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        for name in ("blue", "green")
    ]
    for group in groups:
        elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": backend}])
    listener = elbv2.create_listener(
        LoadBalancerArn=created["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=free_port(),
        DefaultActions=[weighted(groups, 900)],
    )["Listeners"][0]["ListenerArn"]
    for group in groups:
        while (
            elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"][
                "State"
            ]
            != "healthy"
        ):
            time.sleep(0.05)
    with urllib.request.urlopen(f"{edge}/_emulator/listeners", timeout=5) as answer:
        port = json.load(answer)[0]["bound_port"]
    return elbv2, listener, groups, port


def weighted(groups: list[str], first: int) -> dict[str, Any]:
    weights = (first, 1000 - first)
    targets = [
        {"TargetGroupArn": group, "Weight": weight} for group, weight in zip(groups, weights, strict=True)
    ]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": targets}}


def shift_times(elbv2: Any, listener: str, groups: list[str]) -> list[float]:
    """Return how long changes of weights take until they are in effect, in milliseconds."""
    times = []
    for first in range(1, 41):
        started = time.perf_counter()
        elbv2.modify_listener(ListenerArn=listener, DefaultActions=[weighted(groups, first)])
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


def main(seconds: float) -> None:
    backend, edge_port = free_port(), free_port()
    edge = f"http://127.0.0.1:{edge_port}"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.enter_context(running(__file__, "serve", str(backend)))
        options = ["--port", str(edge_port), "--minute", "0.2", "--data-dir", str(Path(folder) / "data")]
        emulator = stack.enter_context(running("-m", "samjhadoo_emulator", *options))
        wait_for(f"{edge}/_emulator/health")
        elbv2, listener, groups, port = balance(edge, backend)
        envoy = next(child for child in psutil.Process(emulator.pid).children() if "envoy" in child.name())
        idle = envoy.cpu_percent(interval=2)
        direct, through = measure(backend, seconds), measure(port, seconds)
        shifts = shift_times(elbv2, listener, groups)
        rows = {"direct": direct, "through the listener": through}
        for name, row in rows.items():
            print(
                f"{name:22}{row['requests_per_second']:10,.0f} requests/s   p50 {row['p50_ms']:6.2f} ms"
                f"   p99 {row['p99_ms']:6.2f} ms   failures {row['failures']:.0f}"
            )
        ratio = through["requests_per_second"] / direct["requests_per_second"]
        print(f"{'ratio':22}{ratio:10.2f}              p99 +{through['p99_ms'] - direct['p99_ms']:.2f} ms")
        print(f"a change of weights    p50 {shifts[20]:.1f} ms   worst {shifts[-1]:.1f} ms until in effect")
        memory = envoy.memory_info().rss / 2**20
        print(f"Envoy                  {memory:.0f} MiB RSS   {idle:.1f} % of a core when idle")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["main"])
    arguments = parser.parse_args().what
    if arguments[0] == "serve":
        asyncio.run(serve(int(arguments[1])))
    elif arguments[0] == "load":
        print(json.dumps(asyncio.run(load(int(arguments[1]), float(arguments[2])))))
    else:
        main(seconds=5.0)
