from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gate_facts import facts_of, with_settings

from samjhadoo_ops.deployment.gates import access, capacity, release, traffic
from samjhadoo_ops.deployment.gates.gate import State
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.release import Identity

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def trust(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}]}


@pytest.mark.parametrize(
    ("policy", "trusted"),
    [
        pytest.param(trust({"Service": "ecs.amazonaws.com"}), True, id="the-service"),
        pytest.param(trust({"Service": ["a", "ecs.amazonaws.com"]}), True, id="one-of-several"),
        pytest.param(trust("*"), True, id="anybody"),
        pytest.param(trust({"Service": "ecs-tasks.amazonaws.com"}), False, id="another"),
        pytest.param(trust({"AWS": "arn:aws:iam::1:root"}), False, id="an-account"),
        pytest.param(trust({"Service": "ecs.amazonaws.com"}, "Deny"), False, id="denied"),
        pytest.param(
            {"Statement": trust({"Service": "ecs.amazonaws.com"})["Statement"][0]}, True, id="no-list"
        ),
        pytest.param({}, False, id="empty"),
    ],
)
def test_a_role_must_trust_ecs(policy: dict[str, Any], trusted: bool) -> None:
    assert access.trusts(policy, "ecs.amazonaws.com") is trusted


def test_the_principal_of_a_session_is_its_role() -> None:
    assert access.role_of("arn:aws:sts::1:assumed-role/deployer/session") == "arn:aws:iam::1:role/deployer"
    assert access.role_of("arn:aws:iam::1:user/asha") == "arn:aws:iam::1:user/asha"


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("0123abc", State.OK),
        ("v1.2-dirtied", State.OK),
        ("0123abc-dirty-1234abcd", State.REFUSED),
        ("content-1234abcd", State.REFUSED),
    ],
)
def test_a_release_must_be_what_its_commit_holds(env: Environment, version: str, state: State) -> None:
    source = Identity(version, version, uncommitted=("a", "b"), ignored=("target/app.jar",))
    found = release.clean_source(facts_of(env, source=lambda: source))
    assert found.state is state
    if state is State.REFUSED:
        assert found.details == ("uncommitted: a, b", "ignored by git: target/app.jar")


@pytest.mark.parametrize(
    ("name", "policy"), [("local", "off"), ("staging", "warn"), ("production", "refuse")]
)
def test_production_refuses_a_release_that_is_not_its_commit(name: str, policy: str) -> None:
    assert load_environment(name, root=ROOT, variables={}).gates.policy["clean_source"] == policy


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("host:5000/samjhadoo/backend@sha256:1", {"imageDigest": "sha256:1"}),
        ("host:5000/samjhadoo/backend:v1@sha256:1", {"imageDigest": "sha256:1"}),
        ("1.dkr.ecr.r.amazonaws.com/samjhadoo/backend:v1", {"imageTag": "v1"}),
        ("docker.io/library/nginx:1", {}),
        ("docker.io/library/nginx@sha256:1", {}),
    ],
)
def test_the_running_image_is_found_in_its_repository(name: str, reference: dict[str, str]) -> None:
    assert release.image_id(name, "samjhadoo/backend") == reference


def images(*ages: float, **first: Any) -> list[dict[str, Any]]:
    """Return images so many days old, named by their place; `first` changes the first one."""
    found = [
        {
            "imageDigest": f"sha256:{number}",
            "imagePushedAt": NOW - timedelta(days=age),
            "imageTags": [f"v{number}"],
        }
        for number, age in enumerate(ages)
    ]
    found[0] |= first
    return found


