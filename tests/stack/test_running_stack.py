"""What a running stack offers; one stack for all of these tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import boto3
import psutil
import psycopg
import pytest
import redis
from botocore.config import Config

from samjhadoo_ops import stack
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.stack import logs
from samjhadoo_ops.stack.plan import StackPlan
from samjhadoo_ops.stack.seeds import seed_environment, seed_scripts
from samjhadoo_ops.stack.variables import FOREIGN


@pytest.fixture
def client(seeded):
    made = []

    def make(service):
        made.append(
            boto3.client(
                service,
                endpoint_url=seeded.state.endpoints.aws,
                region_name=seeded.state.region,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(proxies={}),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def secret(client, name):
    return json.loads(client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def test_starting_again_finds_the_running_stack(seeded):
    before = seeded.state
    assert seeded.up() == stack.ensure_up(seeded.env, seeded.console, start=False)
    assert seeded.state == before


def test_everything_listens_on_loopback_only(seeded):
    sockets = seeded.sockets()
    assert len(sockets) >= 3
    assert {address for address, _ in sockets} == {"127.0.0.1"}


def test_every_endpoint_answers_at_its_address(seeded):
    paths = seeded.state.endpoints
    for place in (paths.aws, paths.production, paths.test, paths.postgres, paths.redis):
        with socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2])), timeout=10):
            pass


def test_the_database_of_the_secret_is_postgresql_14(client):
    place = secret(client, "samjhadoo/local/database")
    with psycopg.connect(
        host=place["host"],
        port=place["port"],
        dbname=place["dbname"],
        user=place["username"],
        password=place["password"],
    ) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int / 10000, usesuper FROM pg_user "
            "WHERE usename = current_user"
        ).fetchone()
        connection.execute("CREATE TABLE mine (id int)")
    assert row == (14, False)


def test_the_database_refuses_a_wrong_password(client):
    place = secret(client, "samjhadoo/local/database")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host=place["host"], port=place["port"], user=place["username"], password="wrong", dbname="x"
        )


def test_redis_refuses_who_has_no_password(client):
    place = secret(client, "samjhadoo/local/redis")
    with (
        redis.Redis(place["host"], place["port"]) as connection,
        pytest.raises(redis.AuthenticationError),
    ):
        connection.ping()
    commands = [" ".join(each.cmdline()) for each in psutil.process_iter() if each.name() == "redis-server"]
    assert not any(place["password"] in command for command in commands)


def test_the_redis_of_the_secret_answers(client):
    with redis.Redis(**secret(client, "samjhadoo/local/redis")) as connection:
        assert connection.ping()
        assert connection.config_get("save") == {"save": ""}


def test_the_seeds_exist(seeded, client):
    env = seeded.env
    groups = client("elbv2").describe_target_groups(Names=env.service.target_groups)["TargetGroups"]
    assert {(group["HealthCheckPath"], group["UnhealthyThresholdCount"]) for group in groups} == {
        ("/health", 5)
    }
    balancer = client("elbv2").describe_load_balancers(Names=[env.service.load_balancer])["LoadBalancers"][0]
    listeners = client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert {listener["Port"] for listener in listeners} == {8080, 8081}
    repositories = client("ecr").describe_repositories(repositoryNames=[env.build.repository])["repositories"]
    assert repositories[0]["imageTagMutability"] == "IMMUTABLE"
    clusters = client("ecs").describe_clusters(clusters=[env.service.cluster])["clusters"]
    assert [cluster["status"] for cluster in clusters] == ["ACTIVE"]
    assert env.journal.bucket in [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    assert client("iam").get_role(RoleName=env.service.infrastructure_role)


def test_seeding_again_changes_nothing(seeded, client):
    import msgspec

    def counts():
        return (
            len(
                client("elbv2").describe_listeners(
                    LoadBalancerArn=client("elbv2").describe_load_balancers()["LoadBalancers"][0][
                        "LoadBalancerArn"
                    ]
                )["Listeners"]
            ),
            len(client("elbv2").describe_target_groups()["TargetGroups"]),
            secret(client, "samjhadoo/local/stripe"),
            secret(client, "samjhadoo/local/database"),
        )

    before = counts()
    plan = msgspec.json.decode((seeded.paths.run(seeded.state.id) / "plan.json").read_bytes(), type=StackPlan)
    paths = seeded.state.endpoints
    ports = msgspec.structs.replace(
        plan.ports,
        edge=int(paths.aws.rpartition(":")[2]),
        postgres=int(paths.postgres.rpartition(":")[2]),
        redis=int(paths.redis.rpartition(":")[2]),
    )
    subprocess.run(
        [sys.executable, "-m", "samjhadoo_ops.stack.hooks", *seed_scripts(seeded.root)],
        env=seed_environment(plan, ports),
        check=True,
        timeout=60,
    )
    assert counts() == before


def test_status_shows_processes_listeners_and_what_serves_each_service(seeded):
    found = stack.status(seeded.env)
    assert found.running
    names = {each.name for each in (*found.processes, *found.containers)}
    assert {"supervisor", "watchdog", "emulator", "postgres", "redis", "envoy"} <= names
    assert ("localstack" in names) == (found.kind == "containers")
    assert all(process.memory > 0 for process in found.processes)
    assert {listener.port for listener in found.listeners} == {8080, 8081}
    assert {name for name, by in found.services.items() if by == "live"} >= {"ecs", "elbv2", "ecr"}
    assert found.services["s3"] == ("localstack" if found.kind == "containers" else "moto")
    assert found.services["rds"] == "moto"


@pytest.mark.parametrize("seeded", [pytest.param("containers", marks=pytest.mark.containers)], indirect=True)
def test_servers_in_containers_are_published_on_loopback_only(seeded, engine):
    servers = ["localstack", "postgres", "redis"]
    assert sorted(each.name for each in seeded.state.containers) == servers
    for each in seeded.state.containers:
        published = engine.containers.get(each.id).attrs["NetworkSettings"]["Ports"]
        bound = [place for paths in published.values() for place in paths or []]
        assert [place["HostIp"] for place in bound] == ["127.0.0.1"]
    status = stack.status(seeded.env)
    assert (status.kind, sorted(each.name for each in status.containers)) == ("containers", servers)
    assert all("Up" in each.state for each in status.containers)


def test_only_its_owner_can_read_the_state_file(seeded):
    assert seeded.paths.state.stat().st_mode & 0o077 == 0
    assert (seeded.paths.run(seeded.state.id) / "plan.json").stat().st_mode & 0o077 == 0


def test_logs_are_shown_for_each_process(seeded):
    files = logs.log_files(seeded.env)
    shown = []
    logs.show(logs.select(files, "postgres"), 5, lambda name, line: shown.append((name, line)))
    assert 0 < len(shown) <= 5
    assert {name for name, _ in shown} == {"postgres"}


def test_logs_of_an_unknown_process_are_refused(seeded):
    with pytest.raises(ConfigurationError, match="no process 'nobody'") as caught:
        logs.select(logs.log_files(seeded.env), "nobody")
    assert "emulator" in caught.value.hint


def test_a_stack_with_another_clock_is_refused(seeded):
    other = load_environment(
        "local", root=seeded.root, variables={**seeded.variables, "SAMJHADOO_CLOCK__MINUTE": "0.5s"}
    )
    with pytest.raises(ConfigurationError, match=r"clock\.minute = 0\.2") as caught:
        stack.ensure_up(other, seeded.console, start=True)
    assert "stack.reset" in caught.value.hint


def test_the_variables_for_a_shell_lead_other_programs_to_the_stack(seeded):
    program = """
