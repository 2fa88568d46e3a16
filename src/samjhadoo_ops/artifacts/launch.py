"""Runs Flyway, fetched when needed: `python -m samjhadoo_ops.artifacts.launch ARGUMENT…`.

Tasks of the embedded stack use it if their image is based on Flyway's: it does what the base image would.
"""

from __future__ import annotations

import os
import sys

from samjhadoo_ops.artifacts import flyway_command
from samjhadoo_ops.errors import OpsError


def main() -> None:
    """Replace this process by Flyway."""
    try:
        command = flyway_command(lambda text: print(text, file=sys.stderr))  # noqa: T201 - a program of its own
    except OpsError as error:
        sys.exit(f"flyway: {error.message}")
    os.execv(command[0], [*command, *sys.argv[1:]])  # noqa: S606 - no shell needed


if __name__ == "__main__":
    main()
