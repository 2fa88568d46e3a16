"""A simulation of IAM: `@cloud-copilot/iam-simulate`, run as a program of its own.

`nox` installs it with npm and names its folder in NODE_PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iam_requests import Account, Request

SCRIPT = Path(__file__).with_name("iam_simulate.cjs")
ALLOWED, DENIED = "Allowed", "ImplicitlyDenied"


def decisions(policies: Sequence[Any], requests: Iterable[Request], account: Account) -> list[str]:
    """Return IAM's decision on each request of a role of the account that has these policies.

    Without Node.js and the simulation, the test is skipped; in CI it fails.
    """
    document = {
        "policies": list(policies),
        "requests": [
            {
                "principal": f"arn:aws:iam::{account.number}:role/deployer",
                "account": account.number,
                "action": request.action,
                "resource": request.resource,
                "context": {"aws:RequestedRegion": account.region, **request.context},
            }
            for request in requests
        ],
    }
    done = subprocess.run(
        [_node(), str(SCRIPT)], input=json.dumps(document), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results: list[str] = json.loads(done.stdout)
    return results


def _node() -> str:
    node = shutil.which("node")
    folders = os.environ.get("NODE_PATH", "").split(os.pathsep)
    if node is not None and any(Path(folder, "@cloud-copilot/iam-simulate").is_dir() for folder in folders):
        return node
    missing = "node and @cloud-copilot/iam-simulate are not installed: nox gets it where there is npm"
    if os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
