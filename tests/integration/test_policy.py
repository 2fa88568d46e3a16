"""A release does nothing that the deployer's policy would not allow, and others may not do the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import aws_calls
import pytest
from policy_check import read_calls

from iam_requests import Account, Request
from iam_simulation import ALLOWED, DENIED, decisions

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from user_project import UserProject

LOCAL = Account("000000000000", "ap-south-1")
OTHER = "999999999999"
FAULT = "ENV FAULT_CRASH_AFTER=0 FAULT_CRASH_CODE=7"
PASSED = Request(
    "iam:PassRole",
    "arn:aws:iam::000000000000:role/samjhadoo-ecs-infrastructure",
    {"iam:PassedToService": "ecs.amazonaws.com"},
)
"""What AWS checks for the role inside the load balancers of UpdateService."""


@pytest.fixture(scope="module")
def requests(project: UserProject, tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """What AWS would check while somebody looks, releases, rolls back, and sees a release fail."""
    file: Path = tmp_path_factory.mktemp("calls") / "calls.jsonl"
    recorded = {aws_calls.VARIABLE: str(file)}
    for task in ("status", "history", "plan", "smoke", "migrate.info"):
        done = project.invoke(task, **recorded)
        assert done.code == 0, done.stderr
    project.change("LABEL policy=1")
    released = project.invoke("deploy", **recorded)
    assert released.code == 0, released.stderr
    returned = project.invoke("rollback", **recorded)
    assert returned.code == 0, returned.stderr
    project.change(FAULT)
    failed = project.invoke("deploy", **recorded)
    assert failed.code == 4, failed.stderr
    found = {str(each): each for call in read_calls(file) for each in LOCAL.requests(call)}
    # The local AWS has no roles that one could be: whose permissions are simulated differs.
    return [each for each in found.values() if each.action != "iam:SimulatePrincipalPolicy"] + [PASSED]


@pytest.fixture(scope="module")
def policies(project: UserProject) -> list[Any]:
    printed = project.invoke("infra.policy", "--json")
    assert printed.code == 0, printed.stderr
    return [event["document"] for event in printed.events if event["event"] == "policy"]


def elsewhere(request: Request) -> Request:
    """Return a request on the same resource of another account."""
    context = {key: value.replace(LOCAL.number, OTHER) for key, value in request.context.items()}
    return Request(request.action, request.resource.replace(LOCAL.number, OTHER), context)


def test_everything_that_a_release_does_is_allowed(requests: list[Request], policies: list[Any]) -> None:
    services = Counter(request.action.partition(":")[0] for request in requests)
    assert services.keys() >= {"ecs", "ecr", "s3", "iam", "logs", "elasticloadbalancing", "secretsmanager"}
    answers = zip(requests, decisions(policies, requests, LOCAL), strict=True)
    assert [str(request) for request, answer in answers if answer != ALLOWED] == []


def test_the_same_in_another_account_is_denied(requests: list[Request], policies: list[Any]) -> None:
    others = [elsewhere(request) for request in requests if LOCAL.number in request.resource]
    answers = zip(others, decisions(policies, others, LOCAL), strict=True)
    assert [str(request) for request, answer in answers if answer != DENIED] == []
