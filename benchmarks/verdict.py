"""How often the verdict is wrong: healthy deploys that it would roll back, and bad canaries that it finds, by
simulated minutes through the judge's own code (15 minutes of canary at 10 %, 60 of bake).

Target: no false alarm in 200 healthy deploys. A service that is just as bad as its SLO allows (0.1 % errors,
1 % slow) is rolled back about as often as `[canary] false_alarm` says.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from harness.figures import row

from samjhadoo_ops.deployment.outcome import Opinion
from samjhadoo_ops.deployment.verdict.assessment import assess, thresholds_of
from samjhadoo_ops.deployment.verdict.counts import Counts, Minute
from samjhadoo_ops.environment import load_environment

DEPLOYS = 200
CANARY, BAKE = 15, 60
RATES = (0.2, 1.0, 5.0, 20.0)


def bad_among(requests: int, share: float, dice: random.Random) -> int:
    """Draw how many of the requests are bad, by the gaps between them."""
    found, at = 0, 0
    while share > 0.0:
        at += 1 + int(math.log(1.0 - dice.random()) / math.log(1.0 - share))
        if at > requests:
            break
        found += 1
    return found


def counts(per_minute: float, errors: float, slow: float, dice: random.Random) -> Counts:
    """Draw a minute of one release."""
    requests = max(0, round(dice.gauss(per_minute, math.sqrt(per_minute))))
    return Counts(
        requests=requests, errors=bad_among(requests, errors, dice), slow=bad_among(requests, slow, dice)
    )


def fails(rate: float, old: float, new: float, slow: float, dice: random.Random) -> int:
    """Deploy once; return the minute of the rollback, 0 for none."""
    thresholds = thresholds_of(load_environment("production", root=Path(__file__).parents[1]))
    minutes: list[Minute] = []
    for number in range(CANARY + BAKE):
        share = 0.1 if number < CANARY else 1.0
        canary = counts(60 * rate * share, new, slow, dice)
        baseline = counts(60 * rate * (1 - share), old, slow, dice) if share < 1.0 else Counts()
        at = 1_800_000_000.0 + 60 * number
        minutes.append(Minute(at=at, weight=100 * share, settled=True, canary=canary, baseline=baseline))
        if assess(minutes, thresholds).opinion is Opinion.FAIL:
            return number + 1
    return 0


def main() -> None:
    dice = random.Random(7)
    for name, errors, slow in (("healthy", 0.0003, 0.003), ("at the promise's edge", 0.001, 0.01)):
        for rate in RATES:
            alarms = sum(bool(fails(rate, errors, errors, slow, dice)) for _ in range(DEPLOYS))
            said = f"{name}, {rate:g} requests/s: rolled back of {DEPLOYS}"
            row(said, alarms, "deploys", "0" if name == "healthy" else "", digits=0)
    for rate in RATES:
        for share in (0.05, 0.2):
            found = sorted(
                filter(None, (fails(rate, 0.0003, share, 0.003, dice) for _ in range(DEPLOYS // 4)))
            )
            name = f"{share:.0%} errors at {rate:g} requests/s: found"
            row(name, 100.0 * len(found) / (DEPLOYS // 4), "%", digits=0)
            if found:
                row("  half of them by minute", found[len(found) // 2], "min", digits=0)


if __name__ == "__main__":
    main()
