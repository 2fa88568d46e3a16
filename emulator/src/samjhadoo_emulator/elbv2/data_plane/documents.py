"""What all parts of Envoy's configuration share."""

from __future__ import annotations

import json
from typing import Any

Document = dict[str, Any]

ACTIVE = "active"
"""The state, in an endpoint's metadata, that routes ask for."""

SUBSET = "envoy.lb"
"""Where Envoy's load balancers look for an endpoint's metadata."""

MOST_HEADERS = 10_000
"""An ALB has no limit of the number of headers; Envoy's default is 100."""
CLUSTERS, ENDPOINTS, LISTENERS, ROUTES = "clusters", "endpoints", "listeners", "routes"
"""Kinds of resources, as Envoy's REST discovery calls them."""

DISCOVERY = "discovery"
"""The cluster that answers Envoy's requests for its configuration."""

SOURCE: Document = {
    "resource_api_version": "V3",
    "api_config_source": {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": [DISCOVERY],
        # Requests are left unanswered until there is an update; the next one follows at once.
        "refresh_delay": "0.001s",
        "request_timeout": "86400s",
    },
}
"""Where Envoy's configuration comes from."""


def typed(name: str, /, **fields: Any) -> Document:
    """Return a message with its type; `name` is what follows `envoy.` (`config.cluster.v3.Cluster`)."""
    return {"@type": f"type.googleapis.com/envoy.{name}", **fields}


def extension(name: str, message: str, /, **fields: Any) -> Document:
    """Return an extension's name and typed configuration."""
    return {"name": name, "typed_config": typed(message, **fields)}


def seconds(value: float) -> str:
    """Return a duration in Envoy's notation."""
    return f"{value:.3f}s"


def encode(version: str, resources: list[Document]) -> bytes:
    """Return a file of resources as Envoy reads it."""
    return json.dumps({"version_info": version, "resources": resources}, separators=(",", ":")).encode()
