"""One JSON object per line on stdout, which is what CloudWatch Logs Insights reads without a parser."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime


def event(name: str, *, level: str = "info", **fields: object) -> None:
    """Write an event; its fields must be plain data."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "level": level, "event": name, **fields}, default=str)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
