"""The edge refuses foreign hosts, pages and users before anything of a request is read or done."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import boto3
import pytest

from samjhadoo_emulator.testing import CONTROL_HEADERS, running_emulator

PAGE = "http://localhost:3000"
NOBODY = 65534
ECS = "AmazonEC2ContainerServiceV20141113"


@pytest.fixture(scope="module")
def edge(shared_emulator):
    """An emulator that pages of one origin may use."""
    return shared_emulator("--allow-origin", PAGE, "--allow-host", "*.box.test", minute=0.05, runtime="noop")


def ask(emulator, method="GET", path="/", body=None, **headers):
    """Return the status, headers and body of an answer; underscores stand for hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(emulator.url).port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, content


def exchange(emulator, data):
    """Return what comes back for bytes."""
    with socket.create_connection(("127.0.0.1", urlsplit(emulator.url).port), timeout=30) as connection:
        connection.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
            received += piece
    return received


def cors_of(headers):
    return {
        name.lower(): value for name, value in headers.items() if name.lower().startswith("access-control")
    }


@pytest.mark.parametrize("path", ["/", "/v2/", "/_emulator/health", "/moto-api/data.json", "/bucket/key"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "http://evil.example"}, id="origin"),
        pytest.param({"Origin": "null"}, id="null"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="site"),
        pytest.param({"Referer": "http://evil.example/"}, id="referer"),
        pytest.param({"Host": "evil.example"}, id="host"),
        pytest.param({"Origin": PAGE.replace("http:", "https:")}, id="other-scheme"),
    ],
)
def test_a_foreign_request_is_refused_whoever_would_serve_it(edge, path, headers):
    status, given, content = ask(edge, "GET", path, **headers)
    assert (status, cors_of(given)) == (403, {})
    assert "--allow-" in content


@pytest.mark.parametrize("host", ["a.box.test", "LOCALHOST.:80", "bucket.localhost", "[::1]"])
def test_names_of_the_edge_and_configured_ones_are_served(edge, host):
    assert ask(edge, path="/_emulator/health", Host=host)[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GET /_emulator/health HTTP/1.0\r\n", b"200", id="without-a-host"),
        pytest.param(
            b"GET /_emulator/health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", b"400", id="two"
        ),
        pytest.param(b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n", b"403", id="foreign-url"),
        pytest.param(
            b"GET http://localhost/_emulator/health HTTP/1.1\r\nHost: localhost\r\n", b"200", id="url"
        ),
        pytest.param(
            b"POST http://localhost/_emulator/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
            b"403",
            id="control-by-url",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Origin: http://evil.example\r\n",
            b"403",
            id="websocket",
        ),
    ],
)
def test_odd_heads_are_judged_too(edge, head, status):
    assert exchange(edge, head + b"\r\n").split(b" ", 2)[1] == status


