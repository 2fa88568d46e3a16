"""Simulated minutes of a deployment."""

from __future__ import annotations

import random
from itertools import accumulate, chain

from samjhadoo_ops.deployment.verdict import Thresholds, thresholds_of
from samjhadoo_ops.deployment.verdict.counts import Counts, Minute
from samjhadoo_ops.environment import load_environment


def plan(**variables: str) -> Thresholds:
    """Return production's thresholds; the local ones if variables change them, as they may not there."""
    return thresholds_of(load_environment("local" if variables else "production", variables=variables))


def minutes(*canary: Counts | tuple[int, int], baseline: Counts | tuple[int, int] = (0, 0)) -> list[Minute]:
    """Return minutes of a canary at 10 %; a pair is (requests, errors)."""
    return [
        Minute(at=60.0 * number, weight=10.0, settled=True, canary=counts(each), baseline=counts(baseline))
        for number, each in enumerate(canary)
    ]


def bake(*after: Counts | tuple[int, int], lost: int = 0) -> list[Minute]:
    """Return minutes with all traffic on the new release."""
    return [
        Minute(at=6000 + 60.0 * number, weight=100.0, settled=True, canary=counts(each), lost=lost)
        for number, each in enumerate(after)
    ]


def counts(given: Counts | tuple[int, int]) -> Counts:
    return given if isinstance(given, Counts) else Counts(requests=given[0], errors=given[1])


class Chance:
    """Quick binomial draws: by inversion, without a loop over requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._tables: dict[tuple[int, float], list[float]] = {}

    def binomial(self, n: int, p: float) -> int:
        table = self._tables.get((n, p))
        if table is None:
            table = self._tables[n, p] = list(accumulate(chain([(1 - p) ** n], _ratios(n, p))))
        drawn = self._random.random()
        return next((k for k, reached in enumerate(table) if drawn < reached), len(table) - 1)

    def canary(
        self, base: float, new: float, rps: float, *, looks: int = 15, weight: float = 0.1
    ) -> list[Minute]:
        """Return a canary's minutes at a traffic, with the true error rates of both releases."""
        made = []
        for number in range(looks):
            requests = round(60 * rps)
            on_canary = self.binomial(requests, weight)
            made.append(
                Minute(
                    at=60.0 * number,
                    weight=100 * weight,
                    settled=True,
                    canary=Counts(requests=on_canary, errors=self.binomial(on_canary, new)),
                    baseline=Counts(
                        requests=requests - on_canary, errors=self.binomial(requests - on_canary, base)
                    ),
                )
            )
        return made


def _ratios(n: int, p: float):
    mass = (1 - p) ** n
    for k in range(n):
        mass *= (n - k) / (k + 1) * p / (1 - p)
        yield mass
        if mass < 1e-12 and k > n * p:
            return


__all__ = ["Chance", "bake", "counts", "minutes", "plan"]
