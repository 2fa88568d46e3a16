"""Each stand-in keeps the conventions of the image in whose place it stands."""

from __future__ import annotations

import gzip
import json
import time

import pytest

pytestmark = pytest.mark.containers

READY = "PostgreSQL init process complete; ready for start up."
PSQL = ("psql", "-h", "127.0.0.1", "-U", "app", "-d", "lessons", "-Atc")


def test_postgres_makes_the_named_database_and_runs_what_was_put_into_its_init_folder(start, output, logged):
    container = start(
        "postgres",
        "-c",
        "fsync=off",
        environment={
            "POSTGRES_USER": "app",
            "POSTGRES_DB": "lessons",
            "POSTGRES_PASSWORD_FILE": "/run/password",
            "POSTGRES_INITDB_ARGS": "--data-checksums",
        },
        files={
            "/run/password": b"secret\n",
            "/docker-entrypoint-initdb.d/1.sql": b"CREATE TABLE steps (step text);",
            "/docker-entrypoint-initdb.d/2.sql.gz": gzip.compress(b"INSERT INTO steps VALUES ('packed');"),
            "/docker-entrypoint-initdb.d/3.sh": b"#!/bin/sh\n"
            b'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO steps VALUES (\'shell\')"\n',
            "/docker-entrypoint-initdb.d/4.sql": b"CREATE EXTENSION pgcrypto;",
            "/docker-entrypoint-initdb.d/5.txt": b"no script",
        },
    )

    log = logged(container, READY)
    assert "ignoring /docker-entrypoint-initdb.d/5.txt" in log
    container.reload()
    password = ("env", "PGPASSWORD=secret", *PSQL)
    assert output(container, *password, "SELECT string_agg(step, ',') FROM steps") == "packed,shell"
    shown = {name: output(container, *password, f"SHOW {name}") for name in ("fsync", "data_checksums")}
    assert shown == {"fsync": "off", "data_checksums": "on"}
    assert output(container, *password, "SHOW server_version").startswith("14.")
    assert output(container, *password, "SHOW lc_collate") == "en_US.utf8"
    assert (
        output(container, "sh", "-c", "cut -d: -f1 /proc/1/comm; stat -c %U /proc/1") == "postgres\npostgres"
    )
    assert "lessons" in output(container, "sh", "-c", "PGPASSWORD=secret pg_dump -C -U app lessons")
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0


def test_postgres_asks_for_a_password_as_the_official_image_does(start, ended):
    code, log = ended(start("postgres"))

    assert code == 1
    assert log.startswith("Error: Database is uninitialized and superuser password is not specified.")


def test_postgres_refuses_a_variable_that_is_given_twice(start, ended):
    given = {"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/b"}

    code, log = ended(start("postgres", environment=given))

    assert code == 1
    assert "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set (but are exclusive)" in log


@pytest.mark.parametrize("command", [("--version",), ("postgres", "--version"), ("psql", "--version")])
def test_postgres_runs_other_commands_without_a_database(start, ended, command):
    code, log = ended(start("postgres", *command))

    assert code == 0
    assert "(PostgreSQL) 1" in log


def test_redis_takes_options_serves_other_containers_and_is_not_root(start, output):
    container = start("redis", "--save", "", "--maxmemory", "64mb")

    assert output(container, "redis-cli", "ping") == "PONG"
    assert output(container, "redis-cli", "config", "get", "maxmemory") == "maxmemory\n67108864"
    assert output(container, "redis-cli", "config", "get", "protected-mode") == "protected-mode\nno"
    assert "redis_version:7." in output(container, "redis-cli", "info", "server")
    assert output(container, "sh", "-c", "pwd; stat -c %U /proc/1") == "/data\nredis"
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0


def test_redis_lets_the_caller_have_protected_mode(start, output):
    container = start("redis", "redis-server", "--protected-mode", "yes")

    assert output(container, "redis-cli", "config", "get", "protected-mode") == "protected-mode\nyes"


def test_redis_reads_a_configuration_file_and_runs_other_commands(start, output, ended):
    container = start("redis", "/etc/own.conf", files={"/etc/own.conf": b"maxclients 77\n"})

    assert output(container, "redis-cli", "config", "get", "maxclients") == "maxclients\n77"
    assert "v=7." in ended(start("redis", "redis-server", "--version"))[1]
    assert ended(start("redis", "echo", "as it is")) == (0, "as it is\n")


