"""Settings from `environments/base.toml`, the environment's own file and variables, strictly validated."""

from __future__ import annotations

from samjhadoo_ops.environment.duration import Duration
from samjhadoo_ops.environment.loading import Environment, environment_names, find_root, load_environment
from samjhadoo_ops.environment.secret import Secret, SecretRef
from samjhadoo_ops.environment.window import Window

__all__ = [
    "Duration",
    "Environment",
    "Secret",
    "SecretRef",
    "Window",
    "environment_names",
    "find_root",
    "load_environment",
]
