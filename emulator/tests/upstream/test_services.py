"""Who serves which service: the edge, the upstream, or moto for what a LocalStack lacks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from samjhadoo_emulator.identify import SIGNING_NAMES, service_of
from samjhadoo_emulator.registry import LIVE, live_services
from samjhadoo_emulator.testing import running_emulator
from samjhadoo_emulator.upstream.crashes import answering

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)
PRESIGNED = "X-Amz-Credential=AKID%2F20261123%2Feu-west-1%2F{}%2Faws4_request&X-Amz-Signature=0"


@pytest.mark.parametrize(
    ("headers", "query", "path", "service"),
    [
        pytest.param(
            {"authorization": SIGNED.format("servicequotas")}, "", "/", "service-quotas", id="alias"
        ),
        pytest.param({"authorization": SIGNED.format("kms")}, "", "/", "kms", id="same-name"),
        pytest.param({"authorization": SIGNED.format("ses")}, "", "/v2/email/identities", "sesv2", id="path"),
        pytest.param({"authorization": SIGNED.format("ses")}, "", "/", "ses", id="other-path"),
        pytest.param(
            {
                "x-amz-target": "DynamoDBStreams_20120810.ListStreams",
                "authorization": SIGNED.format("dynamodb"),
            },
            "",
            "/",
            "dynamodbstreams",
            id="target",
        ),
        pytest.param({}, PRESIGNED.format("s3"), "/bucket/key", "s3", id="presigned"),
        pytest.param(
            {}, "AWSAccessKeyId=a&Signature=b&Expires=1", "/bucket/key", "s3", id="presigned-before-v4"
        ),
        pytest.param({}, "", "/_localstack/health", "", id="nobody-tells"),
    ],
)
def test_a_service_is_identified_by_signature_target_and_path(headers, query, path, service):
    assert service_of(headers, query=query, path=path) == service


def test_the_names_that_services_sign_with_are_botocores():
    from botocore.loaders import Loader

    loader = Loader()
    for signing, service in SIGNING_NAMES.items():
        metadata = loader.load_service_model(service, "service-2")["metadata"]
        names = {metadata.get("signingName", metadata["endpointPrefix"]), metadata["endpointPrefix"]}
        assert signing in names, service


def test_the_live_services_are_named_alike_everywhere():
    assert sorted(live_services()) == sorted(LIVE)


@pytest.fixture
def localstack(scripted):
    """The scripted server with the health page of a LocalStack."""
    page = {
        "services": {"s3": "available", "sns": "available", "sqs": "running", "kms": "disabled"},
        "edition": "community",
    }
    text = json.dumps({**page, "version": "4.14.0"}).encode()
    answer = b"HTTP/1.1 200 OK\r\nx-localstack: true\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
    scripted.answers["/_localstack/health"] = lambda to: to.sendall(answer)
    yield scripted
    del scripted.answers["/_localstack/health"]


def test_what_a_localstack_lacks_is_served_by_moto(localstack, tmp_path):
    with running_emulator("--upstream", localstack.url, runtime="noop", folder=tmp_path) as emulator:
        health = emulator.ask("GET", "health")["upstream"]
        told = {
            "kind": "localstack",
            "version": "4.14.0",
            "url": localstack.url,
            "answers": True,
            "problem": "",
        }
        assert health == told
        served = emulator.ask("GET", "services")
        expected = {"ecs": "live", "s3": "localstack", "sqs": "localstack", "kms": "moto", "rds": "moto"}
        assert {name: served[name] for name in expected} == expected
        before = len(localstack.seen)
        assert emulator.client("rds").describe_db_instances()["DBInstances"] == []
        assert emulator.client("kms").list_keys()["Keys"] == []
        assert len(localstack.seen) == before
        urllib.request.urlopen(f"{emulator.url}/_aws/ses", timeout=10).close()
        assert localstack.seen[-1].line == "GET /_aws/ses HTTP/1.1"


def test_a_reset_resets_a_localstack_and_the_moto_beside_it(localstack, tmp_path):
    with running_emulator("--upstream", localstack.url, runtime="noop", folder=tmp_path) as emulator:
        emulator.client("kms").create_key()
        emulator.reset()
        assert localstack.seen[-1].line == "POST /_localstack/state/reset HTTP/1.1"
        assert emulator.client("kms").list_keys()["Keys"] == []


def test_an_upstream_that_offers_no_reset_is_named(edge):
    edge.client("ecs").create_cluster(clusterName="c")
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:\d+ .* cannot be reset"):
        edge.reset()
    assert edge.client("ecs").list_clusters()["clusterArns"] == []


def test_a_localstack_loads_one_service_at_a_time(localstack, tmp_path):
    begun, go_on = threading.Event(), threading.Event()

    def slowly(connection):
        begun.set()
        go_on.wait(30)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def get(service, path):
        headers = {"Authorization": SIGNED.format(service)}
        request = urllib.request.Request(f"{emulator.url}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def seen():
        return [each.line.split(" ")[1] for each in localstack.seen if each.line.split(" ")[1] in paths]

    localstack.answers["/first"] = slowly
    paths = ("/first", "/other", "/again")
    options = ("--upstream", localstack.url)
    with (
        running_emulator(*options, runtime="noop", folder=tmp_path) as emulator,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(get, "s3", "/first")
        assert begun.wait(30)
        other = pool.submit(get, "sqs", "/other")
        assert not wait([other], timeout=0.5).done
        assert seen() == ["/first"]
        go_on.set()
        assert (first.result(), other.result()) == (b"ok", b"ok")
        # A service that has answered waits for nobody.
        begun.clear()
        go_on.clear()
        slow = pool.submit(get, "sns", "/first")
        assert begun.wait(30)
        assert get("s3", "/again") == b"ok"
        assert not slow.done()
        go_on.set()
        assert slow.result() == b"ok"


def test_what_moto_has_not_either_is_not_implemented_in_words(noop_emulator):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="NotImplemented.*list_services") as refused:
        noop_emulator.client("service-quotas").list_services()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_what_moto_answers_with_an_extra_package_only_names_the_package():
    async def moto(*_):
        raise ModuleNotFoundError(name="docker")

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    sent = []
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(answering(moto, lambda _service: True)(scope, receive, send))
    assert sent[0]["status"] == 501
    assert b"pip install 'samjhadoo-emulator[docker]'" in sent[1]["body"]


def test_every_request_goes_to_an_upstream_that_is_no_localstack(scripted, tmp_path):
    scripted.answers.pop("/_localstack/health", None)
    rest = b'{"clusterArns": ["theirs"]}'
    scripted.answers["/"] = lambda to: to.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(rest), rest)
    )
    options = ("--upstream", scripted.url, "--pass-on", "ecs", "--pass-on", "ecr")
    with running_emulator(*options, runtime="noop", folder=tmp_path) as emulator:
        served = emulator.ask("GET", "services")
        assert {served[name] for name in ("ecs", "ecr", "rds", "s3")} == {"127.0.0.1"}
        assert served["elbv2"] == "live"
        assert emulator.client("ecs").list_clusters()["clusterArns"] == ["theirs"]
        urllib.request.urlopen(f"{emulator.url}/v2/", timeout=10).close()
        assert scripted.seen[-1].line == "GET /v2/ HTTP/1.1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--upstream", "ftp://x"], "is not the URL of an upstream", id="scheme"),
        pytest.param(["--upstream", "http://h:x"], "is not a URL", id="port"),
        pytest.param(["--upstream", "http://me:pw@h"], "contains credentials", id="credentials"),
        pytest.param(["--upstream", "http://h/path"], "has a path", id="path"),
        pytest.param(["--upstream", "http://h", "--upstream-ca", "x"], "is for https", id="ca-of-http"),
        pytest.param(
            ["--upstream", "https://h", "--upstream-ca", "no.pem"], "no.pem is not a bundle", id="ca"
        ),
        pytest.param(["--upstream-ca", "x"], "needs an --upstream", id="ca-alone"),
        pytest.param(["--pass-on", "ecs"], "--pass-on needs an --upstream", id="pass-on-alone"),
        pytest.param(["--upstream", "http://h", "--pass-on", "s3"], "invalid choice: 's3'", id="not-live"),
        pytest.param(["--port", "4599", "--upstream", "http://localhost:4599"], "itself", id="itself"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, words, tmp_path, monkeypatch, capsys):
    from samjhadoo_emulator.__main__ import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "pw" not in printed


def test_an_upstream_leaves_motos_services_unloaded():
    code = (
        "import sys; from samjhadoo_emulator.__main__ import arguments, build\n"
        "import asyncio, pathlib, tempfile\n"
        "options = arguments().parse_args(['--upstream', 'http://127.0.0.1:9', '--runtime', 'noop'])\n"
        "options.data_dir = pathlib.Path(tempfile.mkdtemp())\n"
        "async def main(): build(options)\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name in ('moto.ec2', 'moto.s3', 'moto.server', 'flask')])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == "[]"