def test_localstack_serves_aws_without_a_network_and_runs_its_hooks(start, output, logged):
    stages = ("boot", "start", "ready", "shutdown")
    container = start(
        "localstack",
        network_mode="none",
        files={
            f"/etc/localstack/init/{stage}.d/mark.sh": f"#!/bin/sh\necho hook of {stage}\n".encode()
            for stage in stages
        },
    )

    log = logged(container, "hook of ready")
    assert "Ready." in log.splitlines()
    assert log.index("hook of boot") < log.index("hook of start") < log.index("hook of ready")
    health = json.loads(output(container, "curl", "-s", "http://127.0.0.1:4566/_localstack/health"))
    assert (health["edition"], health["version"]) == ("community", "2026.3.0")
    assert output(container, "python3", "-c", _calls()) == "served"
    start_of_stop = time.monotonic()
    container.stop(timeout=60)
    assert container.wait()["StatusCode"] in {0, 143}
    assert time.monotonic() - start_of_stop < 50, "it had to be killed"
    assert "hook of shutdown" in container.logs().decode()


def _calls() -> str:
    return """
import boto3
aws = lambda name: boto3.client(name, endpoint_url="http://127.0.0.1:4566", region_name="ap-south-1",
                                aws_access_key_id="test", aws_secret_access_key="test")
aws("s3").create_bucket(Bucket="lessons", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
aws("s3").put_object(Bucket="lessons", Key="a", Body=b"b")
assert aws("s3").get_object(Bucket="lessons", Key="a")["Body"].read() == b"b"
aws("ssm").put_parameter(Name="/a", Value="b", Type="SecureString")
aws("secretsmanager").create_secret(Name="a", SecretString="b")
aws("sns").create_topic(Name="a")
aws("sqs").create_queue(QueueName="a")
aws("ses").verify_email_identity(EmailAddress="a@example.com")
aws("logs").create_log_group(logGroupName="a")
aws("iam").create_role(RoleName="a", AssumeRolePolicyDocument="{}")
aws("sts").get_caller_identity()
aws("ec2").describe_vpcs()
aws("events").put_rule(Name="a", ScheduleExpression="rate(1 day)")
aws("kms").create_key()
print("served")
"""


def test_flyway_is_the_entry_point_and_tells_its_version_and_its_commands(start, ended):
    code, version = ended(start("flyway", "-v"))
    assert (code, "Flyway Community Edition" in version or "Flyway OSS Edition" in version) == (0, True), (
        version
    )

    code, usage = ended(start("flyway"))
    assert code == 0
    assert "flyway [options] [command]" in usage


def test_flyway_migrates_what_is_in_its_sql_folder(start, logged, ended):
    database = start("postgres", environment={"POSTGRES_PASSWORD": "secret"})
    logged(database, READY)

    code, log = ended(
        start(
            "flyway",
            "-url=jdbc:postgresql://127.0.0.1/postgres",
            "-user=postgres",
            "-connectRetries=20",
            "migrate",
            network_mode=f"container:{database.id}",
            environment={"FLYWAY_PASSWORD": "secret"},
            files={"/flyway/sql/V1__first.sql": b"CREATE TABLE a (b int);"},
        )
    )

    assert code == 0, log
    assert "Successfully applied 1 migration" in log


def test_the_backends_base_has_its_packages_and_its_user(start, ended):
    code, log = ended(
        start(
            "backend-base",
            "python",
            "-c",
            "import hiredis, os, psycopg, starlette, stripe, sys, uvicorn\n"
            "print(os.getuid(), sys.version_info >= (3, 11))",
        )
    )

    assert (code, log) == (0, "10001 True\n")


@pytest.mark.parametrize("name", ["postgres", "redis", "localstack", "flyway", "backend-base"])
def test_nothing_of_the_machine_that_built_it_is_left(engine, airgap_image, name):
    image = engine.images.get(airgap_image(name))

    container = engine.containers.create(image.id)
    try:
        assert not [name for name in image.attrs["Config"]["Env"] if "proxy" in name.lower()]
        assert not [name for name in image.attrs["Config"]["Env"] if name.startswith(("PIP_", "APT_"))]
        left = [path for path in ("/.airgap", "/etc/pip.conf", "/root/.config/pip") if _has(container, path)]
        assert left == []
    finally:
        container.remove(v=True)


def _has(container, path: str) -> bool:
    from docker.errors import NotFound

    try:
        stream, _ = container.get_archive(path)
    except NotFound:
        return False
    stream.close()
    return True
