"""All gates side by side, all findings at once, nothing changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates import GATES
from samjhadoo_ops.deployment.gates.finding import State
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.deployment.gates.finding import Finding
    from samjhadoo_ops.deployment.gates.ground import Ground

_MARKS = {State.OK: "ok", State.REFUSED: "refused", State.SKIPPED: "skipped"}


def inspect(ground: Ground, gates: Mapping[str, Callable[[Ground], Finding]] = GATES) -> dict[str, Finding]:
    """Ask every gate, side by side."""
    with ThreadPoolExecutor(len(gates), thread_name_prefix="gate") as pool:
        asked = {name: pool.submit(check, ground) for name, check in gates.items()}
        return {name: future.result() for name, future in asked.items()}


def lines(findings: Mapping[str, Finding]) -> tuple[str, ...]:
    """Return the findings as a tree, one line each."""
    tree = []
    for name, finding in findings.items():
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        tree.append(f"[{_MARKS[finding.state]}] {name}: {finding.reason}{remedy}")
    return tuple(tree)


def refuse_closed(findings: Mapping[str, Finding]) -> None:
    """Go on only when no gate is closed.

    Raises:
        Refused: Some are; all findings are told.

    """
    closed = [name for name, finding in findings.items() if finding.state is State.REFUSED]
    if closed:
        raise Refused(
            f"refused before anything was changed: {', '.join(closed)}",
            hint=findings[closed[0]].remedy,
            details=lines(findings),
        )
