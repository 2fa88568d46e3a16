"""The judge of a canary: counts each minute in the background, assesses, and acts by the policies.

A judge may only end a deployment or let it pass its gate. That metrics cannot be read is no evidence of
anything: it is reported, and the policies for inconclusive canaries decide.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

from samjhadoo_ops.deployment.outcome import FULL_WEIGHT, Opinion, Phase, Verdict
from samjhadoo_ops.deployment.verdict.assessment import assess
from samjhadoo_ops.deployment.verdict.counts import MINUTE, Ledger, OwnTraffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.outcome import Observation
    from samjhadoo_ops.deployment.verdict.assessment import Thresholds
    from samjhadoo_ops.deployment.verdict.counts import Minute, Reading

SHORTEST_PAUSE = 0.2
"""Real seconds between two readings at least, however fast the clock runs."""
READ_AGAIN = 10 * MINUTE
"""Counts older than this are not read again."""
_JUDGED = frozenset({Phase.CANARY, Phase.BEFORE_FULL, Phase.BAKING})


class Source(Protocol):
    """Where counts come from."""

    def read(self, start: float, end: float) -> Mapping[float, Reading]:
        """Return what was counted between two whole minutes, by the beginning of each."""


class Sender(Protocol):
    """Sends synthetic requests."""

    def start(self) -> None:
        """Begin; starting twice is starting once."""

    def stop(self) -> None:
        """End."""


@dataclass(frozen=True)
class CanaryRules:
    """What a canary is judged by and what happens when it is inconclusive; seconds on the clock.

    Attributes:
        canary_time: How long the canary is observed.
        policies: Of `extend`, `synthetic`, `ask`, `rollback`, `continue`.
        extend: How much longer it may be observed.
        to_send: How many synthetic requests are sent.
        margin: How long before the gate rolls back by itself the judge acts.
    """

    thresholds: Thresholds
    canary_time: float
    policies: Sequence[str]
    extend: float
    to_send: int
    margin: float


class NextStep(Enum):
    """What to do next."""

    WAIT = auto()
    SEND = auto()
    ASK = auto()
    ROLLBACK = auto()
    CONTINUE = auto()


_LAST = {"ask": NextStep.ASK, "rollback": NextStep.ROLLBACK, "continue": NextStep.CONTINUE}
_BY_POLICY = {
    NextStep.CONTINUE: (Opinion.PASS, "by policy it continues"),
    NextStep.ROLLBACK: (Opinion.FAIL, "by policy it is rolled back"),
}


@dataclass(frozen=True)
class Situation:
    """How far a canary is; seconds on the clock.

    Attributes:
        elapsed: Since it got traffic.
        observed: How long it is to be observed, until its last counts have come.
        extend: How much longer it may be.
        left: Until the gate rolls back by itself; None while the gate isn't open.
        margin: How much of `left` is needed to act.
        sent: How many synthetic requests were sent.
        to_send: How many are to be sent.
    """

    elapsed: float
    observed: float
    extend: float
    left: float | None
    margin: float
    sent: int
    to_send: int

    @property
    def late(self) -> bool:
        """Return whether the gate is about to roll back by itself."""
        return self.left is not None and self.left <= self.margin


def next_step(policies: Sequence[str], situation: Situation) -> NextStep:
    """Return what to do when the counts allow no verdict: the policies of the settings, in their order."""
    deadline = situation.observed
    if situation.elapsed < deadline:
        return NextStep.WAIT
    for policy in policies:
        if policy in _LAST:
            return _LAST[policy]
        if situation.late:
            continue
        if policy == "extend":
            deadline += situation.extend
            if situation.elapsed < deadline:
                return NextStep.WAIT
        elif policy == "synthetic" and situation.sent < situation.to_send:
            return NextStep.SEND
    return NextStep.ASK


class CanaryJudge:
    """Judges one deployment by its metrics.

    Args:
        source: Returns where to read the counts once the deployment is known; None: there is nothing to read.
        since: When the canary got traffic, on the clock, where an earlier run has seen it.
        report: Called with every new verdict.
        record: Called with the minutes at the end.
        show: Called with what was counted and the verdict so far, whenever there is more.
    """

    def __init__(
        self,
        source: Callable[[Observation], Source | None],
        *,
        clock: Clock,
        rules: CanaryRules,
        own: OwnTraffic | None = None,
        sender: Sender | None = None,
        since: float | None = None,
        report: Callable[[str, str, dict[str, Any]], None] = lambda _event, _text, _data: None,
        record: Callable[[Sequence[Minute], Verdict], None] = lambda _minutes, _verdict: None,
        show: Callable[[Sequence[Minute], Verdict], None] = lambda _minutes, _verdict: None,
    ) -> None:
        self.blind = ""
        self.minutes: tuple[Minute, ...] = ()
        self._find = source
        self._clock = clock
        self._rules = rules
        self._own = own or OwnTraffic()
        self._sender = sender
        self._since = since
        self._report = report
        self._record = record
        self._show = show
        self._ledger: Ledger | None = None
        self._source: Source | None = None
        self._observed: Observation | None = None
        self._assessed = Verdict(Opinion.INCONCLUSIVE, "nothing was counted yet")
        self._stage = ""
        self._reported: tuple[object, ...] = ()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, observed: Observation, phase: Phase) -> Verdict:
        """See `Judge.watch`."""
        weight = observed.production_weight or 0.0
        if phase not in _JUDGED or not weight:
            return Verdict(Opinion.OPEN)
        now = self._clock.timestamp()
        self._observed = observed
        if self._ledger is None:
            self._since = now if self._since is None else self._since
            self._ledger = Ledger(self._since, weight, self._own)
            self._thread = threading.Thread(target=self._run, name="canary verdict", daemon=True)
            self._thread.start()
        self._ledger.shift(now, weight)
        self._stage = ""
        assessed = self._assessed
        verdict = self._decide(assessed, observed, now)
        self._announce(assessed, verdict, baking=weight >= FULL_WEIGHT)
        return verdict

    def close(self) -> None:
        """See `Judge.close`; records the minutes."""
        self._done.set()
        if self._sender:
            self._sender.stop()
        if self._ledger is not None:
            self._record(self.minutes, self._assessed)

    def update(self) -> None:
        """Read the counts once and assess them."""
        assert self._ledger is not None  # noqa: S101  # the thread starts with the first traffic
        assert self._observed is not None  # noqa: S101
        if self._source is None:
            self._source = self._find(self._observed)
            if self._source is None:
                self.blind = "the deployment has no known load balancer"
                return
        now = self._clock.timestamp()
        end = math.floor(now / MINUTE) * MINUTE
        known = self.minutes[-1].at + MINUTE - READ_AGAIN if self.minutes else self._ledger.begins
        start = max(self._ledger.begins, known)
        if end <= start:
            return
        self._ledger.take(self._source.read(start, end))
        self.blind = ""
        before = self.minutes
        self.minutes = self._ledger.minutes(now - self._rules.thresholds.provisional)
        self._assessed = assess(self.minutes, self._rules.thresholds)
        if self.minutes != before:
            self._show(self.minutes, self._assessed)

    def _run(self) -> None:
        while not self._done.is_set():
            began = self._clock.read()
            try:
                self.update()
            except Exception as error:  # noqa: BLE001  # missing metrics are no evidence, whatever the reason
                self.blind = f"{type(error).__name__}: {error}"
            took = self._clock.read() - began
            self._done.wait(max(SHORTEST_PAUSE, self._clock.real(MINUTE) - took))

    def _decide(self, assessed: Verdict, observed: Observation, now: float) -> Verdict:
        if assessed.opinion is Opinion.FAIL:
            return assessed
        if (observed.production_weight or 0.0) >= FULL_WEIGHT:
            known = assessed.opinion in {Opinion.ENVIRONMENT, Opinion.PASS}
            return assessed if known else assessed.decided(Opinion.PASS)
        situation = self._situation(observed, now)
        if assessed.opinion is Opinion.ENVIRONMENT:
            if not situation.late:
                return assessed
            reason = (
                f"waiting until the pause ends, because the release may not be the cause: {assessed.reason}"
            )
            return assessed.decided(Opinion.FAIL, reason)
        if assessed.opinion is Opinion.PASS:
            return assessed
        return self._inconclusive(assessed, situation)

    def _inconclusive(self, assessed: Verdict, situation: Situation) -> Verdict:
        step = next_step(self._rules.policies, situation)
        reason = f"inconclusive: {assessed.reason}"
        if self.blind:
            reason += f" (metrics could not be read: {self.blind})"
        if step is NextStep.SEND and self._sender:
            self._sender.start()
            self._stage = f"sending {situation.to_send} requests through the test listener"
        if step in _BY_POLICY:
            opinion, self._stage = _BY_POLICY[step]
            return assessed.decided(opinion, f"{reason}; {self._stage}")
        if step is NextStep.ASK:
            return assessed.decided(Opinion.INCONCLUSIVE, reason)
        if step is NextStep.WAIT and situation.elapsed >= situation.observed:
            self._stage = f"observing it for up to {self._clock.words(situation.extend)} more"
        return assessed.decided(Opinion.OPEN, f"{reason}; {self._stage}" if self._stage else reason)

    def _situation(self, observed: Observation, now: float) -> Situation:
        rules, since = self._rules, self._since if self._since is not None else now
        expiries = [hook.expires_at.timestamp() for hook in observed.waiting_hooks if hook.expires_at]
        return Situation(
            elapsed=now - since,
            # Two minutes begin and end within the first and the last one that are counted.
            observed=rules.canary_time + rules.thresholds.provisional + 2 * MINUTE,
            extend=rules.extend,
            left=min(expiries) - now if expiries else None,
            margin=rules.margin,
            sent=sum(minute.synthetic.requests for minute in self.minutes) if self._sender else rules.to_send,
            to_send=rules.to_send,
        )

    def _announce(self, assessed: Verdict, verdict: Verdict, *, baking: bool) -> None:
        """Report a verdict when its opinion, or what it is about, has changed."""
        quiet = verdict.opinion is Opinion.PASS if baking else verdict.opinion is Opinion.OPEN
        key = (verdict.opinion, self._stage or verdict.signal)
        if (quiet and not self._stage) or key == self._reported:
            return
        self._reported = key
        reason = verdict.reason.removeprefix("inconclusive: ")
        self._report("verdict", f"verdict {assessed.opinion.name}: {reason}", assessed.numbers())
