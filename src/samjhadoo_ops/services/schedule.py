"""Which services start next, by their order, a limit, and what a failure means for the others. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

REGARDLESS = "regardless"
"""The value of `on_failure` where only the order counts, not success."""


class Schedule:
    """The services that are waiting, running and have ended.

    Args:
        after: For each service those that it comes after; unknown names are ignored.
        parallel: How many may run at once.
        on_failure: After a failure `stop` and `rollback` start nothing more, `continue` starts what does not
            come after the failed service, `regardless` everything.

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
        """Whether nothing is running and nothing will start."""
        return not self.running and not self.due()

    def due(self) -> list[str]:
        """Return the services to start now."""
        ready = [name for name in self.waiting if self._ready(name) and not self.barred(name)]
        return ready[: max(0, self._parallel - len(self.running))]

    def start(self, name: str) -> None:
        """Record that a service has started."""
        self.waiting.remove(name)
        self.running.append(name)

    def end(self, name: str, *, well: bool) -> None:
        """Record that a service has ended."""
        self.running.remove(name)
        self.ended[name] = well

    def barred(self, name: str) -> str:
        """Return why a waiting service will not be started; empty if it may be."""
        if self._on_failure == REGARDLESS:
            return ""
        failed = [other for other, well in self.ended.items() if not well]
        if failed and self._on_failure != "continue":
            return f"{failed[0]} did not succeed"
        before = self.before(name)
        cause = next((other for other in failed if other in before), "")
        return f"it comes after {cause}, which did not succeed" if cause else ""

    def before(self, name: str) -> set[str]:
        """Return all services that a service comes after, directly or indirectly."""
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
    """Return the order of some of the services; their order by way of the others is kept."""
    everything = Schedule(after, parallel=1, on_failure=REGARDLESS)
    return {name: everything.before(name) & set(names) for name in after if name in names}


def reversed_order(after: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Return the reverse order."""
    return {
        name: {other for other, before in after.items() if name in before} for name in reversed(list(after))
    }
