"""The canary against the release that serves beside it: evidence from who gets the errors. No I/O.

When both are equally good, each of K errors fell on the canary with probability w, its share of the traffic.
The evidence is a likelihood ratio of a mixture against that, an e-value: whoever looks at it, however often,
sees it reach 1/alpha with a probability of at most alpha (Ville's inequality).
"""

from __future__ import annotations

import math

from samjhadoo_ops.deployment.verdict.beta import log_beta, log_lower, log_upper

_PRIOR = 1.0


def log_e_value(on_canary: float, total: float, weight: float) -> float:
    """Return the log evidence that the canary gets more than its share of the errors.

    The alternative is every share above the weight alike (a uniform prior, cut off at the weight).

    Args:
        on_canary: Errors on the canary.
        total: Errors on both.
        weight: The canary's nominal share of traffic, from 0 to 1; at 0 and 1 there is nothing to tell.

    """
    if not 0.0 < weight < 1.0 or total <= 0.0:
        return 0.0
    on_canary = min(on_canary, total)
    rest = total - on_canary
    mixture = log_beta(_PRIOR + on_canary, _PRIOR + rest) - log_beta(_PRIOR, _PRIOR)
    above = log_upper(_PRIOR + on_canary, _PRIOR + rest, weight) - log_upper(_PRIOR, _PRIOR, weight)
    return mixture + above - _log_likelihood(on_canary, rest, weight)


def log_share_e_value(on_canary: float, total: float, weight: float) -> float:
    """Return the log evidence that the canary's share of requests is another than the weight, either way."""
    if not 0.0 < weight < 1.0 or total <= 0.0:
        return 0.0
    on_canary = min(on_canary, total)
    rest = total - on_canary
    mixture = log_beta(_PRIOR + on_canary, _PRIOR + rest) - log_beta(_PRIOR, _PRIOR)
    return mixture - _log_likelihood(on_canary, rest, weight)


def at_least(errors: float, total: float, share: float) -> float:
    """Return the probability of so many or more of `total` errors on the canary when its share is `share`."""
    if errors <= 0.0:
        return 1.0
    if errors > total or share <= 0.0:
        return 0.0
    return math.exp(log_lower(errors, total - errors + 1.0, share))


def _log_likelihood(on_canary: float, rest: float, weight: float) -> float:
    return on_canary * math.log(weight) + rest * math.log1p(-weight)
