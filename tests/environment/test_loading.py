from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.environment import find_root, load_environment
from samjhadoo_ops.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from tests.environment.conftest import Project


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_the_environments_of_this_project_are_valid(name: str, project: Project) -> None:
    environment = project.load(name)
    assert (environment.name, environment.root) == (name, project.root)


def test_an_environments_file_lies_over_the_base_key_by_key(project: Project) -> None:
    environment = project.load("local")
    assert str(environment.deployment.poll) == "1m"
    assert environment.deployment.canary_percent == 10.0
    assert environment.sources["deployment", "poll"] == "environments/local.toml"
    assert environment.sources["deployment", "canary_percent"] == "environments/base.toml"


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "problem"),
    [
        (
            "base",
            "^canary_percent = .*",
            "canary_precent = 10.0",
            "base.toml:106: deployment.canary_precent: unknown key; did you mean canary_percent?",
        ),
        (
            "base",
            "^retries = .*",
            'retries = "5"',
            "environments/base.toml:23: aws.retries: expected a whole number",
        ),
        ("base", "^retries = .*", "retries = true", "aws.retries: expected a whole number"),
        ("base", "^retries = .*", "retries = 0", "aws.retries: expected a whole number from 1"),
        (
            "base",
            "^canary_percent = .*",
            "canary_percent = 101",
            "deployment.canary_percent: expected a number from 0.1",
        ),
        (
            "base",
            "^canary_percent = .*",
            "canary_percent = 10.05",
            "canary_percent: expected a multiple of 0.1",
        ),
        (
            "base",
            "^canary_percent = .*",
            "canary_percent = nan",
            "canary_percent: expected a number from 0.1 to 100",
        ),
        ("base", "^canary_percent = .*", 'canary_percent = "10 %"', "canary_percent: expected a number"),
        ("base", "^canary_time = .*", "canary_time = 15", "canary_time: expected text in quotes"),
        ("base", "^canary_time = .*", 'canary_time = "15 minutes"', "canary_time: expected a duration"),
        (
            "base",
            "^canary_time = .*",
            'canary_time = "90s"',
            "canary_time: expected whole minutes, got 1m30s",
        ),
        (
            "production",
            "^instance_type = .*",
            'instance_type = "t3.huge"',
            "infrastructure.instance_type: expected one of t3.medium, t3.large",
        ),
        (
            "production",
            "^multi_az = .*",
            "multi_az = false",
            "infrastructure.nat: expected none or one: without multi_az, tasks run in one zone",
        ),
        (
            "production",
            '^nat = "per-zone"\ninterface_endpoints = true',
            'nat = "none"',
            "infrastructure.nat: with none, tasks need interface_endpoints to get their images",
        ),
        (
            "base",
            "^network_cidr = .*",
            'network_cidr = "10.0.0.0/24"',
            "a range such as 10.0.0.0/16",
        ),
        ("base", "^test_cidr = .*", 'test_cidr = "10.0.0.256/32"', "expected a range of addresses such as"),
        ("base", "^certificate = .*", 'certificate = "arn:x"', "expected the ARN of a certificate in ACM"),
        (
            "base",
            '^repository = "" .*',
            'repository = "samjhadoo"',
            "expected a GitHub repository",
        ),
        ("base", "^rate_limit = .*", "rate_limit = 9", "edge.rate_limit: expected a whole number from 10"),
        ("base", "^backup_retention_days = .*", "backup_retention_days = 36", "from 0 to 35"),
        (
            "production",
            r"\[notifications\]",
            f"[notifications]\nemail = {[f'{n}@samjhadoo.com' for n in range(6)]}",
            "notifications.email: has 6 addresses, but the stack delivery subscribes at most five",
        ),
        ("base", "^canary_time = .*", 'canary_time = "25h"', "canary_time: expected at most 1d"),
        (
            "base",
            "^on_interrupt = .*",
            'on_interrupt = "panic"',
            "rollback.on_interrupt: expected one of rollback, leave",
        ),
        ("local", '^deployment = "Mon.*', 'deployment = "Mon"', "windows.deployment: expected a window"),
        (
            "local",
            "^maintenance = .*",
            'maintenance = "Sun 02:00-04:00 Asia/Delhi"',
            "unknown time zone 'Asia/Delhi'",
        ),
        (
            "base",
            "^target_groups = .*",
            'target_groups = ["a", "a"]',
            "target_groups: names a target group twice",
        ),
        (
            "base",
            "^target_groups = .*",
            'target_groups = ["a", "b", "c"]',
            "target_groups: expected at most two",
        ),
        (
            "base",
            "^target_groups = .*",
            'target_groups = ["a"]',
            "service.target_groups: expected two target groups for CANARY",
        ),
        (
            "base",
            "^email = .*",
            'email = ["devops"]',
            "notifications.email: item 1: expected an e-mail address",
        ),
        (
            "base",
            "^api = .*",
            'api = "https://me:pw@api.stripe.com"',
            "payments.api: expected an http(s) URL",
        ),
        ("local", "^account = .*", 'account = "12345"', "aws.account: expected an AWS account ID"),
        ("local", "^account = .*", "account = 111122223333", "aws.account: expected an AWS account ID"),
        ("local", "^account = .*", "", "environments/local.toml:3: aws.account: is missing"),
        ("local", "^minute = .*", 'minute = "2m"', "clock.minute: expected at most 1m"),
        (
            "local",
            "^edge_port = .*",
            "edge_port = 5432",
            "stack.postgres_port: must differ from edge_port",
        ),
        (
            "local",
            '^upstream = ""',
            'upstream = "http://aws.test/a"',
            "stack.upstream: expected a URL without",
        ),
        (
            "local",
            "^upstream_ca = .*",
            'upstream_ca = "ca.pem"',
            "stack.upstream_ca: needs an upstream with https",
        ),
        (
            "local",
            "^passed_on = .*",
            'passed_on = ["ecs", "s3"]',
            "stack.passed_on: item 2: expected one of application-autoscaling, cloudformation, cloudwatch",
        ),
        (
            "local",
            "^allow_origins = .*",
            'allow_origins = ["http://localhost:3000", "*"]',
            "stack.allow_origins: item 2: expected an origin such as http://localhost:3000, without a path",
        ),
        (
            "local",
            "^allow_hosts = .*",
            'allow_hosts = ["aws.test:80"]',
            "stack.allow_hosts: item 1: expected a host name such as aws.test or *.aws.test, without a port",
        ),
        (
            "local",
            "^desired_count = .*",
            "desired_count = 9",
            "service.desired_count: is outside infrastructure.min",
        ),
        ("production", "^production = .*", 'production = ""', "endpoints.production: is empty"),
        (
            "production",
            r"\A",
            '[clock]\nminute = "1s"\n',
            "clock.minute: must be 1m",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_file_and_key(
    project: Project, file: str, pattern: str, replacement: str, problem: str
) -> None:
    project.edit(file, pattern, replacement)
    told = project.refusal("production" if file == "production" else "local")
    assert any(problem in line for line in told), told


def test_a_value_in_place_of_a_table_is_reported(project: Project) -> None:
    project.edit("local", r"^\[cache\]\n.*", "")
    project.edit("local", r"\A", "cache = 3\n")
    assert project.refusal() == ["environments/local.toml:1: cache: expected a table, got a number"]


def test_all_mistakes_are_reported_together_each_with_its_file(project: Project) -> None:
    project.edit("base", "^retries = .*", 'retries = "five"')
    project.edit("base", "^lease = .*", "")
    project.edit("local", "^lease = .*", "")
    project.edit("local", "^edge_port = .*", "edge_port = 70000")
    project.append("local", "\n[colour]\nred = 1\n")
    places = {line.split(" ")[1].rstrip(":"): line.split(":")[0] for line in project.refusal()}
    assert places == {
        "colour": "environments/local.toml",
        "aws.retries": "environments/base.toml",
        "stack.edge_port": "environments/local.toml",
        "lock.lease": "environments/local.toml",
    }


@pytest.mark.parametrize(
    ("key", "secret"),
    [("secret_key", "sk_live_4eC39HqLyjWD"), ("webhook_secret", "hunter2-hunter2")],
)
def test_a_literal_secret_is_refused_and_not_shown(project: Project, key: str, secret: str) -> None:
    project.edit("local", f"^{key} = .*", f'{key} = "{secret}"')
    told = project.refusal()
    assert len(told) == 1
    assert f"payments.{key}: expected a reference" in told[0]
    assert secret not in told[0]


@pytest.mark.parametrize(
    "planted",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "whsec_4eC39HqLyjWD",
        "postgres://samjhadoo:pass@db/samjhadoo",
        "ghp_" + "a" * 36,
    ],
)
def test_a_secret_in_free_text_is_refused_and_not_shown(project: Project, planted: str) -> None:
    project.append("local", f'\n[build.args]\nTOKEN = "{planted}"\n')
    told = project.refusal()
    assert any("build.args.TOKEN: holds a secret" in line for line in told)
    assert planted not in "".join(told)


def test_broken_toml_is_reported_with_its_line(project: Project) -> None:
    project.append("staging", "\nx = = 3\n")
    (told,) = project.refusal("staging")
    assert "environments/staging.toml: is not valid TOML" in told
    assert "line" in told


def test_a_file_that_is_not_text_is_reported(project: Project) -> None:
    (project.root / "environments/staging.toml").write_bytes(b"[aws]\xff")
    assert project.refusal("staging") == ["environments/staging.toml: is not UTF-8 text: byte 5"]


@pytest.mark.parametrize("name", ["prod", "base", "", "../local", "local.toml", "LOCAL"])
def test_an_unknown_environment_lists_those_there_are(project: Project, name: str) -> None:
    with pytest.raises(ConfigurationError, match="local, production, staging") as caught:
        load_environment(name, root=project.root, variables={})
    assert caught.value.exit_code == ExitCode.USAGE


def test_the_project_is_found_from_a_folder_inside_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = project.root / "docker" / "backend"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert find_root() == project.root
    assert load_environment("local", variables={}).root == project.root


def test_outside_a_project_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no project found"):
        find_root(tmp_path)


def test_a_missing_base_file_is_reported(project: Project) -> None:
    (project.root / "environments/base.toml").unlink()
    assert project.refusal() == ["environments/base.toml: cannot be read: No such file or directory"]
