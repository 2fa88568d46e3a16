"""Which services are to start next: an order, a limit, and what a failure means for the others. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

REGARDLESS = "regardless"
"""What `on_failure` is where nothing depends upon success, only upon the order."""


class Schedule:
    """The services that wait, run and have ended.

    Args:
        after: Of each service those that it comes after; others than the services are left out.
        parallel: How many may run at once.
        on_failure: `stop` and `rollback` start no other after a failure, `continue` starts those that do not
            come after the failed one, `regardless` all.

    """

    def __init__(self, after: Mapping[str, Collection[str]], *, parallel: int, on_failure: str) -> None:
        self._after = {name: set(others) & after.keys() for name, others in after.items()}
        self._parallel = parallel
        self._on_failure = on_failure
        self.waiting = list(after)
        self.running: list[str] = []
        self.ended: dict[str, bool] = {}

    @property
    def over(self) -> bool:
        """Tell whether nothing runs and nothing will start."""
        return not self.running and not self.due()

    def due(self) -> list[str]:
        """Return the services to start now."""
        ready = [name for name in self.waiting if self._ready(name) and not self.barred(name)]
        return ready[: max(0, self._parallel - len(self.running))]

    def start(self, name: str) -> None:
        """Note that a service has been started."""
        self.waiting.remove(name)
        self.running.append(name)

    def end(self, name: str, *, well: bool) -> None:
        """Note that a service has ended."""
        self.running.remove(name)
        self.ended[name] = well

    def barred(self, name: str) -> str:
        """Return why a waiting service will not be started; empty when it may be."""
        if self._on_failure == REGARDLESS:
            return ""
        failed = [other for other, well in self.ended.items() if not well]
        if failed and self._on_failure != "continue":
            return f"{failed[0]} did not succeed"
        before = self.before(name)
        cause = next((other for other in failed if other in before), "")
        return f"it comes after {cause}, which did not succeed" if cause else ""

    def before(self, name: str) -> set[str]:
        """Return all services that a service comes after, those by way of others too."""
        found: set[str] = set()
        ahead = list(self._after[name])
        while ahead:
            other = ahead.pop()
            if other not in found:
                found.add(other)
                ahead += self._after[other]
        return found

    def _ready(self, name: str) -> bool:
        return self._after[name] <= self.ended.keys()


def among(after: Mapping[str, Collection[str]], names: Collection[str]) -> dict[str, set[str]]:
    """Return the order of some services alone; an order by way of others stays one."""
    everything = Schedule(after, parallel=1, on_failure=REGARDLESS)
    return {name: everything.before(name) & set(names) for name in after if name in names}


def reversed_order(after: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Return the order backwards: what came last goes first."""
    return {
        name: {other for other, before in after.items() if name in before} for name in reversed(list(after))
    }
