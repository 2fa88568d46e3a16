"""The verdict on a deployment's minutes: a pure function of counts and thresholds.

FAIL: the canary gets more than its share of the errors, or too many while the baseline does not; or
the plan's own rule is broken (more than 5 % for 5 minutes). ENVIRONMENT: both are bad, or traffic is not
shared as the weights specify. PASS: the canary was accepted. INCONCLUSIVE: there were too few requests.

A disturbance that is over (ENVIRONMENT) does not count against the release for ever: what came after it is
judged alone. Evidence of FAIL is never dropped.

Only errors have to be accepted. Latency and payments only must not be rejected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count, takewhile
from typing import TYPE_CHECKING

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.outcome import Opinion, Verdict
from samjhadoo_ops.deployment.verdict.counts import MINUTE, total
from samjhadoo_ops.deployment.verdict.evidence import (
    Sprt,
    at_least,
    examine,
    log_e_value,
    log_share_e_value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.deployment.verdict.counts import Minute
    from samjhadoo_ops.environment import Environment

SHARE_ALPHA = 0.001
"""Probability of calling a healthy split of the traffic wrong."""
EQUALLY_BAD = 0.05
"""The baseline counts as just as bad when, with errors shared like the requests, the canary
would get as many of them with at least this probability."""
_HARMLESS = frozenset({Opinion.PASS, Opinion.INCONCLUSIVE})
_WORDS = {
    "errors": "requests failed",
    "latency": "requests were slow",
    "payments": "payment outcomes failed",
    "no answer": "requests got no answer",
}


@dataclass(frozen=True)
class Thresholds:
    """What the tests compare with.

    Attributes:
        errors: The test on failed requests.
        slow_above: Seconds above which a request is slow.
        payments: The test on payment outcomes; None where none are counted.
        weight: The canary's nominal share of traffic, from 0 to 1.
        alpha: Probability of a false alarm of each relative test.
        literal_rate: The plan's own rule (6.1): a release goes back when more than this fraction fails …
        literal_minutes: … over this many minutes …
        literal_requests: … with at least this many requests in them.
        minimum: Requests at the canary below which there is no pass.
        provisional: Seconds in which counts may still change.
        minutes: What people call the clock's minutes.
    """

    errors: Sprt
    slow: Sprt
    slow_above: float
    payments: Sprt | None
    weight: float
    alpha: float
    literal_rate: float
    literal_minutes: int
    literal_requests: int
    minimum: int
    provisional: float
    minutes: str = "min"


def thresholds_of(env: Environment) -> Thresholds:
    """Return an environment's thresholds: the SLO's promise (plan 5.2) and the rollback line (plan 6.1)."""
    canary, slo, rollback = env.canary, env.slo, env.rollback
    share = {"alpha": canary.false_alarm, "beta": canary.miss}
    paid = canary.payments
    return Thresholds(
        errors=Sprt(slo.error_rate_percent / 100, _below_one(rollback.error_rate_percent), **share),
        slow=Sprt((100 - slo.latency_percentile) / 100, _below_one(canary.slow_percent), **share),
        slow_above=float(slo.latency),
        payments=Sprt(paid.expected_percent / 100, _below_one(paid.failed_percent), **share)
        if paid
        else None,
        weight=env.deployment.canary_percent / 100,
        alpha=canary.false_alarm,
        literal_rate=rollback.error_rate_percent / 100,
        literal_minutes=max(1, round(rollback.error_rate_time / MINUTE)),
        literal_requests=canary.window_requests,
        minimum=canary.minimum_requests,
        provisional=float(canary.provisional),
        minutes=Clock(minute=env.clock.minute).minutes,
    )


def _below_one(percent: float) -> float:
    return min(percent / 100, 0.999)


@dataclass(frozen=True)
class Signal:
    """Something that is counted, with the test on it."""

    name: str
    sprt: Sprt


def signals(thresholds: Thresholds) -> tuple[Signal, ...]:
    """Return what is tested against a promise."""
    found = [Signal("errors", thresholds.errors), Signal("latency", thresholds.slow)]
    if thresholds.payments:
        found.append(Signal("payments", thresholds.payments))
    return tuple(found)


def assess(minutes: Sequence[Minute], thresholds: Thresholds) -> Verdict:
    """Return the verdict on minutes, in their order, without a gap."""
    verdict = _judged(minutes, thresholds)
    if verdict.opinion is not Opinion.ENVIRONMENT:
        return verdict
    for length in _windows(len(minutes), shortest=thresholds.literal_minutes):
        recent = minutes[-length:]
        again = _judged(recent, thresholds)
        if again.opinion in _HARMLESS and _is_over(verdict.signal, recent, thresholds):
            whole = _accepted(minutes, thresholds)
            return whole if whole.opinion is Opinion.PASS else again
    return verdict


def _windows(minutes: int, *, shortest: int) -> list[int]:
    """Return the lengths of the windows that may be judged alone, the longest first."""
    doublings = takewhile(lambda length: length < minutes, (shortest * 2**n for n in count()))
    return sorted(doublings, reverse=True)


def _is_over(signal: str, recent: Sequence[Minute], thresholds: Thresholds) -> bool:
    """Return whether what disturbed both releases has ended: accepted by its test, not merely unproven."""
    shared = [minute for minute in recent if minute.shared]
    if signal == "share":
        on_canary = sum(minute.canary.requests for minute in shared)
        requests = on_canary + sum(minute.baseline.requests for minute in shared)
        return requests > 0 and log_share_e_value(on_canary, requests, thresholds.weight) < 0.0
    sprts = {each.name: each.sprt for each in signals(thresholds)}
    name = signal if signal in sprts else "errors"
    batches = []
    for minute in shared:
        sample, bad = total((minute.canary, minute.baseline), name)
        lost = minute.lost if name == "errors" else 0
        batches.append((sample + lost, bad + lost))
    return examine(sprts[name], batches).accepted


def _judged(minutes: Sequence[Minute], thresholds: Thresholds) -> Verdict:
    """Return the verdict on minutes by all of them alike."""
    mismatch = share_mismatch(minutes, thresholds)
    found = [each for signal in signals(thresholds) for each in _absolute(minutes, signal, thresholds)]
    found += _literal(minutes, thresholds)
    found += [] if mismatch else _relative(minutes, thresholds)
    found += _synthetic(minutes, thresholds)
    found += [mismatch] if mismatch else []
    found += _lost(minutes, thresholds)
    for opinion in (Opinion.FAIL, Opinion.ENVIRONMENT):
        for verdict in found:
            if verdict.opinion is opinion:
                return verdict
    return _accepted(minutes, thresholds)


def _relative(minutes: Sequence[Minute], thresholds: Thresholds) -> list[Verdict]:
    """Return the failures of which the canary gets more than its share."""
    shared = [minute for minute in minutes if minute.shared]
    tested = {signal.name: signal.sprt.p1 for signal in signals(thresholds)}
    found = []
    for name in (*tested, "no answer"):
        sample, bad = total((minute.canary for minute in shared), name)
        _, beside = total((minute.baseline for minute in shared), name)
        evidence = log_e_value(bad, bad + beside, thresholds.weight)
        if evidence >= -math.log(thresholds.alpha):
            words = f", {bad} of all {bad + beside} on {100 * thresholds.weight:g} % of the traffic"
            limit = tested.get(name, thresholds.errors.p1)
            found.append(
                _verdict(
                    Opinion.FAIL, name, shared, (sample, bad), limit, words=words, unit=thresholds.minutes
                )
            )
    return found


def _absolute(minutes: Sequence[Minute], signal: Signal, thresholds: Thresholds) -> list[Verdict]:
    """Return where the new release breaks its promise by more than chance, the bake included."""
    batches = [_with_lost(minute, signal.name) for minute in minutes]
    alarms = examine(signal.sprt, batches).alarms
    if not alarms:
        return []
    beside = total((minute.baseline for minute in minutes if minute.shared), signal.name)
    guilty = [alarm for alarm in alarms if not equally_bad(alarm, beside)]
    opinion = Opinion.FAIL if guilty else Opinion.ENVIRONMENT
    requests, bad = max(guilty or alarms, key=lambda alarm: alarm[1] / alarm[0])
    words = "" if guilty else ", and the baseline is just as bad"
    seen = (round(requests), round(bad))
    return [
        _verdict(
            opinion,
            signal.name,
            minutes,
            seen,
            signal.sprt.p1,
            words=words,
            unit=thresholds.minutes,
            promised=signal.sprt.p0,
        )
    ]


def equally_bad(canary: tuple[float, float], beside: tuple[float, float]) -> bool:
    """Return whether the canary's bad requests could as well be those of the baseline."""
    requests, bad = canary
    if beside[1] <= 0:
        return False
    return at_least(bad, bad + beside[1], requests / (requests + beside[0])) > EQUALLY_BAD


