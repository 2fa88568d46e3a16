from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samjhadoo_ops.environment import Duration, SecretRef
from samjhadoo_ops.environment.view import set_by_variables

if TYPE_CHECKING:
    from tests.environment.conftest import Project


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("SAMJHADOO_DEPLOYMENT__CANARY_TIME", "5m", "deployment.canary_time", Duration(300)),
        ("SAMJHADOO_DEPLOYMENT__HOOK_TIMEOUTS__TEST", "2m", "deployment.hook_timeouts.test", Duration(120)),
        ("SAMJHADOO_DEPLOYMENT__CANARY_PERCENT", "20", "deployment.canary_percent", 20.0),
        ("SAMJHADOO_AWS__RETRIES", "7", "aws.retries", 7),
        ("SAMJHADOO_AWS__ACCOUNT", "123456789012", "aws.account", "123456789012"),
        ("SAMJHADOO_INFRASTRUCTURE__MULTI_AZ", "true", "infrastructure.multi_az", True),
        ("SAMJHADOO_SERVICE__SUBNETS", "subnet-1, subnet-2", "service.subnets", ["subnet-1", "subnet-2"]),
        ("SAMJHADOO_SERVICE__SUBNETS", '["subnet-1"]', "service.subnets", ["subnet-1"]),
        ("SAMJHADOO_SERVICE__SUBNETS", "", "service.subnets", []),
        ("SAMJHADOO_SERVICE__VARIABLES", '{"cpu": "1"}', "service.variables", {"cpu": "1"}),
        ("SAMJHADOO_CACHE__SECRET", "env:REDIS", "cache.secret", SecretRef("env", "REDIS")),
        ("SAMJHADOO_NOTIFICATIONS__SLACK_WEBHOOK", "", "notifications.slack_webhook", None),
        ("SAMJHADOO_STACK", "containers", "stack.kind", "containers"),
        ("SAMJHADOO_STACK__KIND", "containers", "stack.kind", "containers"),
    ],
)
def test_a_variable_overrides_the_files_and_is_named_as_the_source(
    project: Project, variable: str, text: str, path: str, value: Any
) -> None:
    environment: Any = project.load("local", {variable: text})
    found = environment
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value
    assert environment.sources[tuple(path.split("."))] == variable


