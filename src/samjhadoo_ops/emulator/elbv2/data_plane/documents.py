"""Words that every part of Envoy's configuration shares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]

ACTIVE = "active"
"""The state, in an endpoint's metadata, that routes ask for."""

SUBSET = "envoy.lb"
"""Where Envoy's load balancers look for an endpoint's metadata."""


def typed(name: str, /, **fields: Any) -> Document:
    """Return a message with its type; `name` is what follows `envoy.` (`config.cluster.v3.Cluster`)."""
    return {"@type": f"type.googleapis.com/envoy.{name}", **fields}


def extension(name: str, message: str, /, **fields: Any) -> Document:
    """Return an extension's name and typed configuration."""
    return {"name": name, "typed_config": typed(message, **fields)}


def source(path: Path) -> Document:
    """Return a configuration source: a file that is replaced by renaming."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def seconds(value: float) -> str:
    """Return a duration in Envoy's notation."""
    return f"{value:.3f}s"


def encode(version: str, resources: list[Document]) -> bytes:
    """Return a file of resources as Envoy reads it."""
    return json.dumps({"version_info": version, "resources": resources}, separators=(",", ":")).encode()