def _with_lost(minute: Minute, name: str) -> tuple[int, int]:
    sample, bad = minute.canary.of(name)
    if name == "errors" and not minute.shared and sample:
        # With all traffic on one release what the load balancer answers with 5xx is that release's, too.
        bad += max(0, minute.lost - minute.canary.refused)
        return max(sample, bad), bad
    return sample, bad


def _synthetic(minutes: Sequence[Minute], thresholds: Thresholds) -> list[Verdict]:
    batches = [minute.synthetic.of("errors") for minute in minutes]
    alarms = examine(thresholds.errors, batches).alarms
    if not alarms:
        return []
    seen = max(((round(of), round(bad)) for of, bad in alarms), key=lambda alarm: alarm[1] / alarm[0])
    sent = ", all synthetic"
    return [
        _verdict(
            Opinion.FAIL, "errors", minutes, seen, thresholds.errors.p1, words=sent, unit=thresholds.minutes
        )
    ]


def _literal(minutes: Sequence[Minute], thresholds: Thresholds) -> list[Verdict]:
    """Return the window in which the plan's rule (6.1) is broken: noisy at few requests, hence the minimum.

    Its power and its false alarms depend on the traffic: at 6 canary requests a minute it finds 5 % in nine
    of ten canaries, and rejects one in six that has 1 % errors, like its baseline.
    """
    for end in range(thresholds.literal_minutes, len(minutes) + 1):
        window = minutes[end - thresholds.literal_minutes : end]
        requests, bad = total((minute.canary for minute in window), "errors")
        if requests < thresholds.literal_requests or bad <= thresholds.literal_rate * requests:
            continue
        other, beside = total((minute.baseline for minute in window), "errors")
        as_bad = other >= thresholds.literal_requests and beside > thresholds.literal_rate * other
        opinion = Opinion.ENVIRONMENT if as_bad else Opinion.FAIL
        words = ", and the baseline is just as bad" if as_bad else " (plan 6.1)"
        return [
            _verdict(
                opinion,
                "errors",
                window,
                (requests, bad),
                thresholds.literal_rate,
                words=words,
                unit=thresholds.minutes,
            )
        ]
    return []


