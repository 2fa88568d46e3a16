"""Killing deploys takes minutes: `nox -s kills` does it."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("SAMJHADOO_KILLS") else ["test_killed_deployers.py"]
