"""The main job as a user runs it: deploy, deploy again under load, roll back, take the stack down."""

from __future__ import annotations

import json
import math
import time
import urllib.request

import psycopg
import pytest

from samjhadoo_emulator.testing import eventually
from user_project import CLUSTER, SERVICE, canary


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, json.load(answer)


def watch_canary(project):
    """Watch a canary; return when it surely had begun, surely had not ended, and surely had ended."""
    eventually(lambda: project.share_of_the_target() == 10)
    began = ended = time.monotonic()
    while True:
        asked = time.monotonic()
        seen = project.share_of_the_target()
        if seen == 100:
            return began, ended, time.monotonic()
        assert seen == 10
        ended = asked
        time.sleep(0.05)


def test_the_deployed_backend_serves_its_git_sha(project):
    production = project.state()["endpoints"]["production"]
    status, health = get(f"{production}/health")
    assert (status, health["status"]) == (200, "UP")
    assert get(f"{production}/api/v1/version")[1]["git_sha"] == project.git("rev-parse", "HEAD")


def test_aws_clients_see_what_is_true(project):
    ecs, elb, ecr = project.client("ecs"), project.client("elbv2"), project.client("ecr")
    service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    assert service["runningCount"] == service["desiredCount"] == 2
    revision = ecs.describe_service_revisions(
        serviceRevisionArns=[service["currentServiceRevisions"][0]["arn"]]
    )
    group = revision["serviceRevisions"][0]["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"]
    health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy", "healthy"]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    repository, _, digest = definition["containerDefinitions"][0]["image"].partition("@")
    image = {"imageDigest": digest}
    found = ecr.describe_images(repositoryName=repository.partition("/")[2], imageIds=[image])["imageDetails"]
    assert [each["imageDigest"] for each in found] == [digest]
    assert project.latest_deployment()["status"] == "SUCCESSFUL"


def test_flyway_wrote_the_schema_history(project):
    secret = project.client("secretsmanager").get_secret_value(SecretId="samjhadoo/local/database")[
        "SecretString"
    ]
    settings = json.loads(secret)
    with psycopg.connect(
        host=settings["host"],
        port=settings["port"],
        dbname=settings["dbname"],
        user=settings["username"],
        password=settings["password"],
    ) as connection:
        rows = connection.execute("SELECT script, success, checksum FROM flyway_schema_history").fetchall()
    scripts = {path.name for path in (project.folder / "docker/backend/db/migration").glob("*.sql")}
    assert {script for script, _, _ in rows} == scripts
    assert all(success for _, success, _ in rows)


def test_an_unchanged_release_is_not_deployed_again(project):
    before = project.latest_deployment()["serviceDeploymentArn"]
    again = project.invoke("deploy", "--env", "local", "--json")
    assert (again.code, again.result["outcome"]) == (0, "unchanged")
    assert project.latest_deployment()["serviceDeploymentArn"] == before


def test_a_changed_release_goes_out_as_a_canary_and_no_request_fails(project, load):
    production = project.state()["endpoints"]["production"]
    with load(f"{production}/api/v1/lessons/1", rate=100) as requests:
        sha = project.change("LABEL changed=1")
        deploying = project.start("deploy", "--env", "local", **canary("15m"))
        began, ended, done = watch_canary(project)
        _, stderr = deploying.communicate(timeout=120)
        assert deploying.returncode == 0, stderr
    assert requests.failures == []
    seen = [version for when, version in requests.answers if began < when < ended]
    share = sum(version == sha for version in seen) / len(seen)
    assert abs(share - 0.1) <= 5 * math.sqrt(0.1 * 0.9 / len(seen)), (share, len(seen))
    assert {version for when, version in requests.answers if when > done + 1} == {sha}
    assert get(f"{production}/api/v1/version")[1]["git_sha"] == sha


def test_a_rollback_during_the_canary_gives_the_traffic_back_at_once_and_no_request_fails(project, load):
    production = project.state()["endpoints"]["production"]
    old = get(f"{production}/api/v1/version")[1]["git_sha"]
    with load(f"{production}/api/v1/lessons/1", rate=100) as requests:
        new = project.change("LABEL changed=2")
        deploying = project.start("deploy", "--env", "local", **canary("120m"))
        eventually(lambda: project.share_of_the_target() == 10)
        back = project.invoke("rollback", "--env", "local", "--json")
        assert back.code == 0, back.stderr
        deploying.communicate(timeout=120)
        assert deploying.returncode == 4
    assert requests.failures == []
    stopped = project.latest_deployment()["stoppedAt"]
    assert project.latest_deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    clock = project.state()["clock"]
    stopped_real = clock["origin"] + (stopped.timestamp() - clock["origin"]) * clock["minute"] / 60
    offset = time.time() - time.monotonic()
    assert [
        when for when, version in requests.answers if version == new and when + offset > stopped_real + 3
    ] == []
    assert get(f"{production}/api/v1/version")[1]["git_sha"] == old