def share_mismatch(minutes: Sequence[Minute], thresholds: Thresholds) -> Verdict | None:
    """Return the verdict that traffic is not split by the weights, if it is not.

    Stickiness, a rule edited by hand and a dead target group look like this. So does a batch that comes
    late; therefore no single minute may decide.
    """
    pairs = [
        (minute.canary.requests, minute.canary.requests + minute.baseline.requests)
        for minute in minutes
        if minute.shared and minute.settled
    ]
    on_canary, requests = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
    boundary = -math.log(SHARE_ALPHA)
    weight = thresholds.weight
    if log_share_e_value(on_canary, requests, weight) < boundary or not all(
        log_share_e_value(on_canary - some, requests - of, weight) >= boundary for some, of in pairs
    ):
        return None
    measured = on_canary / requests
    return Verdict(
        Opinion.ENVIRONMENT,
        f"the canary got {100 * measured:.1f} % of {requests} requests in {len(pairs)} {thresholds.minutes}, "
        f"but its weight is {100 * weight:g} %: stickiness, a rule edited by hand, or a dead target group?",
        signal="share",
        observed=measured,
        threshold=weight,
        window=len(pairs) * MINUTE,
        sample=requests,
    )


def _lost(minutes: Sequence[Minute], thresholds: Thresholds) -> list[Verdict]:
    """Return the verdict that the load balancer itself fails, if it does."""
    shared = [minute for minute in minutes if minute.shared]
    batches = [
        (minute.canary.requests + minute.baseline.requests + minute.lost, minute.lost) for minute in shared
    ]
    if not examine(thresholds.errors, batches).rejected:
        return []
    requests, lost = (sum(column) for column in zip(*batches, strict=True))
    return [
        Verdict(
            Opinion.ENVIRONMENT,
            f"the load balancer itself answered {lost} of {requests} requests with 5xx in "
            f"{len(shared)} {thresholds.minutes}; CloudWatch does not split them by release",
            signal="load balancer",
            observed=lost / requests,
            threshold=thresholds.errors.p1,
            window=len(shared) * MINUTE,
            sample=requests,
        )
    ]