def test_a_free_name_keeps_its_letters_unless_it_is_known(project: Project) -> None:
    variables = {
        "SAMJHADOO_SERVICE__VARIABLES__CPU": "512",
        "SAMJHADOO_SERVICE__VARIABLES__Log_Level": "debug",
    }
    found = project.load("local", variables).service.variables
    assert (found["cpu"], found["Log_Level"]) == ("512", "debug")
    assert "CPU" not in found


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        (
            "SAMJHADOO_DEPLOYMENT__CANARYTIME",
            "5m",
            "does not name a setting; did you mean SAMJHADOO_DEPLOYMENT__CANARY_TIME?",
        ),
        (
            "SAMJHADOO_DEPLOYMNT__POLL",
            "5m",
            "does not name a setting; did you mean SAMJHADOO_DEPLOYMENT__POLL?",
        ),
        ("SAMJHADOO_ZZZ__X", "5m", "does not name a setting; known after SAMJHADOO_ are ALARMS"),
        ("SAMJHADOO_AWS__", "5m", "does not name a setting"),
        ("SAMJHADOO_AWS__REGION__X", "5m", "does not name a setting"),
        ("SAMJHADOO_ALARMS__CPU", "5", "alarms.cpu: is a table"),
        ("SAMJHADOO_AWS__RETRIES", "many", "aws.retries: expected a whole number from 1 to 10000, got text"),
        (
            "SAMJHADOO_AWS__RETRIES",
            "99999",
            "aws.retries: expected a whole number from 1 to 10000, got 99999",
        ),
        ("SAMJHADOO_AWS__RETRIES", "-1", "aws.retries: expected a whole number from 1 to 10000, got -1"),
        ("SAMJHADOO_AWS__RETRIES", "2.5", "aws.retries: expected a whole number from 1 to 10000, got 2.5"),
        ("SAMJHADOO_CANARY__MISS", "7", "canary.miss: expected a number above 0 and below 0.5, got 7"),
        ("SAMJHADOO_DEPLOYMENT__CANARY_PERCENT", "nan", "canary_percent: expected a"),
        ("SAMJHADOO_DEPLOYMENT__POLL", "", "deployment.poll: expected a duration"),
        ("SAMJHADOO_INFRASTRUCTURE__MULTI_AZ", "perhaps", "multi_az: expected true or false"),
        ("SAMJHADOO_SERVICE__SUBNETS", "[1]", "service.subnets: item 1: expected text"),
        ("SAMJHADOO_SERVICE__SUBNETS", "[", "service.subnets: expected a list"),
        ("SAMJHADOO_SERVICE__VARIABLES", "x", "service.variables: expected a table"),
        ("SAMJHADOO_STACK__IMAGES__POSTGRES", "a b", "stack.images.postgres: expected an image name"),
        ("SAMJHADOO_STACK__IMAGES__REDIS", "mine/Redis:7", "stack.images.redis: expected an image name"),
        ("SAMJHADOO_STACK__IMAGES__PAUSE", "x:1\n", "stack.images.pause: expected an image name"),
        (
            "SAMJHADOO_STACK__IMAGES__LOCALSTACK",
            "x@sha256:7",
            "stack.images.localstack: expected an image name",
        ),
        (
            "SAMJHADOO_STACK__IMAGES__REGISTRY",
            "https://x",
            "stack.images.registry: expected a registry",
        ),
        ("SAMJHADOO_STACK__IMAGES__REGISTRY", "/", "stack.images.registry: expected a registry"),
        ("SAMJHADOO_STACK__LOCALSTACK", '{"A=B": "x"}', "stack.localstack: 'A=B': not a valid environment"),
        (
            "SAMJHADOO_STACK__LOCALSTACK",
            '{"A": "x\\u0000y"}',
            "stack.localstack: 'A': not a valid environment",
        ),
        ("SAMJHADOO_STACK", "docker", "stack.kind: expected one of embedded, containers"),
        ("SAMJHADOO_PAYMENTS__SECRET_KEY", "sk_live_planted", "payments.secret_key: expected a reference"),
    ],
)
def test_a_wrong_variable_is_named(project: Project, variable: str, text: str, problem: str) -> None:
    (told,) = project.refusal("local", {variable: text})
    assert told.startswith(f"{variable}: ")
    assert problem in told
    assert "planted" not in told


def test_a_variable_never_makes_a_real_environment_a_local_one(project: Project) -> None:
    assert project.load("production", {"SAMJHADOO_STACK": "containers"}).stack is None
    (told,) = project.refusal("production", {"SAMJHADOO_STACK__KIND": "embedded"})
    assert "the settings files have no table [stack]" in told


def test_images_exported_for_the_local_stack_do_not_keep_a_real_environment_from_loading(
    project: Project,
) -> None:
    assert project.load("production", {"SAMJHADOO_STACK__IMAGES__REDIS": "mine/redis:7"}).stack is None
    stack = project.load("local", {"SAMJHADOO_STACK__IMAGES__REDIS": "mine/redis:7"}).stack
    assert stack is not None
    assert stack.images.redis == "mine/redis:7"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        pytest.param("POSTGRES", "postgres", id="a name"),
        pytest.param("REDIS", "mirror.example:5000/library/redis:7.2-alpine3.20", id="of a registry"),
        pytest.param("POSTGRES", f"localhost/mine__postgres:14@sha256:{'0a' * 32}", id="tag and digest"),
        pytest.param("LOCALSTACK", f"sha256:{'0a' * 32}", id="an id"),
        pytest.param("PAUSE", "", id="none"),
        pytest.param("REGISTRY", "[::1]:5000/hub/", id="registry"),
    ],
)
def test_every_name_that_docker_takes_names_an_image(project: Project, key: str, name: str) -> None:
    stack = project.load("local", {f"SAMJHADOO_STACK__IMAGES__{key}": name}).stack
    assert stack is not None
    assert getattr(stack.images, key.lower()) == name