import os, boto3, psycopg, redis
assert boto3.client("sts").get_caller_identity()["Account"] == "000000000000"
with psycopg.connect() as by_variables, psycopg.connect(os.environ["DATABASE_URL"]) as by_url:
    assert by_variables.info.dbname == by_url.info.dbname
assert redis.from_url(os.environ["REDIS_URL"]).ping()
"""
    foreign = {**dict.fromkeys(FOREIGN, "true"), "AWS_PROFILE": "of-nobody"}
    lines = subprocess.run(
        [sys.executable, "-m", "samjhadoo_ops.tasks", "stack.env"],
        cwd=seeded.root,
        env={**os.environ, **seeded.variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    done = subprocess.run(
        ["sh", "-euc", 'eval "$1"; exec "$2" -c "$3"', "sh", lines, sys.executable, program],
        env={**os.environ, **foreign},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_load_on_a_stack_without_a_service_reports_that_nothing_answers(seeded):
    done = subprocess.run(
        [sys.executable, "-m", "samjhadoo_ops.tasks", "stack.load", "--rate", "20", "--duration", "1s"],
        cwd=seeded.root,
        env={**os.environ, **seeded.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"error: nothing answers at {seeded.state.endpoints.production}/" in done.stderr
    assert "times HTTP 503" in done.stderr
