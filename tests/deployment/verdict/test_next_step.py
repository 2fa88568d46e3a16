from __future__ import annotations

from dataclasses import replace

import pytest

from samjhadoo_ops.deployment.verdict.canary_judge import NextStep, Situation, next_step
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError

MINUTE = 60.0
NOW = Situation(
    elapsed=20 * MINUTE,
    observed=19 * MINUTE,
    extend=30 * MINUTE,
    left=50 * MINUTE,
    margin=3 * MINUTE,
    sent=0,
    to_send=100,
)


@pytest.mark.parametrize(
    ("policies", "changes", "step"),
    [
        (["rollback"], {"elapsed": 18 * MINUTE}, NextStep.WAIT),
        (["rollback"], {}, NextStep.ROLLBACK),
        (["continue"], {}, NextStep.CONTINUE),
        (["ask"], {}, NextStep.ASK),
        (["extend", "rollback"], {}, NextStep.WAIT),
        (["extend", "rollback"], {"elapsed": 49 * MINUTE}, NextStep.ROLLBACK),
        (["extend", "rollback"], {"left": 2 * MINUTE}, NextStep.ROLLBACK),
        (["extend", "rollback"], {"left": None}, NextStep.WAIT),
        (["synthetic", "continue"], {}, NextStep.SEND),
        (["synthetic", "continue"], {"sent": 99}, NextStep.SEND),
        (["synthetic", "continue"], {"sent": 100}, NextStep.CONTINUE),
        (["synthetic", "continue"], {"left": 1 * MINUTE}, NextStep.CONTINUE),
        (["extend", "synthetic", "ask"], {"elapsed": 50 * MINUTE}, NextStep.SEND),
        (["extend", "synthetic", "ask"], {"elapsed": 50 * MINUTE, "sent": 100}, NextStep.ASK),
    ],
)
def test_policies_are_followed_in_their_order(
    policies: list[str], changes: dict[str, float | None], step: NextStep
) -> None:
    assert next_step(policies, replace(NOW, **changes)) is step


@pytest.mark.parametrize(
    ("name", "policies"),
    [
        ("production", ["extend", "rollback"]),
        ("staging", ["synthetic", "continue"]),
        ("local", ["continue"]),
    ],
)
def test_each_environment_has_its_policies(name: str, policies: list[str]) -> None:
    assert load_environment(name, variables={}).canary.inconclusive == policies


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("extend", "end with"),
        ("rollback,continue", "nothing may follow"),
        ("extend,extend,ask", "twice"),
        ("guess", "expected one of extend"),
    ],
)
def test_policies_that_make_no_sense_are_refused(given: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_environment("local", variables={"SAMJHADOO_CANARY__INCONCLUSIVE": given})
    assert reason in "\n".join([refused.value.message, *refused.value.details])
