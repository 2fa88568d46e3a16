"""testcontainers starts the stand-ins as it starts the images in whose place they stand."""

from __future__ import annotations

import boto3
import psycopg
import pytest
import redis
import testcontainers.core.config
from testcontainers.community.localstack import LocalStackContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer

pytestmark = [
    pytest.mark.containers,
    # testcontainers' own LocalStackContainer waits by a function that testcontainers has deprecated.
    pytest.mark.filterwarnings("ignore:The wait_for_logs function:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def no_reaper(monkeypatch):
    """Its reaper is an image of its own, which is not to be had without a registry."""
    monkeypatch.setattr(testcontainers.core.config.testcontainers_config, "ryuk_disabled", True)


def test_postgres_starts_and_asks_those_outside_for_the_password(airgap_image):
    with PostgresContainer(airgap_image("postgres"), driver=None) as postgres:
        url = postgres.get_connection_url().replace("localhost", "127.0.0.1")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url, password="wrong")


def test_redis_starts_and_answers(airgap_image):
    with (
        RedisContainer(airgap_image("redis")) as container,
        redis.Redis(host="127.0.0.1", port=int(container.get_exposed_port(6379))) as client,
    ):
        assert client.ping()


def test_localstack_starts_and_answers(airgap_image):
    with LocalStackContainer(airgap_image("localstack")) as localstack:
        client = boto3.client(
            "sts",
            endpoint_url=f"http://127.0.0.1:{localstack.get_exposed_port(4566)}",
            region_name="ap-south-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        assert client.get_caller_identity()["Account"] == "000000000000"
        client.close()
