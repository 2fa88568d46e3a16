"""IAM, simulated, allows a release by the deployer's policy and denies its neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_requests import Account, Request
from iam_simulation import ALLOWED, DENIED, decisions
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.infrastructure.policy import policies

ROOT = Path(__file__).parents[2]
PRODUCTION = Account("111122223333", "ap-south-1")
ECS = "arn:aws:ecs:ap-south-1:111122223333"
SERVICE = "samjhadoo-cluster/samjhadoo-service"
ROLE = "arn:aws:iam::111122223333:role"
BUCKET = "arn:aws:s3:::samjhadoo-production-deployments"
SECRET = "arn:aws:secretsmanager:ap-south-1:111122223333:secret"
CLUSTER = {"ecs:cluster": f"{ECS}:cluster/samjhadoo-cluster"}
OTHER_CLUSTER = {"ecs:cluster": f"{ECS}:cluster/other"}
REPOSITORY = "arn:aws:ecr:ap-south-1:111122223333:repository"
REGISTERING = {"ecs:CreateAction": "RegisterTaskDefinition"}


def passed(role: str, service: str) -> Request:
    return Request("iam:PassRole", f"{ROLE}/{role}", {"iam:PassedToService": f"{service}.amazonaws.com"})


NEIGHBOURS = [
    # (what a release does, what it must not be able to do)
    (
        Request("ecs:UpdateService", f"{ECS}:service/{SERVICE}", CLUSTER),
        Request("ecs:UpdateService", f"{ECS}:service/samjhadoo-cluster/other", CLUSTER),
    ),
    (
        Request("ecs:ContinueServiceDeployment", f"{ECS}:service-deployment/{SERVICE}/id"),
        Request("ecs:ContinueServiceDeployment", f"{ECS}:service-deployment/samjhadoo-cluster/other/id"),
    ),
    (
        Request("ecs:StopServiceDeployment", f"{ECS}:service/{SERVICE}", CLUSTER),
        Request("ecs:DeleteService", f"{ECS}:service/{SERVICE}", CLUSTER),
    ),
    (
        Request("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/samjhadoo-backend:1"),
        Request("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/other:1"),
    ),
    (
        Request("ecs:TagResource", f"{ECS}:task-definition/samjhadoo-backend:1", REGISTERING),
        Request("ecs:TagResource", f"{ECS}:task-definition/samjhadoo-backend:1"),
    ),
    (
        Request("ecs:ListTasks", f"{ECS}:container-instance/samjhadoo-cluster/any", CLUSTER),
        Request("ecs:ListTasks", f"{ECS}:container-instance/other/any", OTHER_CLUSTER),
    ),
    (
        Request("ecs:DescribeTasks", f"{ECS}:task/samjhadoo-cluster/id", CLUSTER),
        Request("ecs:DescribeTasks", f"{ECS}:task/other/id", OTHER_CLUSTER),
    ),
    (passed("samjhadoo-backend", "ecs-tasks"), passed("samjhadoo-backend", "lambda")),
    (passed("samjhadoo-ecs-infrastructure", "ecs"), passed("samjhadoo-ecs-infrastructure", "ecs-tasks")),
    (passed("samjhadoo-task-execution", "ecs-tasks"), passed("administrator", "ecs-tasks")),
    (
        Request("ecr:PutImage", f"{REPOSITORY}/samjhadoo/backend"),
        Request("ecr:PutImage", f"{REPOSITORY}/samjhadoo/other"),
    ),
    (
        Request("ecr:DescribeImages", f"{REPOSITORY}/samjhadoo/backend"),
        Request("ecr:BatchDeleteImage", f"{REPOSITORY}/samjhadoo/backend"),
    ),
    (
        Request("s3:PutObject", f"{BUCKET}/deployments/production/samjhadoo-service/1/0001-began.json"),
        Request("s3:PutObject", f"{BUCKET}/deployments/production/other/1/0001-began.json"),
    ),
    (
        Request("s3:GetObject", f"{BUCKET}/deployments/production/samjhadoo-service.lock.json"),
        Request("s3:GetObject", "arn:aws:s3:::samjhadoo-staging-deployments/deployments/staging/x"),
    ),
    (
        Request("s3:ListBucket", BUCKET, {"s3:prefix": "deployments/production/samjhadoo-service/"}),
        Request("s3:ListBucket", BUCKET, {"s3:prefix": "deployments/production/other/"}),
    ),
    (
        Request("secretsmanager:GetSecretValue", f"{SECRET}:samjhadoo/production/database-AbC123"),
        Request("secretsmanager:GetSecretValue", f"{SECRET}:samjhadoo/production/slack-AbC123"),
    ),
    (
        Request("secretsmanager:DescribeSecret", f"{SECRET}:samjhadoo/production/stripe-AbC123"),
        Request("secretsmanager:PutSecretValue", f"{SECRET}:samjhadoo/production/stripe-AbC123"),
    ),
    (
        Request("elasticloadbalancing:DescribeRules"),
        Request("elasticloadbalancing:DescribeRules", context={"aws:RequestedRegion": "us-east-1"}),
    ),
    (
        Request("iam:SimulatePrincipalPolicy", f"{ROLE}/samjhadoo-deployer"),
        Request("iam:SimulatePrincipalPolicy", f"{ROLE}/administrator"),
    ),
    (
        Request(
            "iam:CreateServiceLinkedRole",
            f"{ROLE}/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            {"iam:AWSServiceName": "ecs.amazonaws.com"},
        ),
        Request(
            "iam:CreateServiceLinkedRole",
            f"{ROLE}/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
            {"iam:AWSServiceName": "rds.amazonaws.com"},
        ),
    ),
]


@pytest.fixture(scope="module")
def decided() -> dict[str, str]:
    """What IAM decides on each request, in one run."""
    requests = [request for pair in NEIGHBOURS for request in pair]
    documents = policies(load_environment("production", root=ROOT, variables={}))
    answers = decisions(documents, requests, PRODUCTION)
    return {str(request): answer for request, answer in zip(requests, answers, strict=True)}


@pytest.mark.parametrize(("own", "foreign"), NEIGHBOURS, ids=lambda request: request.action)
def test_a_release_is_allowed_and_its_neighbour_denied(
    decided: dict[str, str], own: Request, foreign: Request
) -> None:
    assert decided[str(own)] == ALLOWED, own
    assert decided[str(foreign)] == DENIED, foreign