def test_other_variables_are_not_settings(project: Project) -> None:
    others = {"SAMJHADOO_STACK_ID": "x", "SAMJHADOO": "x", "AWS__REGION": "x", "samjhadoo_aws__region": "x"}
    assert project.load("local", others).aws.region == "ap-south-1"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.from_regex(r"SAMJHADOO_[A-Z_]{1,20}__[A-Z_]{0,20}", fullmatch=True), st.text(max_size=20))
def test_any_variable_is_taken_or_refused_by_name(project: Project, name: str, text: str) -> None:
    told = project.refusal("local", {name: text})
    assert any(line.startswith(name) for line in told)


GUARDED = {
    "SAMJHADOO_AWS__ACCOUNT": ("123456789012", "aws.account"),
    "SAMJHADOO_DEPLOYMENT__ALARMS": ("[]", "deployment.alarms"),
    "SAMJHADOO_GATES__IMAGE__CRITICAL": ("-1", "gates.image.critical"),
    "SAMJHADOO_GATES__ON_UNKNOWN": ("skip", "gates.on_unknown"),
    "SAMJHADOO_GATES__POLICY": ('{"window": "off"}', "gates.policy"),
    "SAMJHADOO_GATES__POLICY__WINDOW": ("off", "gates.policy.window"),
    "SAMJHADOO_JOURNAL__BUCKET": ("another-bucket", "journal.bucket"),
    "SAMJHADOO_LOCK__LEASE": ("1s", "lock.lease"),
    "SAMJHADOO_PAYMENTS__CHECK": ("off", "payments.check"),
    "SAMJHADOO_ROLLBACK__UNMONITORED": ("warn", "rollback.unmonitored"),
    "SAMJHADOO_WINDOWS__EMERGENCY": ("always", "windows.emergency"),
    "SAMJHADOO_WINDOWS__MANAGERS": ("mallory", "windows.managers"),
}


@pytest.mark.parametrize("name", ["production", "staging"])
@pytest.mark.parametrize("variable", GUARDED)
def test_where_releases_are_real_no_variable_weakens_what_protects_them(
    project: Project, name: str, variable: str
) -> None:
    text, key = GUARDED[variable]
    (problem,) = project.refusal(name, {variable: text})
    assert problem == (
        f"{variable}: {key}: cannot be set by a variable without a local stack; "
        f"set it in environments/{name}.toml"
    )


@pytest.mark.parametrize("variable", GUARDED)
def test_a_local_stack_takes_every_setting_from_variables(project: Project, variable: str) -> None:
    assert variable in project.load("local", {variable: GUARDED[variable][0]}).variables


def test_a_service_of_its_own_name_is_guarded_too(project: Project) -> None:
    project.append("production", '\n[services.api]\n[services.web.service]\nname = "web"\n')
    (problem,) = project.refusal("production", {"SAMJHADOO_GATES__ON_UNKNOWN": "skip"})
    assert "SAMJHADOO_GATES__ON_UNKNOWN: gates.on_unknown: cannot be set by a variable" in problem


def test_other_settings_come_from_variables_anywhere_and_are_listed(project: Project) -> None:
    found = project.load(
        "production",
        {
            "SAMJHADOO_DEPLOYMENT__CANARY_PERCENT": "5",
            "SAMJHADOO_SERVICE__VARIABLES__CPU": "512",
            "SAMJHADOO_AWS__PROFILE": "",
        },
    )
    assert set_by_variables(found) == {
        "aws.profile": {"value": "", "variable": "SAMJHADOO_AWS__PROFILE"},
        "deployment.canary_percent": {"value": "5.0", "variable": "SAMJHADOO_DEPLOYMENT__CANARY_PERCENT"},
        "service.variables.cpu": {"value": "512", "variable": "SAMJHADOO_SERVICE__VARIABLES__CPU"},
    }
