"""Runs init hooks as LocalStack does, one after the other: `python -m samjhadoo_ops.stack.hooks FILE…`.

LocalStack executes a Python hook with empty globals, so `__name__` is not `__main__` there. A hook that works
here works there.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path


def main(scripts: list[str]) -> int:
    """Run the hooks; stop at the first that fails, and return 1."""
    for script in scripts:
        try:
            exec(compile(Path(script).read_bytes(), script, "exec"), {})  # noqa: S102 - the project's own
        except Exception as error:  # noqa: BLE001 - whatever a hook raises is printed
            traceback.print_exc()
            why = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"the init hook {script} failed: {why}", file=sys.stderr)  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Destroying the AWS clients would take longer than some of the hooks.
    os._exit(status)