def _accepted(minutes: Sequence[Minute], thresholds: Thresholds) -> Verdict:
    sprt = thresholds.errors
    seen = total((minute.canary for minute in minutes), "errors")
    if seen[0] >= thresholds.minimum and examine(sprt, [m.canary.of("errors") for m in minutes]).accepted:
        words = f", nearer to the objective of {100 * sprt.p0:g} % than to it"
        return _verdict(Opinion.PASS, "errors", minutes, seen, sprt.p1, words=words, unit=thresholds.minutes)
    sent = total((minute.synthetic for minute in minutes), "errors")
    if examine(sprt, [minute.synthetic.of("errors") for minute in minutes]).accepted:
        words = f", all synthetic; {seen[0]} others"
        return _verdict(Opinion.PASS, "errors", minutes, sent, sprt.p1, words=words, unit=thresholds.minutes)
    needed = max(thresholds.minimum, sprt.clean_to_pass)
    words = f"; {needed} without an error would pass"
    return _verdict(
        Opinion.INCONCLUSIVE, "errors", minutes, seen, sprt.p1, words=words, unit=thresholds.minutes
    )


def _verdict(
    opinion: Opinion,
    name: str,
    minutes: Sequence[Minute],
    seen: tuple[int, int],
    threshold: float,
    *,
    words: str,
    unit: str,
    promised: float | None = None,
) -> Verdict:
    """Return a verdict with its sentence: metric, value, threshold, window, sample size, baseline."""
    sample, bad = seen
    rate = bad / sample if sample else None
    other, beside = total((minute.baseline for minute in minutes if minute.shared), name)
    share = f"{100 * rate:.1f} % of " if rate is not None else ""
    limits = f"limit {100 * threshold:g} %"
    limits += f", objective {100 * promised:g} %" if promised is not None else ""
    compared = f"; baseline {beside} of {other}" if other else ""
    return Verdict(
        opinion,
        f"{name}: {share}{sample} canary {_WORDS[name]} ({bad}) in {len(minutes)} {unit}, "
        f"{limits}{words}{compared}",
        signal=name,
        observed=rate,
        threshold=threshold,
        window=len(minutes) * MINUTE,
        sample=sample,
        baseline=beside / other if other else None,
    )
