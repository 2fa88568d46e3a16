"""What a URL upstream and its clients see of the edge between them: as little as possible."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import socket
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest

from samjhadoo_emulator.processes import free_port
from samjhadoo_emulator.testing import eventually, running_emulator

MB = 1 << 20


@pytest.fixture
def connection(edge):
    client = http.client.HTTPConnection(urlsplit(edge.url).netloc, timeout=30)
    yield client
    client.close()


def once(emulator, service):
    """Return a client that calls once."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=emulator.url,
        region_name="ap-south-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def talk(edge, text: bytes) -> socket.socket:
    """Send bytes to the edge over a connection of their own."""
    parts = urlsplit(edge.url)
    client = socket.create_connection((parts.hostname, parts.port), timeout=30)
    client.sendall(text)
    return client


def test_method_target_and_headers_reach_the_upstream_as_they_were_sent(edge, scripted):
    target = "//bucket/a%2Fb//c%20d+e%7e?x=%2f&empty=&flag&x=a+b"
    head = (
        f"PATCH {target} HTTP/1.1\r\nHost: bucket.s3.localhost.localstack.cloud:4566\r\n"
        "X-Twice: 1\r\nX-Twice: 2\r\nAccept-Encoding: zstd\r\n"
        "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
        "Content-Length: 3\r\n\r\nabc"
    )
    with talk(edge, head.encode()) as client, client.makefile("rb") as answer:
        assert answer.read().endswith(b"\r\n\r\nok")
    seen = scripted.of(target.split("?", maxsplit=1)[0])
    assert seen.line == f"PATCH {target} HTTP/1.1"
    assert seen.body == b"abc"
    assert sorted((name.lower(), value) for name, value in seen.headers) == [
        ("accept-encoding", "zstd"),
        ("content-length", "3"),
        ("host", "bucket.s3.localhost.localstack.cloud:4566"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ]


def test_an_answer_reaches_the_client_as_it_was_sent(edge, scripted, connection):
    body = gzip.compress(b"text" * 100)
    scripted.answers["/gzip"] = lambda to: to.sendall(
        b"HTTP/1.1 307 Elsewhere\r\nContent-Encoding: gzip\r\nLocation: http://else.where/%%2F?a\r\n"
        b"Access-Control-Allow-Origin: *\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: scripted\r\n"
        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    connection.request("GET", "/gzip")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (307, body)
    assert answer.headers["Location"] == "http://else.where/%2F?a"
    assert "Access-Control-Allow-Origin" not in answer.headers  # the guard decides about it
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers.get_all("Server") == ["scripted"]
    assert len(answer.headers.get_all("Date")) == 1
    assert answer.headers["X-Hop"] is None


@pytest.mark.parametrize(
    ("method", "head", "length"),
    [
        pytest.param("HEAD", b"200 OK\r\nContent-Length: 5000\r\nETag: x", "5000", id="head"),
        pytest.param("GET", b"304 Not Modified\r\nContent-Length: 5000\r\nETag: x", None, id="not-modified"),
        pytest.param("DELETE", b"204 No Content\r\nETag: x", None, id="no-content"),
        pytest.param("GET", b"416 Bad Range\r\nContent-Length: 0\r\nETag: x", "0", id="empty"),
    ],
)
def test_answers_without_a_body_end_with_their_headers(edge, scripted, connection, method, head, length):
    scripted.answers["/bodiless"] = lambda to: to.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
    for _ in range(2):  # the connection is still good
        connection.request(method, "/bodiless", headers={"Range": "bytes=9-", "If-None-Match": "x"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (int(head[:3]), b"")
        assert answer.headers["ETag"] == "x"
        assert answer.headers["Content-Length"] == length
    assert scripted.of("/bodiless").header("range") == "bytes=9-"


def test_connections_to_the_upstream_are_kept(edge, scripted, connection):
    for n in range(5):
        connection.request("GET", f"/kept/{n}")
        connection.getresponse().read()
    assert len({scripted.of(f"/kept/{n}").connection for n in range(5)}) == 1


def test_a_kept_connection_that_the_upstream_has_closed_is_not_used(edge, scripted, connection):
    closed = threading.Semaphore(0)

    def close_after(to):
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        to.shutdown(socket.SHUT_RDWR)
        closed.release()

    scripted.answers["/closing"] = close_after
    for method in ("GET", "POST", "PUT", "DELETE") * 5:
        connection.request(method, "/closing", body=b"x" if method in ("POST", "PUT") else None)
        assert connection.getresponse().read() == b"ok"
        # A POST that meets the closing is not repeated: nobody knows what became of it.
        assert closed.acquire(timeout=30)


def test_a_client_that_waits_for_continue_receives_it(edge, scripted):
    head = (
        b"PUT /expect HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        b"Content-Length: 5\r\nConnection: close\r\n\r\n"
    )
    with talk(edge, head) as client, client.makefile("rb") as answer:
        assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
        client.sendall(b"12345")
        assert answer.read().endswith(b"ok")
    assert scripted.of("/expect").body == b"12345"


def test_a_chunked_upload_arrives_chunked_with_its_own_framing_inside(edge, scripted, connection):
    inner = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    headers = {"Content-Encoding": "aws-chunked", "X-Amz-Trailer": "x-amz-checksum-crc32"}
    connection.request("PUT", "/chunked", body=iter([inner[:9], inner[9:]]), headers=headers)
    assert connection.getresponse().read() == b"ok"
    seen = scripted.of("/chunked")
    assert (seen.body, seen.header("content-length")) == (inner, None)
    assert seen.header("content-encoding") == "aws-chunked"


def test_hundreds_of_megabytes_pass_both_ways_without_being_held(edge, scripted, connection):
    size = 150 * MB
    piece = os.urandom(MB)
    whole = hashlib.sha256()
    for _ in range(150):
        whole.update(piece)

    def send_all(to):
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(150):
            to.sendall(piece)

    scripted.answers["/download"] = send_all
    memory = psutil.Process(edge.process.pid).memory_info
    before = memory().rss
    headers = {"Content-Length": str(size), "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("PUT", "/upload", body=(piece for _ in range(150)), headers=headers)
    assert connection.getresponse().read() == b"ok"
    assert (scripted.of("/upload").size, scripted.of("/upload").digest) == (size, whole.hexdigest())
    connection.request("GET", "/download")
    answer, got, highest = connection.getresponse(), hashlib.sha256(), 0
    while data := answer.read(MB):
        got.update(data)
        highest = max(highest, memory().rss)
    assert got.hexdigest() == whole.hexdigest()
    assert highest - before < 40 * MB


def test_a_slow_reader_holds_the_upstream_up_instead_of_filling_memory(edge, scripted, connection):
    sent = []

    def send_all(to):
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MB))
        for _ in range(64):
            to.sendall(bytes(MB))
            sent.append(MB)

    scripted.answers["/unread"] = send_all
    connection.request("GET", "/unread")
    answer = connection.getresponse()
    eventually(lambda: sent)
    time.sleep(0.3)
    assert sum(sent) < 30 * MB  # the sockets' buffers, no more
    assert len(answer.read()) == 64 * MB


def test_events_flow_at_once(edge, scripted, connection):
    def drip(to):
        to.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        scripted.go_on.wait(30)
        to.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    scripted.answers["/events"] = drip
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.read1() == b"first"
    scripted.go_on.set()
    assert answer.read() == b"second"


def test_a_client_that_hangs_up_takes_its_request_back(edge, scripted):
    def wait_for_the_end(to):
        if not to.recv(1):
            scripted.left.set()

    scripted.answers["/polling"] = wait_for_the_end
    client = talk(edge, b"POST /polling HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
    eventually(lambda: any("/polling" in each.line for each in scripted.seen))
    client.close()
    assert scripted.left.wait(10)


def test_a_client_that_hangs_up_in_its_body_ends_the_upload(edge, scripted):
    client = talk(edge, b"PUT /half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
    time.sleep(0.1)
    client.close()
    with urllib.request.urlopen(f"{edge.url}/after", timeout=10) as answer:
        assert answer.read() == b"ok"
    assert not any("/half" in each.line for each in scripted.seen)


def test_an_answer_that_breaks_off_breaks_off_for_the_client(edge, scripted, connection):
    def break_off(to):
        to.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        to.shutdown(socket.SHUT_RDWR)

    scripted.answers["/broken"] = break_off
    connection.request("GET", "/broken")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()


def test_an_upstream_that_hangs_up_without_an_answer_is_an_error_that_names_it(edge, scripted):
    from botocore.exceptions import ClientError

    scripted.answers["/bucket/key"] = lambda to: to.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ClientError, match=rf"ServiceUnavailable.*{scripted.url} does not answer"):
        once(edge, "s3").get_object(Bucket="bucket", Key="key")


# --- an upstream that is not there


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """An emulator whose upstream is not there."""
    url = f"http://127.0.0.1:{free_port()}"
    with running_emulator(
        "--upstream", url, runtime="noop", folder=tmp_path_factory.mktemp("lonely")
    ) as emulator:
        yield emulator, url


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        pytest.param("s3", "list_buckets", {}, id="rest-xml"),
        pytest.param("s3", "head_bucket", {"Bucket": "bucket"}, id="rest-xml-without-body"),
        pytest.param("ssm", "get_parameter", {"Name": "x"}, id="json"),
        pytest.param("sns", "list_topics", {}, id="query"),
        pytest.param("lambda", "list_functions", {}, id="rest-json"),
        pytest.param("route53", "list_hosted_zones", {}, id="rest-xml-of-others"),
        pytest.param(
            "resourcegroupstaggingapi",
            "get_resources",
            {"ResourceTypeFilters": ["s3"]},
            id="several-protocols",
        ),
    ],
)
def test_an_unreachable_upstream_is_named_in_the_services_own_protocol(lonely, service, operation, arguments):
    from botocore.exceptions import ClientError

    emulator, url = lonely
    client = once(emulator, service)
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**arguments)
    error = refused.value.response
    if operation != "head_bucket":
        assert error["Error"]["Code"] == "ServiceUnavailable"
        assert url in error["Error"]["Message"]
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_live_services_work_without_their_upstream(lonely):
    emulator, url = lonely
    emulator.client("ecs").create_cluster(clusterName="alone")
    with urllib.request.urlopen(f"{emulator.url}/_emulator/health", timeout=10) as answer:
        upstream = json.load(answer)["upstream"]
    assert (upstream["url"], upstream["answers"], upstream["kind"]) == (url, False, "127.0.0.1")
    assert upstream["problem"]


@pytest.mark.parametrize("size", [2_000, 3_000_000])
def test_a_body_that_an_unreachable_upstream_does_not_take_spoils_no_later_request(lonely, size):
    from botocore.exceptions import ClientError

    emulator = lonely[0]
    s3, ecs = once(emulator, "s3"), emulator.client("ecs")
    for _ in range(3):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket="bucket", Key="key", Body=b"x" * size)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert ecs.describe_clusters(clusters=["nobody"])["clusters"] == []
