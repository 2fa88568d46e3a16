"""What must hold before anything is changed: read-only gates, one module for each theme."""

from __future__ import annotations

# Importing a theme registers its gates; the order of the imports is the order in which they are shown.
from samjhadoo_ops.deployment.gates import (  # isort: skip
    access,
    adoption,
    service,
    traffic,
    release,
    capacity,
    migrations,
)
from samjhadoo_ops.deployment.gates.gate import GATES

__all__ = ["GATES", "access", "adoption", "capacity", "migrations", "release", "service", "traffic"]
