"""The deployer's policy grants what a release calls, on what it touches, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.context import Context

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.infrastructure.permissions import PERMISSIONS, UNCHECKED, action
from samjhadoo_ops.infrastructure.policy import LARGEST, names_outputs, packed, policies, size
from samjhadoo_ops.tasks import ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).parents[2]
HERE = "ap-south-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/samjhadoo-deployer"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's settings and task definition, without alarms and read replicas."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    file = tmp_path / "environments/production.toml"
    file.write_text(re.sub("^(alarms|instances) = .*", "", file.read_text(), flags=re.MULTILINE))
    target = tmp_path / "docker/backend"
    target.mkdir(parents=True)
    shutil.copy(ROOT / "docker/backend/task-definition.json", target)
    return tmp_path


@pytest.fixture
def production(project: Path) -> Callable[[str], Environment]:
    """Load production with further settings."""

    def load(settings: str = "") -> Environment:
        with (project / "environments/production.toml").open("a") as file:
            file.write(f"\n{settings}\n")
        return load_environment("production", root=project, variables={})

    return load


def of(env: Environment, *, role: str = "") -> list[dict[str, Any]]:
    """Return the statements of all policies of an environment."""
    found = policies(env, role=role)
    return [statement for document in found for statement in document["Statement"]]


def granted(env: Environment, **options: Any) -> dict[str, set[str]]:
    """Return the resources of each action."""
    found: dict[str, set[str]] = {}
    for statement in of(env, **options):
        for each in _list(statement["Action"]):
            found.setdefault(each, set()).update(_list(statement["Resource"]))
    return found


def of_action(env: Environment, name: str) -> list[dict[str, Any]]:
    return [each for each in of(env) if name in _list(each["Action"])]


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_a_pause_is_answered_with_the_arns_of_both_service_and_deployment(production: Any) -> None:
    (statement,) = of_action(production(), "ecs:ContinueServiceDeployment")
    assert statement["Resource"][:2] == [
        f"arn:aws:ecs:{HERE}:service/samjhadoo-cluster/samjhadoo-service",
        f"arn:aws:ecs:{HERE}:service-deployment/samjhadoo-cluster/samjhadoo-service/*",
    ]
    assert "ecs:StopServiceDeployment" in statement["Action"]


def test_roles_are_passed_by_name_to_the_service_that_takes_them(production: Any) -> None:
    found = {
        statement["Condition"]["StringEquals"]["iam:PassedToService"]: set(_list(statement["Resource"]))
        for statement in of_action(production(), "iam:PassRole")
    }
    role = "arn:aws:iam::111122223333:role/samjhadoo"
    assert found == {
        "ecs-tasks.amazonaws.com": {f"{role}-task-execution", f"{role}-backend"},
        "ecs.amazonaws.com": {f"{role}-ecs-infrastructure"},
    }


def test_a_single_target_group_needs_no_role_that_shifts_traffic(production: Any) -> None:
    env = production(
        '[services.one.service]\ntarget_groups = ["one"]\n[services.one.deployment]\nstrategy = "ROLLING"'
    )
    passed = of_action(env, "iam:PassRole")
    assert [each["Sid"] for each in passed] == ["PassTaskRoles"]


def test_the_journal_is_reached_under_the_prefix_of_the_service_alone(production: Any) -> None:
    resources = granted(production())
    bucket = "arn:aws:s3:::samjhadoo-production-deployments"
    own = f"{bucket}/deployments/production/samjhadoo-service"
    assert resources["s3:PutObject"] == {f"{own}/*", f"{own}.lock.json"}
    (listing,) = of_action(production(), "s3:ListBucket")
    assert listing["Resource"] == bucket
    assert listing["Condition"] == {
        "StringLikeIfExists": {"s3:prefix": "deployments/production/samjhadoo-service/*"}
    }


def test_secrets_are_named_with_the_end_that_aws_adds(production: Any) -> None:
    resources = granted(production())
    secret = f"arn:aws:secretsmanager:{HERE}:secret:samjhadoo/production"
    wanted = {f"{secret}/{name}-??????" for name in ("database", "redis", "stripe")}
    assert wanted == resources["secretsmanager:GetSecretValue"]
    assert wanted == resources["secretsmanager:DescribeSecret"]
    assert "ssm:GetParameter" not in resources


def test_a_whole_arn_of_a_secret_and_a_parameter_are_named_as_they_are(
    production: Any, project: Path
) -> None:
    whole = f"arn:aws:secretsmanager:{HERE}:secret:shared/token-AbC123"
    _add_secrets(project, {"TOKEN": f"{whole}:key::", "LEVEL": "/samjhadoo/level"})
    resources = granted(production())
    assert whole in resources["secretsmanager:GetSecretValue"]
    # `token-AbC123` may be the name's own end.
    assert f"{whole}-??????" in resources["secretsmanager:GetSecretValue"]
    assert resources["ssm:GetParameter"] == {f"arn:aws:ssm:{HERE}:parameter/samjhadoo/level"}


def _add_secrets(project: Path, secrets: dict[str, str]) -> None:
    file = project / "docker/backend/task-definition.json"
    document = json.loads(file.read_text())
    document["containerDefinitions"][0]["secrets"] += [
        {"name": name, "valueFrom": value} for name, value in secrets.items()
    ]
    file.write_text(json.dumps(document))


def test_migrations_as_a_task_may_be_run_and_stopped_and_others_not(production: Any) -> None:
    assert "ecs:RunTask" not in granted(production())
    env = production('[services.one.database]\nrunner = "ecs-task"')
    resources = granted(env)
    assert resources["ecs:RunTask"] == {f"arn:aws:ecs:{HERE}:task-definition/samjhadoo-service-migrate:*"}
    assert resources["ecs:StopTask"] == {f"arn:aws:ecs:{HERE}:task/samjhadoo-cluster/*"}
    cluster = f"arn:aws:ecs:{HERE}:cluster/samjhadoo-cluster"
    (running,) = of_action(env, "ecs:RunTask")
    assert running["Condition"] == {"ArnEquals": {"ecs:cluster": cluster}}
    assert {arn.rpartition(":")[2] for arn in resources["logs:GetLogEvents"]} == {
        "backend/backend/*",
        "flyway/flyway/*",
    }


@pytest.mark.parametrize(
    ("gate", "actions"),
    [
        ("cluster", {"ecs:DescribeClusters"}),
        ("image", {"ecr:DescribeImageScanFindings"}),
        ("rollback_target", {"ecr:GetLifecyclePolicy"}),
        ("secrets", {"secretsmanager:DescribeSecret"}),
        ("roles", {"iam:GetRole", "iam:SimulatePrincipalPolicy"}),
        ("vcpu_quota", {"servicequotas:GetServiceQuota", "cloudwatch:GetMetricStatistics"}),
        ("network", {"ec2:DescribeSecurityGroups"}),
    ],
)
def test_a_gate_that_is_off_needs_no_permission(
    production: Any, project: Path, gate: str, actions: set[str]
) -> None:
    assert actions <= granted(production(), role=ROLE).keys()
    file = project / "environments/base.toml"
    file.write_text(file.read_text().replace(f'\n{gate} = "refuse"', f'\n{gate} = "off"', 1))
    assert not actions & granted(production(), role=ROLE).keys()


def test_alarms_are_read_where_there_are_some(production: Any) -> None:
    assert "cloudwatch:DescribeAlarms" not in granted(production())
    env = production('[services.one.deployment]\nalarms = ["errors"]')
    assert granted(env)["cloudwatch:DescribeAlarms"] == {"*"}


def test_replicas_are_asked_for_their_lag_in_their_own_region(production: Any) -> None:
    env = production('[services.one.gates.replicas]\ninstances = ["us-east-1/one"]')
    (statement,) = of_action(env, "cloudwatch:GetMetricStatistics")
    assert statement["Condition"]["StringEquals"]["aws:RequestedRegion"] == ["ap-south-1", "us-east-1"]


def test_several_services_share_statements_with_the_resources_of_each(production: Any) -> None:
    env = production(
        '[services.api]\n[services.worker.service]\nname = "worker"\ntarget_groups = ["worker"]\n'
        "production_listener_port = 9080\ntest_listener_port = 9081\n"
        '[services.worker.deployment]\nstrategy = "ROLLING"\n'
        '[services.worker.gates.policy]\nimage = "off"\n'
        '[services.worker.build]\nrepository = "samjhadoo/worker"\n'
        "[services.worker.database]\nmigrations = []\n"
    )
    resources = granted(env)
    service = f"arn:aws:ecs:{HERE}:service/samjhadoo-cluster"
    repository = f"arn:aws:ecr:{HERE}:repository/samjhadoo"
    assert resources["ecs:UpdateService"] == {f"{service}/samjhadoo-service", f"{service}/worker"}
    assert resources["ecr:PutImage"] == {f"{repository}/backend", f"{repository}/worker"}
    # The gate is on for one of them: what differs stands in a statement of its own.
    assert resources["ecr:DescribeImageScanFindings"] == {f"{repository}/backend"}
    sids = [statement["Sid"] for statement in of(env)]
    assert len(sids) == len(set(sids))


def test_stacks_whose_outputs_the_settings_name_can_be_read_and_no_others(
    production: Any, project: Path
) -> None:
    stack = f"arn:aws:cloudformation:{HERE}:stack/samjhadoo-production"
    assert granted(production())["cloudformation:DescribeStacks"] == {f"{stack}-network/*"}
    worker = production('[services.worker.build]\nrepository = "stack:service#Repository"')
    assert granted(worker)["cloudformation:DescribeStacks"] == {
        f"{stack}-{name}/*" for name in ("network", "network-worker", "service", "service-worker")
    }


def test_an_output_that_names_a_resource_is_read_from_its_stack(production: Any) -> None:
    env = production('[services.worker.build]\nrepository = "stack:service#Repository"')
    written = policies(env)
    assert names_outputs(written)
    build = msgspec.structs.replace(env.services["worker"].build, repository="made/by-the-stack")
    read = policies(env, resolve=lambda each: msgspec.structs.replace(each, build=build))
    assert not names_outputs(read)
    assert f"arn:aws:ecr:{HERE}:repository/made/by-the-stack" in json.dumps(read)
    assert "stack/samjhadoo-production-service/*" in json.dumps(read)


@pytest.mark.parametrize("name", ["production", "staging", "local"])
def test_the_policy_of_this_project_is_one_that_iam_accepts_by_size(name: str) -> None:
    (document,) = policies(load_environment(name, root=ROOT, variables={}))
    assert size(document) <= LARGEST
    assert document["Version"] == "2012-10-17"


@given(st.lists(st.integers(0, LARGEST - 200), max_size=20))
def test_statements_are_packed_whole_in_order_and_never_beyond_the_limit(lengths: list[int]) -> None:
    parts = [{"Sid": f"S{n}", "Resource": "x" * length} for n, length in enumerate(lengths)]
    documents = packed(parts)
    assert [each for document in documents for each in document["Statement"]] == parts
    assert all(size(document) <= LARGEST for document in documents)


def test_a_statement_that_is_too_large_is_divided_by_its_resources() -> None:
    resources = [f"arn:aws:s3:::{'x' * 500}-{n}" for n in range(30)]
    documents = packed([{"Sid": "Large", "Action": "s3:GetObject", "Resource": resources}])
    assert all(size(document) <= LARGEST for document in documents)
    parts = [statement for document in documents for statement in document["Statement"]]
    assert [each for part in parts for each in _list(part["Resource"])] == resources
    assert {part["Action"] for part in parts} == {"s3:GetObject"}


def test_a_statement_that_is_too_large_alone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the statement Large alone"):
        packed([{"Sid": "Large", "Resource": "x" * LARGEST}])


def test_images_of_another_account_may_be_pulled_and_not_pushed(production: Any) -> None:
    arn = "arn:aws:ecr:eu-west-1:444455556666:repository/samjhadoo/backend"
    name = "444455556666.dkr.ecr.eu-west-1.amazonaws.com/samjhadoo/backend"
    resources = granted(production(f'[services.one.build]\npull_from = ["{name}"]'))
    assert arn in resources["ecr:BatchGetImage"]
    assert arn not in resources["ecr:PutImage"]


@pytest.mark.parametrize(
    "name", ["ghcr.io/owner/image", "backend", "444455556666.dkr.ecr.eu-west-1.amazonaws.com/"]
)
def test_a_registry_that_is_not_ecr_is_refused(production: Any, name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        production(f'[services.one.build]\npull_from = ["{name}"]')
    assert "expected ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY" in str(refused.value)


def test_every_call_has_one_action_and_every_implied_action_a_call() -> None:
    calls = {call for permission in PERMISSIONS for call in permission.calls}
    causes = {call for permission in PERMISSIONS for call in permission.by}
    assert causes <= calls
    assert all(permission.calls or permission.by for permission in PERMISSIONS)
    assert not UNCHECKED & calls
    assert action("elbv2:DescribeRules") == "elasticloadbalancing:DescribeRules"
    assert action("s3:ListObjectsV2") == "s3:ListBucket"


def test_the_command_prints_the_policy_and_nothing_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    ns["infra.policy"](Context(), env="production")
    document = json.loads(capsys.readouterr().out)
    assert document == policies(load_environment("production", root=ROOT, variables={}))[0]


def test_several_policies_are_announced_and_printed_one_by_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SAMJHADOO_DATABASE__RUNNER", "ecs-task")
    repository = "444455556666.dkr.ecr.ap-south-1.amazonaws.com/samjhadoo"
    monkeypatch.setenv("SAMJHADOO_BUILD__PULL_FROM", ",".join(f"{repository}/{n}" for n in range(9)))
    options = {"env": "production"}
    ns["infra.policy"](Context(), **options)
    printed = capsys.readouterr()
    assert "2 policies" in printed.err
    ns["infra.policy"](Context(), **options, part=2)
    second = json.loads(capsys.readouterr().out)
    assert printed.out.endswith(json.dumps(second, indent=2) + "\n")
