"""Real backends, and load balancers in front of them."""

from __future__ import annotations

import functools
import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.processes import free_port

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

_names = itertools.count()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            time.sleep(self.server.health_delay)
            self.server.checks.append(dict(self.headers))
            self._answer(self.server.health_status, b"health")
            return
        if path == "/slow":
            self.server.slow_started.set()
            assert self.server.slow_released.wait(60)
        seen = {
            "backend": self.server.name,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
        }
        time.sleep(self.server.delay)
        self._answer(self.server.status, json.dumps(seen).encode())

    do_POST = do_GET  # noqa: N815

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if not self.path.startswith("/health"):
            for name, value in self.server.extra_headers.items():
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    name = ""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.status = 200
        self.delay = 0.0
        self.extra_headers: dict[str, str] = {}
        self.health_status = 200
        self.health_delay = 0.0
        self.checks: list[dict[str, str]] = []
        self.slow_started = threading.Event()
        self.slow_released = threading.Event()
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: Any) -> None:
        pass


class Backend:
    """A real HTTP server that tells its name, what it was asked and how."""

    def __init__(self, name: str = "", port: int = 0) -> None:
        self.server = _Server(port)
        self.port = self.server.server_port
        self.server.name = self.name = name or f"backend-{self.port}"
        self.alive = True
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def kill(self) -> None:
        """End it at once, its connections included."""
        if self.alive:
            self.alive = False
            self.server.shutdown()
            self.server.server_close()
            for connection in list(self.server.connections):
                connection.close()

    @property
    def target(self) -> dict[str, Any]:
        return {"Id": "127.0.0.1", "Port": self.port}


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def seen(self) -> dict[str, Any]:
        """What the backend saw."""
        document: dict[str, Any] = json.loads(self.text)
        return document

    @property
    def backend(self) -> str:
        return str(self.seen["backend"])


class Browser:
    """One keep-alive connection to a listener."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=60, source_address=(source, 0)
        )

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, headers=named)
        response = self.connection.getresponse()
        body = response.read().decode()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)


@dataclass
class Balancing:
    """A load balancer under test."""

    elbv2: Any
    get_control: Callable[[str], Any]
    arn: str
    vpc: str
    wait: Callable[..., Any]

    def group(self, *backends: Backend, attributes: dict[str, str] | None = None, **settings: Any) -> str:
        """Return a new target group with these targets."""
        created = self.elbv2.create_target_group(
            Name=f"group-{next(_names)}",
            **{
                "Protocol": "HTTP",
                "Port": 80,
                "VpcId": self.vpc,
                "TargetType": "ip",
                "HealthCheckPath": "/health",
                "HealthCheckIntervalSeconds": 30,
                **settings,
            },
        )
        arn: str = created["TargetGroups"][0]["TargetGroupArn"]
        if attributes:
            self.elbv2.modify_target_group_attributes(
                TargetGroupArn=arn, Attributes=[{"Key": k, "Value": v} for k, v in attributes.items()]
            )
        self.register(arn, *backends)
        return arn

    def register(self, group: str, *backends: Backend) -> None:
        if backends:
            self.elbv2.register_targets(TargetGroupArn=group, Targets=[each.target for each in backends])

    def listener(self, action: dict[str, Any], port: int = 0, **settings: Any) -> tuple[str, int]:
        """Return a new listener's ARN and the port on which it really listens."""
        created = self.elbv2.create_listener(
            LoadBalancerArn=self.arn,
            **{"Protocol": "HTTP", "Port": port or free_port(), "DefaultActions": [action], **settings},
        )
        arn: str = created["Listeners"][0]["ListenerArn"]
        return arn, self.bound_port(arn)

    def bound_port(self, listener: str) -> int:
        rows = self.get_control("listeners")
        return int(next(row["bound_port"] for row in rows if row["listener_arn"] == listener))

    def health(self, group: str) -> dict[int, dict[str, str]]:
        """Return the health of a group's targets by port."""
        answer = self.elbv2.describe_target_health(TargetGroupArn=group)
        return {each["Target"]["Port"]: each["TargetHealth"] for each in answer["TargetHealthDescriptions"]}

    def states(self, group: str) -> dict[int, str]:
        return {port: health["State"] for port, health in self.health(group).items()}

    def wait_healthy(self, *groups: str) -> None:
        for group in groups:
            self.wait(lambda group=group: set(self.states(group).values()) == {"healthy"})


def forward(*groups: str, weights: tuple[int, ...] = (), sticky: int = 0) -> dict[str, Any]:
    """Return an action that forwards to groups."""
    config: dict[str, Any] = {
        "TargetGroups": [
            {"TargetGroupArn": group, "Weight": weight}
            for group, weight in zip(groups, weights or (1,) * len(groups), strict=True)
        ]
    }
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return {"Type": "forward", "ForwardConfig": config}


@pytest.fixture
def backends() -> Iterator[Callable[..., Backend]]:
    """Make backends that end with the test."""
    made: list[Backend] = []

    def make(name: str = "", port: int = 0) -> Backend:
        made.append(Backend(name, port))
        return made[-1]

    yield make
    for backend in made:
        backend.server.slow_released.set()
        backend.kill()


@pytest.fixture(scope="module")
def network(noop_emulator: Any) -> tuple[str, list[str]]:
    """The default network and its subnets."""
    subnets = noop_emulator.client("ec2").describe_subnets()["Subnets"]
    return subnets[0]["VpcId"], [subnet["SubnetId"] for subnet in subnets]


@pytest.fixture(scope="module")
def balancer(noop_emulator: Any, network: tuple[str, list[str]]) -> str:
    """The ARN of a load balancer."""
    created = noop_emulator.client("elbv2").create_load_balancer(Name="balancer", Subnets=network[1])
    return str(created["LoadBalancers"][0]["LoadBalancerArn"])


@pytest.fixture
def balancing(
    noop_emulator: Any, balancer: str, network: tuple[str, list[str]], eventually: Callable[..., Any]
) -> Iterator[Balancing]:
    """A load balancer without listeners."""
    elbv2 = noop_emulator.client("elbv2")
    yield Balancing(elbv2, functools.partial(noop_emulator.ask, "GET"), balancer, network[0], eventually)
    for listener in elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
        elbv2.delete_listener(ListenerArn=listener["ListenerArn"])


@pytest.fixture
def browse() -> Iterator[Callable[..., Browser]]:
    """Open connections to listeners."""
    opened: list[Browser] = []

    def open_connection(port: int, **options: Any) -> Browser:
        opened.append(Browser(port, **options))
        return opened[-1]

    yield open_connection
    for browser in opened:
        browser.connection.close()


@pytest.fixture
def to() -> Callable[..., dict[str, Any]]:
    """Make a forward action."""
    return forward
