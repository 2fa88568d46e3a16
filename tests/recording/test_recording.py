"""Every AWS call of the tool is recorded, whichever process makes it, and compared with the policy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aws_calls
import pytest
from policy_check import RecordedCall, lacking, read_calls, superfluous

from samjhadoo_ops.infrastructure.permissions import PERMISSIONS

HERE = Path(__file__).parent

CALL = """
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.session import Session
code = '''
def call(client):
    client.{call}(**{parameters})
'''
def client(service):
    session = Session()
    session.set_credentials("test", "test")
    once = Config(retries={{"total_max_attempts": 1}}, proxies={{}})
    return session.create_client(service, "eu-west-1", endpoint_url="http://127.0.0.1:1", config=once)
def test_it():
    caller = {{"__name__": "{module}"}}
    exec(code, caller)
    try:
        caller["call"](client("{service}"))
    except EndpointConnectionError:
        pass
"""
"""A module that makes a call in the name of another one."""

CONFTEST = """
import policy_check
def pytest_addoption(parser):
    policy_check.add_option(parser)
def pytest_configure(config):
    policy_check.start(config)
"""


def source(module: str, service: str, call: str, **parameters: str) -> str:
    return CALL.format(module=module, service=service, call=call, parameters=parameters)


def python(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": os.fspath(HERE), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_that_the_tests_start_records_its_calls_with_the_module_that_makes_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "calls.jsonl"
    text = source("samjhadoo_ops.deployment.ecs", "ecs", "describe_services", cluster="c")
    text = text.replace("'c'}", "'c', 'services': ['s']}") + "test_it()\n"
    done = python(tmp_path, "-c", text, **{aws_calls.VARIABLE: os.fspath(file)})
    assert (done.returncode, done.stderr) == (0, "")
    assert read_calls(file) == [
        RecordedCall(
            "samjhadoo_ops.deployment.ecs", "ecs:DescribeServices", {"cluster": "c", "services": ["s"]}
        )
    ]


@pytest.mark.parametrize("module", ["tests.deployment.test_live", "samjhadoo_ops.rehearsal.observer"])
def test_calls_that_never_reach_aws_do_not_count(tmp_path: Path, module: str) -> None:
    file = tmp_path / "calls.jsonl"
    text = source(module, "sqs", "list_queues") + "test_it()\n"
    done = python(tmp_path, "-c", text, **{aws_calls.VARIABLE: os.fspath(file)})
    assert done.returncode == 0, done.stderr
    assert read_calls(file) == []


def test_a_call_without_a_permission_is_named_with_its_module() -> None:
    known = RecordedCall("samjhadoo_ops.aws", "sts:GetCallerIdentity")
    unknown = RecordedCall("samjhadoo_ops.release.ecr", "ecr:DeleteRepository")
    (problem,) = lacking([known, unknown, unknown])
    assert problem.startswith("samjhadoo_ops.release.ecr calls ecr:DeleteRepository")


def test_a_permission_without_a_call_is_named() -> None:
    every = [RecordedCall("samjhadoo_ops.x", name) for each in PERMISSIONS for name in each.calls]
    assert superfluous(every) == []
    assert superfluous(every[1:]) == [
        f"no test makes the tool call {every[0].name}, which the permission Service allows"
    ]


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    ("call", "options", "code", "shown"),
    [
        pytest.param(("sqs", "list_queues"), [], 1, "calls sqs:ListQueues", id="a-call-without-permission"),
        pytest.param(("sts", "get_caller_identity"), [], 0, "1 passed", id="part-of-the-tests"),
        pytest.param(
            ("sts", "get_caller_identity"),
            ["--every-aws-call"],
            1,
            "no test makes the tool call ecs:UpdateService",
            id="all-of-the-tests",
        ),
    ],
)
def test_a_run_of_tests_fails_by_the_calls_of_all_its_workers(
    tmp_path: Path, workers: str, call: tuple[str, str], options: list[str], code: int, shown: str
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_one.py").write_text(source("samjhadoo_ops.deployment.new", *call))
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, *options, "."]
    done = python(tmp_path, *arguments)
    assert shown in done.stdout, done.stdout + done.stderr
    assert done.returncode == code
