"""Target groups as Envoy clusters: health checks, load balancing, endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2 import attributes as keys
from samjhadoo_emulator.elbv2.data_plane.documents import (
    ACTIVE,
    MOST_HEADERS,
    SOURCE,
    SUBSET,
    Document,
    seconds,
    typed,
)
from samjhadoo_emulator.elbv2.names import slug

if TYPE_CHECKING:
    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.elbv2.model import Target, TargetGroup

SHORTEST_INTERVAL = 0.05
"""Real seconds between two health checks of a target, however fast the emulated clock runs."""

FIRST_CHECK = 0.1
"""Real seconds within which a new target is checked for the first time."""

CONNECT_TIMEOUT = 10.0
"""Real seconds, as on AWS."""

MOST_RESPONSE_HEADERS = 32
"""KiB of a response's headers [AWS: quotas of application load balancers]."""
IDLE_UPSTREAM = 1.0
"""Real seconds after which an unused connection to a target is closed.

No request is ever retried, so a target that closes an idle connection just when a request is sent on it
would show as a 502. Servers close idle connections after 2 s (gunicorn) to 60 s (Tomcat): being first
leaves no such race.
"""

ALGORITHMS = {
    "round_robin": "ROUND_ROBIN",
    "least_outstanding_requests": "LEAST_REQUEST",
    "weighted_random": "RANDOM",
}


def cluster_name(target_group_arn: str) -> str:
    """Return the cluster of a target group."""
    return slug(target_group_arn)


def statuses(matcher: str) -> list[tuple[int, int]]:
    """Return the ranges of a matcher (`200,202-299`), both ends included."""
    ranges = []
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        ranges.append((int(first), int(last or first)))
    return ranges


def cluster(group: TargetGroup, clock: Clock) -> Document:
    """Return a target group's cluster."""
    return typed(
        "config.cluster.v3.Cluster",
        name=cluster_name(group.arn),
        type="EDS",
        eds_cluster_config={"eds_config": SOURCE},
        connect_timeout=seconds(CONNECT_TIMEOUT),
        health_checks=[health_check(group, clock)],
        ignore_health_on_host_removal=True,
        # Draining targets stay in the cluster, so that their requests in flight can be counted, but
        # outside the subset that routes ask for: not even failing open sends them a new request.
        lb_subset_config={"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["state"]}]},
        # An ALB fails open only when no target is healthy. 1 is the lowest threshold that is not "off";
        # in groups of more than a hundred it already holds with less than one in a hundred healthy.
        common_lb_config={
            "healthy_panic_threshold": {"value": 1},
            # Envoy would by default hold a change of health or state back for up to a second.
            "update_merge_window": "0s",
            # Marks targets whose first check has not been answered, which AWS calls `initial`.
            "ignore_new_hosts_until_first_hc": True,
        },
        typed_extension_protocol_options=_protocol(group),
        **_algorithm(group, clock),
        **_encryption(group),
    )


def health_check(group: TargetGroup, clock: Clock) -> Document:
    """Return a target group's health check: intervals in emulated, the response time-out in real seconds."""
    health = group.health
    interval = seconds(max(SHORTEST_INTERVAL, clock.real(health["HealthCheckIntervalSeconds"])))
    expected = [{"start": first, "end": last + 1} for first, last in statuses(health["Matcher"]["HttpCode"])]
    return {
        "timeout": seconds(health["HealthCheckTimeoutSeconds"]),
        "interval": interval,
        "no_traffic_interval": interval,
        # Spreads the checks of targets that were registered together.
        "initial_jitter": seconds(FIRST_CHECK),
        "healthy_threshold": health["HealthyThresholdCount"],
        "unhealthy_threshold": health["UnhealthyThresholdCount"],
        # "After each health check is completed, the load balancer node closes the connection."
        "reuse_connection": False,
        "http_health_check": {
            "path": health["HealthCheckPath"],
            "expected_statuses": expected,
            # Without this one wrong status would be enough, whatever the threshold.
            "retriable_statuses": [{"start": 100, "end": 600}],
            "request_headers_to_add": [
                {
                    "header": {"key": "user-agent", "value": "ELB-HealthChecker/2.0"},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        },
    }


def assignment(group: TargetGroup, targets: list[Target]) -> Document:
    """Return the endpoints of a target group's cluster."""
    endpoints = [_endpoint(group, target) for target in targets]
    return typed(
        "config.endpoint.v3.ClusterLoadAssignment",
        cluster_name=cluster_name(group.arn),
        endpoints=[{"lb_endpoints": endpoints}],
    )


def health_port(group: TargetGroup, target: Target) -> int:
    """Return the port of a target's health checks."""
    port = group.health["HealthCheckPort"]
    return target.port if port == "traffic-port" else int(port)


def _endpoint(group: TargetGroup, target: Target) -> Document:
    port = health_port(group, target)
    check: Document = {"hostname": f"{target.address}:{port}"}
    if port != target.port:
        check["port_value"] = port
    return {
        "endpoint": {
            "address": {"socket_address": {"address": target.address, "port_value": target.port}},
            "health_check_config": check,
        },
        "health_status": "DRAINING" if target.draining else "UNKNOWN",
        "metadata": {"filter_metadata": {SUBSET: {"state": "draining" if target.draining else ACTIVE}}},
    }


def _protocol(group: TargetGroup) -> Document:
    explicit = "http2_protocol_options" if group.protocol_version == "HTTP2" else "http_protocol_options"
    name = "extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        f"envoy.{name}": typed(
            name,
            common_http_protocol_options={
                "idle_timeout": seconds(IDLE_UPSTREAM),
                "max_headers_count": MOST_HEADERS,
                "max_response_headers_kb": MOST_RESPONSE_HEADERS,
            },
            explicit_http_config={explicit: {}},
        )
    }


def _algorithm(group: TargetGroup, clock: Clock) -> Document:
    policy = ALGORITHMS[group.attributes[keys.ALGORITHM]]
    window = int(group.attributes[keys.SLOW_START])
    if not window:
        return {"lb_policy": policy}
    return {
        "lb_policy": policy,
        "round_robin_lb_config": {"slow_start_config": {"slow_start_window": seconds(clock.real(window))}},
    }


def _encryption(group: TargetGroup) -> Document:
    """Return the transport of HTTPS targets, whose certificates a load balancer does not verify."""
    if group.protocol != "HTTPS":
        return {}
    name = "extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": typed(name)}}
