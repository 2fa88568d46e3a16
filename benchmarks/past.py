"""What a long past costs a rollback and a history: requests to S3 and ECS, and seconds, on a live S3.

The journal has what deploys write, one deploy every three hours; ECS's answers are counted, not served.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from harness.figures import row
from harness.running import emulator

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "deployment"))
from past_deployments import past_of

from samjhadoo_ops.deployment.candidates import choose, successes
from samjhadoo_ops.deployment.objects import S3Objects
from samjhadoo_ops.deployment.rollback import unsupported
from samjhadoo_ops.deployment.status import rows

BUCKET = "journal"
SHOWN = 10


def measure(s3: Any, count: int) -> tuple[int, float]:
    """Return the requests and seconds until a rollback has picked its release; print the history's."""
    s3.create_bucket(
        Bucket=f"{BUCKET}-{count}", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    journal, ecs, client = past_of(S3Objects(s3, f"{BUCKET}-{count}"), count=count, apart=timedelta(hours=3))
    sent: list[str] = []
    s3.meta.events.register("before-send", lambda request, **_: sent.append(request.url), unique_id="count")
    began = time.perf_counter()
    past = journal.past()
    past.unfinished()
    target = choose(successes(ecs, past), past, current=ecs.serving())
    unsupported(past, target.task_definition)
    took, requests = time.perf_counter() - began, len(sent) + client.requests
    sent.clear()
    rows(journal.entries(limit=SHOWN))
    s3.meta.events.unregister("before-send", unique_id="count")
    row(f"rollback picks its release of {count} deployments", requests, "requests", "<= 20", digits=0)
    row("  in", took, "s", digits=2)
    row(f"history of {SHOWN} of {count} deployments", len(sent), "requests", digits=0)
    return requests, took


def main() -> None:
    """Measure and print."""
    with emulator("--runtime", "noop") as running:
        s3 = running.client("s3")
        few, many = (measure(s3, count)[0] for count in (20, 200))
    row("requests for 200 deployments, of those for 20", many / few, "times", "1", digits=2)


if __name__ == "__main__":
    main()
