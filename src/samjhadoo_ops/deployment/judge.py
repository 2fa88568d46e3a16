"""Judges decide whether a new release may go on. Judging from counts is in `verdict`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from samjhadoo_ops.deployment.outcome import Opinion, Phase, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from samjhadoo_ops.deployment.outcome import Observation

_HEALTHY = 200


class Judge(Protocol):
    """Watches a deployment and decides whether it may go on; never blocks."""

    def watch(self, observed: Observation, phase: Phase) -> Verdict:
        """Return the verdict so far; called with every observation, from the first to the last."""

    def close(self) -> None:
        """Stop watching."""


class Probe(Protocol):
    """Requests a health URL once."""

    def __call__(self, url: str) -> str:
        """Return why it isn't healthy; empty when it is."""


class HttpProbe:
    """A health probe by HTTP GET; `timeout` is in real seconds."""

    def __init__(self, timeout: float) -> None:
        import urllib3

        # A fresh connection each time: a kept one would stay with the release that answered first.
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, headers={"connection": "close"})

    def __call__(self, url: str) -> str:
        """See `Probe`."""
        import urllib3

        try:
            answer = self._pool.request("GET", url)
        except urllib3.exceptions.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return "" if answer.status == _HEALTHY else f"HTTP {answer.status}"


class Prober:
    """Probes one address again and again and counts consecutive failures.

    Args:
        pause: Real seconds between two probes.
        note: Called after each probe with why it failed; empty when it succeeded.
    """

    def __init__(
        self,
        url: str,
        *,
        probe: Probe,
        pause: float,
        note: Callable[[str], None] = lambda _why: None,
    ) -> None:
        self.url = url
        self.failures = 0
        self.probes = 0
        self.reason = ""
        self._probe = probe
        self._pause = pause
        self._note = note
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; starting twice is starting once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"probe {self.url}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; a probe under way is not waited for."""
        self._done.set()

    def once(self) -> None:
        """Probe once and count."""
        why = self._probe(self.url)
        self.failures = self.failures + 1 if why else 0
        self.reason = why
        self.probes += 1
        self._note(why)

    def _run(self) -> None:
        while not self._done.is_set():
            self.once()
            self._done.wait(self._pause)


class ProbingJudge:
    """Fails a release after a number of consecutive failed health probes, passes it otherwise.

    Args:
        probers: By the name of the listener they go through; one that fails is enough.
        threshold: Consecutive failures.
        show: Called with how often each prober has failed in a row, when that has changed.
    """

    def __init__(
        self,
        probers: Mapping[str, Prober],
        *,
        threshold: int,
        show: Callable[[Mapping[str, int]], None] = lambda _failures: None,
    ) -> None:
        self._probers = probers
        self._threshold = threshold
        self._show = show
        self._shown: dict[str, int] = {}

    def watch(self, observed: Observation, phase: Phase) -> Verdict:  # noqa: ARG002  # other judges do
        """See `Judge.watch`."""
        if phase not in _WITH_TRAFFIC:
            return Verdict(Opinion.OPEN)
        verdict = Verdict(Opinion.PASS)
        failures = {name: prober.failures for name, prober in self._probers.items() if prober.probes}
        if failures != self._shown:
            self._shown = failures
            self._show(failures)
        for name, prober in self._probers.items():
            prober.start()
            if prober.failures >= self._threshold:
                return Verdict(
                    Opinion.FAIL,
                    f"{prober.failures} consecutive health checks failed through the {name} listener "
                    f"({prober.url}: {prober.reason})",
                )
            if not prober.probes:
                verdict = Verdict(Opinion.OPEN, f"no answer yet from {prober.url}")
        return verdict

    def close(self) -> None:
        """See `Judge.close`."""
        for prober in self._probers.values():
            prober.stop()


class Judges:
    """Several judges as one: the worst opinion counts, and of equal ones the last one's reason."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = judges

    def watch(self, observed: Observation, phase: Phase) -> Verdict:
        """See `Judge.watch`; every judge is called each time."""
        verdicts = [judge.watch(observed, phase) for judge in self._judges]
        return min(reversed(verdicts), key=lambda verdict: _WORST_FIRST.index(verdict.opinion))

    def close(self) -> None:
        """See `Judge.close`."""
        for judge in self._judges:
            judge.close()


class NoJudge:
    """Passes everything: for deployments without a canary."""

    def watch(self, observed: Observation, phase: Phase) -> Verdict:  # noqa: ARG002  # it needs nothing
        """See `Judge.watch`."""
        return Verdict(Opinion.PASS)

    def close(self) -> None:
        """See `Judge.close`."""


_WORST_FIRST = (Opinion.FAIL, Opinion.ENVIRONMENT, Opinion.INCONCLUSIVE, Opinion.OPEN, Opinion.PASS)
_WITH_TRAFFIC = frozenset({Phase.CANARY, Phase.BEFORE_FULL, Phase.BAKING})
