"""Flyway as an installed one: `python -m samjhadoo_ops.artifacts.launch ARGUMENT…`; fetched when needed.

For tasks of the embedded stack whose image names Flyway's image as its base: the host supplies what the base
would.
"""

from __future__ import annotations

import os
import sys

from samjhadoo_ops.artifacts import flyway_command
from samjhadoo_ops.errors import OpsError


def main() -> None:
    """Become Flyway."""
    try:
        command = flyway_command(lambda text: print(text, file=sys.stderr))  # noqa: T201 - a program of its own
    except OpsError as error:
        sys.exit(f"flyway: {error.message}")
    os.execv(command[0], [*command, *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