def test_a_body_that_waits_is_refused_before_it_is_sent(edge):
    head = b"PUT /bucket/key HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 104857600\r\n"
    answer = exchange(edge, head + b"Expect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    ("headers", "start"),
    [
        pytest.param({"X_Amz_Target": f"{ECS}.ListClusters"}, '{"__type": "AccessDenied"', id="json"),
        pytest.param({"Content_Type": "application/x-www-form-urlencoded"}, "<?xml", id="query"),
        pytest.param(
            {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261130/a/s3/aws4_request, Signature=0"},
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>',
            id="s3",
        ),
    ],
)
def test_a_refusal_speaks_the_clients_protocol(edge, headers, start):
    assert ask(edge, "POST", "/", "", Origin="http://evil.example", **headers)[2].startswith(start)


def test_each_origin_is_logged_once(edge):
    for _ in range(3):
        ask(edge, Origin="http://often.example")
    assert edge.log.read_text().count("refused origin http://often.example") == 1


def test_a_preflight_is_answered_for_allowed_origins_only(edge):
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-amz-target"}
    status, headers, _ = ask(edge, "OPTIONS", "/", Origin=PAGE, **asked)
    assert (status, headers["Vary"]) == (204, "Origin")
    assert cors_of(headers)["access-control-allow-origin"] == PAGE
    assert cors_of(headers)["access-control-allow-headers"] == "x-amz-target"
    status, headers, _ = ask(edge, "OPTIONS", "/", Origin="http://evil.example", **asked)
    assert (status, cors_of(headers)) == (403, {})


def test_pages_of_allowed_origins_may_read_answers_and_others_are_given_no_header(edge):
    asked = {"X_Amz_Target": f"{ECS}.ListClusters", "Content_Type": "application/x-amz-json-1.1"}
    status, headers, _ = ask(edge, "POST", "/", "{}", Origin=PAGE, Sec_Fetch_Site="same-site", **asked)
    assert (status, cors_of(headers)["access-control-allow-origin"]) == (200, PAGE)
    queues = {"X_Amz_Target": "AmazonSQS.ListQueues", "Content_Type": "application/x-amz-json-1.0"}
    assert cors_of(ask(edge, "POST", "/", "{}", **queues)[1]) == {}


def test_in_s3_the_buckets_rules_decide(edge):
    s3 = edge.client("s3")
    for name in ("open", "closed"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    rule = {
        "AllowedOrigins": ["http://localhost:*"],
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": ["x-amz-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket="open", CORSConfiguration={"CORSRules": [rule]})

    def preflight(path, **changes):
        asked = {"Access_Control_Request_Method": "PUT", "Origin": PAGE} | changes
        status, headers, content = ask(edge, "OPTIONS", path, **asked)
        return status, cors_of(headers).get("access-control-allow-origin"), content

    assert preflight("/open/key")[:2] == (200, PAGE)
    assert preflight("/key", Host="open.localhost")[:2] == (200, PAGE)
    assert preflight("/open/key", Access_Control_Request_Headers="x-amz-acl")[:2] == (200, PAGE)
    for refused in (
        preflight("/open/key", Access_Control_Request_Method="DELETE"),
        preflight("/open/key", Access_Control_Request_Headers="content-type"),
        preflight("/closed/key"),
    ):
        assert refused[:2] == (403, None)
        assert "<Code>AccessForbidden</Code>" in refused[2]
    assert "CORSResponse: CORS is not enabled for this bucket." in preflight("/closed/key")[2]
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "open", "Key": "a"})
    status, headers, _ = ask(edge, "PUT", url.removeprefix(edge.url), "x", Origin=PAGE)
    assert (status, cors_of(headers)["access-control-expose-headers"]) == (200, "ETag")
    assert cors_of(ask(edge, "GET", url.removeprefix(edge.url), Origin=PAGE)[1]) == {}


@pytest.mark.parametrize(
    "path", ["/_emulator/faults", "/_emulator/reset", "/moto-api/reset", "/moto-api/seed?a=1"]
)
def test_changes_at_the_control_endpoints_need_a_header_and_json(edge, path):
    edge.client("ecs").create_cluster(clusterName="kept")
    body = '{"kind": "clock-jump", "minutes": 1}'
    assert ask(edge, "POST", path, body, Content_Type="application/json")[0] == 403
    assert ask(edge, "POST", path, body, Content_Type="text/plain", X_Emulator_Control="1")[0] == 403
    assert edge.client("ecs").list_clusters()["clusterArns"] != []


def test_a_wildcard_is_no_origin_and_a_host_is_no_url():
    for option in (("--allow-origin", "*"), ("--allow-host", "http://a"), ("--require-key", "always")):
        argv = [sys.executable, "-m", "samjhadoo_emulator", *option]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert option[0] in done.stderr


needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, to become another user"
)
SEND = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(sys.stdin.buffer.read())
if sys.argv[2] == "wait":
    sys.stdout.buffer.write(connection.recv(65536))
