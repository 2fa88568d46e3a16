"""The regularized incomplete beta function in logarithms, from `math` alone. No I/O.

By the continued fraction of the NIST Digital Library of Mathematical Functions, 8.17.22, evaluated with
Lentz's method; logarithms throughout, as evidence against thousands of requests underflows a float.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_PRECISION = 1e-14
_MOST_STEPS = 10_000


def log_beta(a: float, b: float) -> float:
    """Return log B(a, b)."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def log_lower(a: float, b: float, x: float) -> float:
    """Return log I_x(a, b), the probability that a Beta(a, b) variable is at most x.

    Args:
        a: Above 0.
        b: Above 0.
        x: From 0 to 1.

    """
    if x <= 0.0:
        return -math.inf
    if x >= 1.0:
        return 0.0
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges quickly on the other side only
        return _log_complement(_log_fraction(b, a, 1.0 - x))
    return _log_fraction(a, b, x)


def log_upper(a: float, b: float, x: float) -> float:
    """Return log(1 - I_x(a, b)), the probability that a Beta(a, b) variable is above x."""
    return log_lower(b, a, 1.0 - x)


def _log_complement(log_p: float) -> float:
    return math.log(-math.expm1(log_p)) if log_p < 0.0 else -math.inf


def _log_fraction(a: float, b: float, x: float) -> float:
    front = a * math.log(x) + b * math.log1p(-x) - log_beta(a, b) - math.log(a)
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return front + math.log(value)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