def policy(**selection: Any) -> str:
    return json.dumps({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", **selection}}]})


@pytest.mark.parametrize(
    ("rules", "present", "kept"),
    [
        pytest.param(
            policy(countType="imageCountMoreThan", countNumber=3), images(1, 0), True, id="third-of-3"
        ),
        pytest.param(
            policy(countType="imageCountMoreThan", countNumber=2),
            images(1, 0),
            False,
            id="pushed-out-by-the-new",
        ),
        pytest.param(policy(countType="sinceImagePushed", countNumber=14), images(12), True, id="young"),
        pytest.param(policy(countType="sinceImagePushed", countNumber=14), images(14), False, id="old"),
        pytest.param(
            policy(countType="sinceImagePushed", countNumber=1, tagStatus="untagged"),
            images(9),
            True,
            id="tagged",
        ),
        pytest.param(
            policy(countType="sinceImagePushed", countNumber=1, tagStatus="tagged", tagPrefixList=["dev"]),
            images(9),
            True,
            id="other-prefix",
        ),
        pytest.param(
            policy(countType="sinceImagePushed", countNumber=1, tagStatus="tagged", tagPatternList=["v*"]),
            images(9),
            False,
            id="pattern",
        ),
        pytest.param("{}", images(900), True, id="no-rules"),
    ],
)
def test_a_lifecycle_policy_keeps_the_running_image_or_not(
    rules: str, present: list[dict[str, Any]], kept: bool
) -> None:
    assert (release.expires(rules, present, "sha256:0", now=NOW.timestamp()) == "") is kept


@pytest.mark.parametrize(
    ("errors", "left", "state"),
    [
        pytest.param(0, 100.0, State.OK, id="spotless"),
        pytest.param(100, 80.0, State.OK, id="a-fifth-is-gone"),
        pytest.param(450, 10.0, State.OK, id="just-enough"),
        pytest.param(451, 9.8, State.REFUSED, id="too-little"),
        pytest.param(1000, -100.0, State.REFUSED, id="overdrawn"),
    ],
)
def test_the_error_budget_is_what_the_objective_allows(errors: int, left: float, state: State) -> None:
    total = 1_000_000.0  # 99.95 % allow 500 errors
    assert traffic.remaining_budget(total, errors, objective=99.95) == pytest.approx(left)
    found = traffic.decide_error_budget(total, errors, objective=99.95, wanted=10.0, period="30d")
    assert found.state is state, found


def test_without_requests_the_error_budget_is_skipped() -> None:
    found = traffic.decide_error_budget(0, 0, objective=99.95, wanted=10.0, period="30d")
    assert found.state is State.SKIPPED
    assert traffic.remaining_budget(100, 1, objective=100.0) < 0


@pytest.mark.parametrize(
    ("lags", "state"),
    [
        pytest.param({"a": 0.0, "b": 30.0}, State.OK, id="keep-up"),
        pytest.param({"a": 0.0, "b": 31.0}, State.REFUSED, id="one-lags"),
        pytest.param({"a": 0.0, "b": None}, State.UNKNOWN, id="one-is-silent"),
        pytest.param({"a": 99.0, "b": None}, State.REFUSED, id="lagging-beats-silent"),
    ],
)
def test_replicas_may_lag_up_to_the_limit(lags: dict[str, float | None], state: State) -> None:
    assert capacity.decide_lag(lags, most=30.0).state is state


@pytest.mark.parametrize(
    ("status", "counts", "changes", "state"),
    [
        pytest.param("COMPLETE", {}, {}, State.OK, id="clean"),
        pytest.param("COMPLETE", {"HIGH": 9}, {}, State.OK, id="any-number-of-high"),
        pytest.param("COMPLETE", {"CRITICAL": 1}, {}, State.REFUSED, id="one-critical"),
        pytest.param("COMPLETE", {"CRITICAL": 2}, {"critical": 2}, State.OK, id="as-many-as-allowed"),
        pytest.param("ACTIVE", {"MEDIUM": 4}, {"medium": 3}, State.REFUSED, id="continuous-scan"),
        pytest.param("", {}, {}, State.SKIPPED, id="not-scanned"),
        pytest.param("", {}, {"unscanned": "refuse"}, State.REFUSED, id="not-scanned-where-it-must-be"),
        pytest.param("IN_PROGRESS", {}, {"unscanned": "refuse"}, State.REFUSED, id="not-ended-in-time"),
        pytest.param("FAILED", {}, {"unscanned": "refuse"}, State.REFUSED, id="scan-failed"),
    ],
)
def test_an_image_is_judged_by_its_scan(
    env: Environment, status: str, counts: dict[str, int], changes: dict[str, Any], state: State
) -> None:
    settings = with_settings(env, "gates.image", **changes).gates.image
    found = release.decide_scan(status, counts, settings)
    assert found.state is state, found
