"""What passes through the listeners, counted by Envoy: requests by target group, status and fate, and the
time that targets took. No I/O here.

Envoy's own counters mix what targets answer with what it answers for them, so an access logger counts
instead: it emits statistics, and nothing is written for a request.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from samjhadoo_emulator.elbv2.data_plane.documents import Document, extension

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = TypeVar("Key")

PREFIX = "samjhadoo"
FILTER = rf"^({PREFIX}\.|cluster\.[^.]+\.upstream_cx_connect_fail$|listener\.[^.]+\.ssl\.connection_error$)"
"""The statistics that a reading is made of."""

_REQUESTS = re.compile(
    rf"{PREFIX}\.requests\.listener\.(?P<listener>[^.]*)\.cluster\.(?P<cluster>[^.]*)"
    r"\.code\.(?P<code>\d+)\.flags\.(?P<flags>[^.]*)"
)
_TIME = re.compile(rf"{PREFIX}\.time\.cluster\.(?P<cluster>[^.]*)")
_CONNECT_FAILURES = re.compile(r"cluster\.(?P<cluster>[^.]+)\.upstream_cx_connect_fail")
_TLS_ERRORS = re.compile(r"listener\.(?P<listener>[^.]+)\.ssl\.connection_error")
_NO_TARGET = frozenset({"UH", "NC", "NR", "UO"})
_OWN_CODES = frozenset({0, 408, 502, 503, 504})
"""Statuses that a load balancer gives when something failed; 0 when the client went away (AWS's 460)."""


@dataclass(frozen=True)
class RequestKind:
    """What requests have in common.

    Attributes:
        listener: The listener's name.
        cluster: The target group's; empty where the listener answered itself.
        code: The status; 0 when the client went away before one.
        flags: Envoy's response flags; empty when all went well.
    """

    listener: str
    cluster: str
    code: int
    flags: frozenset[str]

    @property
    def by_target(self) -> bool:
        """Whether a target gave the status."""
        return bool(self.cluster) and not (self.flags and self.code in _OWN_CODES)

    @property
    def chose_target(self) -> bool:
        """Whether the load balancer was able to choose a target."""
        return bool(self.cluster) and not self.flags & _NO_TARGET


@dataclass(frozen=True)
class TrafficCounts:
    """Counts, since Envoy started or between two readings.

    Attributes:
        times: By target group, how many responses took so many seconds (the middle of narrow buckets).
        connect_failures: Connections to targets that failed, by target group.
        tls_errors: Connections from clients on which no TLS session was established, by listener.
    """

    requests: dict[RequestKind, int] = field(default_factory=dict)
    times: dict[str, dict[float, int]] = field(default_factory=dict)
    connect_failures: dict[str, int] = field(default_factory=dict)
    tls_errors: dict[str, int] = field(default_factory=dict)

    def since(self, before: TrafficCounts) -> TrafficCounts:
        """Return what was added since another reading."""
        times = {
            cluster: _added(found, before.times.get(cluster, {})) for cluster, found in self.times.items()
        }
        return TrafficCounts(
            _added(self.requests, before.requests),
            {cluster: found for cluster, found in times.items() if found},
            _added(self.connect_failures, before.connect_failures),
            _added(self.tls_errors, before.tls_errors),
        )

    def __bool__(self) -> bool:
        return bool(self.requests or self.times or self.connect_failures or self.tls_errors)


def _added(now: Mapping[Key, int], before: Mapping[Key, int]) -> dict[Key, int]:
    # Less than before: Envoy was restarted.
    return {
        key: added
        for key, count in now.items()
        if (added := count - before.get(key, 0) if count >= before.get(key, 0) else count)
    }


def access_loggers(listener: str) -> list[Document]:
    """Return the access logger that counts a listener's requests.

    Args:
        listener: Its name, which has no dots.
    """
    tags = {
        "listener": listener,
        "cluster": "%UPSTREAM_CLUSTER_RAW%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
    }
    requests = {"stat": _stat("requests", tags), "value_fixed": 1}
    # From the last byte of the request to the first of the response, as an ALB takes TargetResponseTime.
    time = {
        "stat": _stat("time", {"cluster": "%UPSTREAM_CLUSTER_RAW%"}),
        "unit": "Microseconds",
        "value_format": "%COMMON_DURATION(US_TX_END:US_RX_BEG:us)%",
    }
    by_target = extension(
        "envoy.access_loggers.extension_filters.cel",
        "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        expression="response.code_details == 'via_upstream'",
    )
    return [
        _logger(counters=[requests]),
        {**_logger(histograms=[time]), "filter": {"extension_filter": by_target}},
    ]


def _logger(**stats: Any) -> Document:
    return extension(
        "envoy.access_loggers.stats",
        "extensions.access_loggers.stats.v3.Config",
        stats_scope={"prefix": PREFIX},
        **stats,
    )


def _stat(name: str, tags: dict[str, str]) -> Document:
    return {"name": name, "tags": [{"name": key, "value_format": value} for key, value in tags.items()]}


def parse(document: str) -> TrafficCounts:
    """Return the reading that Envoy's statistics (JSON, detailed histograms) hold."""
    reading = TrafficCounts()
    for stat in json.loads(document)["stats"]:
        if "histograms" in stat:
            for histogram in stat["histograms"].get("details", []):
                if match := _TIME.fullmatch(histogram["name"]):
                    reading.times[match["cluster"]] = _buckets(histogram["totals"])
        elif match := _REQUESTS.fullmatch(stat["name"]):
            flags = frozenset(match["flags"].split(",")) - {"-", ""}
            kind = RequestKind(match["listener"], match["cluster"], int(match["code"]), flags)
            reading.requests[kind] = stat["value"]
        elif match := _CONNECT_FAILURES.fullmatch(stat["name"]):
            reading.connect_failures[match["cluster"]] = stat["value"]
        elif match := _TLS_ERRORS.fullmatch(stat["name"]):
            reading.tls_errors[match["listener"]] = stat["value"]
    return reading


def _buckets(totals: list[dict[str, float]]) -> dict[float, int]:
    return {
        (bucket["lower_bound"] + bucket["width"] / 2) / 1_000_000: int(bucket["count"]) for bucket in totals
    }