def test_after_completion_a_rollback_returns_to_the_last_successful_release(project):
    production = project.state()["endpoints"]["production"]
    old = get(f"{production}/api/v1/version")[1]["git_sha"]
    new = project.change("LABEL changed=3")
    assert project.invoke("deploy", "--env", "local").code == 0
    assert get(f"{production}/api/v1/version")[1]["git_sha"] == new
    back = project.invoke("rollback", "--env", "local")
    assert back.code == 0, back.stderr
    assert "the schema stays at V" in back.stdout
    assert get(f"{production}/api/v1/version")[1]["git_sha"] == old


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param("ENV FAULT_CRASH_AFTER=0 FAULT_CRASH_CODE=7", "exit code 7", id="exits-at-once"),
        pytest.param("ENV FAULT_HEALTH=fail", "Task failed ELB health checks", id="never-healthy"),
    ],
)
def test_a_bad_release_is_rolled_back_and_the_reason_is_told(project, load, fault, told):
    production = project.state()["endpoints"]["production"]
    old = get(f"{production}/api/v1/version")[1]["git_sha"]
    project.change(fault)
    with load(f"{production}/api/v1/lessons/1", rate=20) as requests:
        bad = project.invoke("deploy", "--env", "local")
    project.restore()
    assert bad.code == 4, bad.stderr
    assert told in bad.stdout + bad.stderr, bad.stderr
    assert requests.failures == []
    assert {version for _, version in requests.answers} == {old}


def test_errors_of_a_canary_are_found_under_load_rolled_back_and_told_in_numbers(project, load):
    production = project.state()["endpoints"]["production"]
    old = get(f"{production}/api/v1/version")[1]["git_sha"]
    project.change("ENV FAULT_ERROR_RATE=20%")
    with load(f"{production}/api/v1/lessons/1", rate=200) as requests:
        settings = {**canary("15m"), "SAMJHADOO_SMOKE__ATTEMPTS": "10"}
        bad = project.invoke("deploy", "--env", "local", "--json", **settings)
    project.restore()
    assert bad.code == 4, bad.stderr
    verdict = [event for event in bad.events if event["event"] == "verdict"][-1]
    assert (verdict["opinion"], verdict["signal"], verdict["threshold"]) == ("FAIL", "errors", 0.05)
    assert verdict["observed"] > 0.02
    assert verdict["sample"] > 0
    assert verdict["baseline"] == 0.0
    told = f"of {verdict['sample']} canary requests failed"
    assert told in bad.result["message"]
    assert f"in {verdict['window'] / 60:g} emulated min, limit 5 %" in bad.result["message"]
    assert {status for _, status in requests.failures} == {500}
    assert get(f"{production}/api/v1/version")[1]["git_sha"] == old
    again = project.invoke("verdict", "--json")
    assert (again.code, again.result["outcome"]) == (0, "fail")


def test_a_second_deploy_while_one_runs_is_refused_and_names_the_holder(project):
    project.change("LABEL changed=4")
    deploying = project.start("deploy", "--env", "local", **canary("40m"))
    eventually(lambda: project.share_of_the_target() == 10)
    second = project.invoke("deploy", "--env", "local", "--json")
    assert (second.code, second.result["outcome"]) == (3, "refused")
    assert str(deploying.pid) in second.stdout
    _, stderr = deploying.communicate(timeout=120)
    assert deploying.returncode == 0, stderr


def test_a_failing_migration_stops_the_deploy_before_the_service_is_touched(project):
    before = project.latest_deployment()["serviceDeploymentArn"]
    script = project.folder / "docker/backend/db/migration/V6__broken.sql"
    script.write_text("CREATE TABLE fine (id bigint);\nSELECT nonsense FROM nowhere;\n")
    project.commit("Break the schema")
    broken = project.invoke("deploy", "--env", "local")
    project.restore()
    assert broken.code == 4
    assert "V6__broken.sql:2" in broken.stderr
    assert project.latest_deployment()["serviceDeploymentArn"] == before
    assert project.invoke("migrate.verify").code == 0


def test_a_migration_edited_after_it_ran_is_refused(project):
    script = next((project.folder / "docker/backend/db/migration").glob("V1__*.sql"))
    script.write_text(script.read_text() + "\n-- changed\nSELECT 1;\n")
    project.commit("Edit history")
    refused = project.invoke("deploy", "--env", "local")
    project.restore()
    assert refused.code == 3, refused.stderr
    assert script.name in refused.stderr


def test_dry_run_and_plan_change_nothing(project):
    before = project.latest_deployment()["serviceDeploymentArn"]
    project.change("LABEL changed=5")
    for arguments in (("plan", "--json"), ("deploy", "--plan", "--json"), ("--dry", "deploy", "--json")):
        planned = project.invoke(*arguments)
        assert planned.code == 0, planned.stderr
    assert project.latest_deployment()["serviceDeploymentArn"] == before


def test_history_and_status_tell_what_happened(project):
    history = project.invoke("history", "--json")
    assert history.code == 0
    outcomes = json.dumps(history.events)
    assert "succeeded" in outcomes
    assert "rolled back" in outcomes or "rolled_back" in outcomes
    status = project.invoke("status", "--json")
    assert status.code == 0
    assert status.result["exit_code"] == 0
