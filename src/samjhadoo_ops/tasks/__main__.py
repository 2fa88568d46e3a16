"""Run the tasks without a `tasks.py` in the project: `python -m samjhadoo_ops.tasks TASK …`."""

from __future__ import annotations

from invoke.program import Program

from samjhadoo_ops.tasks import ns

if __name__ == "__main__":
    Program(namespace=ns, name="samjhadoo_ops.tasks", binary="python -m samjhadoo_ops.tasks").run()