connection.close()
"""


def as_nobody(emulator, data, *, wait=True):
    """Send bytes as another user, and return what comes back."""
    port = str(urlsplit(emulator.url).port)
    argv = ["/usr/bin/python3", "-I", "-S", "-c", SEND, port, "wait" if wait else "close"]
    done = subprocess.run(
        argv, input=data, capture_output=True, check=True, user=NOBODY, group=NOBODY, extra_groups=[]
    )
    return done.stdout


def call(operation, document, key="test"):
    body = json.dumps(document).encode()
    return (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"X-Amz-Target: {ECS}.{operation}\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={key}/20261130/ap-south-1/ecs/aws4_request, Signature=0"
        "\r\n\r\n"
    ).encode() + body


@pytest.fixture
def definition(edge):
    """A task definition in the default cluster, and nothing that runs."""
    ecs = edge.client("ecs")
    ecs.create_cluster(clusterName="default")
    container = {"name": "x", "image": "x", "memory": 64}
    found = ecs.register_task_definition(
        family="x", requiresCompatibilities=["EC2"], networkMode="host", containerDefinitions=[container]
    )
    return {"taskDefinition": found["taskDefinition"]["taskDefinitionArn"], "launchType": "EC2"}


def tasks(emulator):
    ecs = emulator.client("ecs")
    return [
        arn for status in ("RUNNING", "STOPPED") for arn in ecs.list_tasks(desiredStatus=status)["taskArns"]
    ]


@needs_root
def test_another_user_is_refused(edge, definition):
    assert as_nobody(edge, call("RunTask", definition)).startswith(b"HTTP/1.1 403 ")
    assert as_nobody(edge, b"GET /_emulator/state HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(
        b"HTTP/1.1 403 "
    )
    assert tasks(edge) == []
    assert edge.client("ecs").run_task(**definition)["failures"] == []
    assert len(tasks(edge)) == 1


@needs_root
def test_another_user_who_closes_at_once_gets_nothing_done(edge, definition):
    before = tasks(edge)
    for _ in range(30):
        as_nobody(edge, call("RunTask", definition), wait=False)
    time.sleep(0.2)
    assert edge.ask("GET", "health")["status"] == "running"
    assert tasks(edge) == before


@needs_root
def test_another_user_who_is_allowed_is_served():
    with running_emulator("--allow-user", "nobody", runtime="noop") as emulator:
        assert as_nobody(emulator, call("ListClusters", {})).startswith(b"HTTP/1.1 200 ")


@pytest.fixture(scope="module")
def locked():
    """An emulator that asks everybody for its key, and the key."""
    with running_emulator("--require-key", "always", runtime="noop", minute=0.05) as emulator:
        yield emulator, emulator.key


def test_the_key_is_an_access_key_id(locked):
    emulator, key = locked
    assert emulator.client("ecs").list_clusters()["clusterArns"] == []
    wrong = boto3.client(
        "ecs",
        endpoint_url=emulator.url,
        region_name="ap-south-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with pytest.raises(wrong.exceptions.ClientError, match="asks for its key"):
        wrong.list_clusters()
    assert key == emulator.environment["AWS_ACCESS_KEY_ID"]
    url = emulator.client("s3").generate_presigned_url("list_buckets")
    assert ask(emulator, path=url.removeprefix(emulator.url))[0] == 200


def test_docker_and_curl_send_the_key_as_a_password(locked):
    emulator, key = locked
    status, headers, _ = ask(emulator, path="/v2/")
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="samjhadoo-emulator"')
    data = emulator.client("ecr").get_authorization_token()["authorizationData"][0]
    assert ask(emulator, path="/v2/", Authorization=f"Basic {data['authorizationToken']}")[0] == 200
    basic = base64.b64encode(f"me:{key}".encode()).decode()
    assert ask(emulator, path="/_emulator/health", Authorization=f"Basic {basic}")[0] == 200
    assert ask(emulator, path="/_emulator/health", Authorization="Basic x")[0] == 403
    assert emulator.ask("GET", "health")["status"] == "running"


def test_live_services_reach_the_upstream_of_an_edge_that_asks_for_a_key(locked):
    emulator, _ = locked
    subnets = [each["SubnetId"] for each in emulator.client("ec2").describe_subnets()["Subnets"]]
    made = emulator.client("elbv2").create_load_balancer(Name="keyed", Subnets=subnets)["LoadBalancers"]
    assert made[0]["VpcId"].startswith("vpc-")
    emulator.reset()
    assert emulator.client("elbv2").describe_load_balancers()["LoadBalancers"] == []


@pytest.mark.parametrize(
    ("mode", "text"), [(0o644, "emulator-of-mine-1"), (0o600, "short"), (0o600, "ä" * 30)]
)
def test_a_key_file_that_others_can_read_or_holds_no_key_is_refused(tmp_path, mode, text):
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(mode)
    argv = [
        sys.executable,
        "-m",
        "samjhadoo_emulator",
        "--runtime",
        "noop",
        "--key-file",
        str(file),
        "--port",
        "0",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "--key-file" in done.stderr) == (2, True)


def test_a_key_file_is_made_for_its_owner_only(locked, tmp_path):
    with running_emulator("--key-file", str(tmp_path / "key"), runtime="noop") as emulator:
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        request = urllib.request.Request(
            f"{emulator.url}/_emulator/reset", headers=CONTROL_HEADERS, method="POST"
        )
        urllib.request.urlopen(request, timeout=30).close()
