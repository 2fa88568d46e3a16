"""Who deploys: the account's name or the CI actor, and where the run can be watched."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def this_user(variables: Mapping[str, str] | None = None) -> str:
    """Return who runs this process: the CI actor, or the account's name."""
    variables = os.environ if variables is None else variables
    if variables.get("GITHUB_ACTOR"):
        return variables["GITHUB_ACTOR"]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def run_url(variables: Mapping[str, str] | None = None) -> str:
    """Return the address of the CI run this process belongs to; empty outside CI."""
    variables = os.environ if variables is None else variables
    if not variables.get("GITHUB_RUN_ID"):
        return ""
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{variables.get('GITHUB_REPOSITORY', '')}/actions/runs/{variables['GITHUB_RUN_ID']}"
