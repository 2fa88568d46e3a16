"""Clients that send too much, too little or too slowly do not keep others from being served."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import resource
import threading
import urllib.error
import urllib.request
from collections import Counter
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from samjhadoo_emulator import connections
from samjhadoo_emulator.connections import Connection, Connections, raise_descriptor_limit
from samjhadoo_emulator.exchange import MOST_READ
from samjhadoo_emulator.testing import CONTROL_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/x-amz-json-1.1"}
TARGET = JSON | {"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
SECRETS = JSON | {
    "x-amz-target": "secretsmanager.ListSecrets",
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20261130/ap-south-1/secretsmanager/aws4_request",
}
LAMBDA = JSON | {
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20261130/ap-south-1/lambda/aws4_request",
}
UNLIMITED = resource.RLIM_INFINITY
CHUNK = b"x" * (1 << 20)


def post(url: str, path: str, headers: dict[str, str], mebibytes: int, *, chunked: bool) -> tuple[int, str]:
    """Send a body of so many MiB."""
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)) as connection:
        sized = {} if chunked else {"content-length": str(mebibytes << 20)}
        body = (CHUNK for _ in range(mebibytes))
        connection.request("POST", path, body, {**headers, **sized}, encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "headers", "mebibytes"),
    [
        pytest.param("/", FORM, 33, id="form"),
        pytest.param("/", TARGET, 33, id="json-of-a-live-service"),
        pytest.param("/", SECRETS, 33, id="json-of-another-service"),
        pytest.param("/", {"smithy-protocol": "rpc-v2-cbor"}, 33, id="cbor"),
        pytest.param("/2015-03-31/functions", LAMBDA, 68, id="rest-of-another-service"),
        pytest.param("/_emulator/faults", CONTROL_HEADERS, 2, id="ours"),
    ],
)
def test_a_body_that_would_be_read_whole_is_refused_with_413(
    noop_emulator: Any, path: str, headers: dict[str, str], mebibytes: int, chunked: bool
) -> None:
    if chunked:
        headers = headers | {"transfer-encoding": "chunked"}
    status, text = post(noop_emulator.url, path, headers, mebibytes, chunked=chunked)
    assert (status, "RequestEntityTooLarge" in text) == (413, True), text[:300]


def test_a_client_that_asks_first_is_refused_before_it_sends_the_body(noop_emulator: Any) -> None:
    with closing(
        http.client.HTTPConnection(noop_emulator.url.removeprefix("http://"), timeout=30)
    ) as connection:
        connection.putrequest("POST", "/")
        for name, value in {**FORM, "content-length": str(100 << 20), "expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 413


def refusal_of(request: urllib.request.Request) -> int:
    """Return the status of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        return answer.code


def test_what_a_small_body_unpacks_to_is_bounded_too(noop_emulator: Any) -> None:
    body = gzip.compress(b" " * (MOST_READ + 1))
    request = urllib.request.Request(noop_emulator.url, body, TARGET | {"content-encoding": "gzip"})
    assert refusal_of(request) == 413


def test_large_objects_stream_to_s3(noop_emulator: Any) -> None:
    s3 = noop_emulator.client("s3")
    s3.create_bucket(Bucket="large", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    s3.put_object(Bucket="large", Key="object", Body=CHUNK * 80)
    assert s3.head_object(Bucket="large", Key="object")["ContentLength"] == 80 << 20


@pytest.mark.parametrize("path", ["/_emulator/faults", "/_emulator/ecr/findings"])
def test_an_empty_body_is_answered(noop_emulator: Any, path: str) -> None:
    request = urllib.request.Request(f"{noop_emulator.url}{path}", b"", CONTROL_HEADERS)
    assert refusal_of(request) == 400


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request with its body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(shared: Connections, application: Any = echo) -> AsyncIterator[int]:
    """Serve an application with the edge's connections; gives the port."""
    config = uvicorn.Config(
        application,
        port=0,
        http=shared.protocol(),
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


async def opened(port: int, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server closes the connection."""
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="half-a-head"),
        pytest.param(HEAD + b"\r\nabc", id="half-a-body"),
        pytest.param(HEAD + b"\r\n", id="no-body"),
        pytest.param(HEAD + b"\r\nabcdef" + HEAD, id="half-a-second-head"),
        pytest.param(HEAD + b"\r\nabcdef" + HEAD + b"\r\nabc", id="half-a-second-body"),
    ],
)
def test_a_half_sent_request_ends_its_connection_and_is_logged_once(
    sent: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIME", 0.3)
    monkeypatch.setattr(connections, "BODY_TIME", 0.3)

    async def run() -> None:
        shared = Connections(most=100)
        async with serving(shared) as port:
            clients = [await opened(port, sent) for _ in range(20)]
            for reader, writer in clients:
                answered = await ended(reader)
                assert (b"abcdef" in answered) is (b"abcdef" in sent)
                writer.close()
            assert not shared.waiting

    asyncio.run(run())
    assert len([record for record in caplog.records if "connections were closed" in record.message]) <= 1


def test_a_service_that_takes_a_body_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_TIME", 0.05)
    checked: Counter[Connection] = Counter()
    often = asyncio.Event()
    check = Connection._check_body

    def counted(connection: Connection) -> None:
        checked[connection] += 1
        check(connection)
        if len(checked) > 1 and min(checked.values()) > 2:
            often.set()

    monkeypatch.setattr(Connection, "_check_body", counted)

    async def run() -> None:
        released = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await released.wait()
            await echo(scope, receive, send)

        async with serving(Connections(most=100), slow) as port:
            large = b"x" * (4 << 20)
            end = b"Connection: close\r\n\r\n"
            asking = HEAD.replace(b"6", b"5") + b"Expect: 100-continue\r\n" + end
            reader, writer = await opened(port, HEAD.replace(b"6", b"4194304") + end + large)
            expecting, other = await opened(port, asking)
            await often.wait()
            monkeypatch.setattr(connections, "BODY_TIME", 30.0)
            released.set()
            assert (await ended(reader)).endswith(large)
            assert b"100" in await expecting.readline()
            other.write(b"hello")
            assert (await ended(expecting)).endswith(b"hello")
            writer.close()
            other.close()

    asyncio.run(run())


@pytest.mark.parametrize(("silent", "ends"), [(0.0, False), (29.0, False), (31.0, True)])
def test_only_a_client_that_was_silent_for_long_is_cut_off(
    silent: float, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Connection] = []
    begun = asyncio.Event()
    watch = Connection._watch_body

    def recorded(connection: Connection) -> None:
        made.append(connection)
        watch(connection)
        begun.set()

    monkeypatch.setattr(Connection, "_watch_body", recorded)

    async def run() -> None:
        async with serving(Connections(most=100)) as port:
            _, writer = await opened(port, HEAD + b"\r\nabc")
            await begun.wait()
            made[0]._heard -= silent
            made[0]._check_body()
            assert made[0].transport.is_closing() is ends
            writer.close()

    asyncio.run(run())


def test_one_connection_too_many_costs_the_oldest_without_a_request(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        shared = Connections(most=5)
        async with serving(shared) as port:
            idle = [await opened(port, HEAD) for _ in range(30)]
            for _ in range(10):
                reader, writer = await opened(port, HEAD + b"Connection: close\r\n\r\nabcdef")
                assert (await ended(reader)).endswith(b"abcdef")
                writer.close()
            assert len(shared.waiting) <= 5
            for _, writer in idle:
                writer.close()

    asyncio.run(run())
    assert len([record for record in caplog.records if "more than 5 connections" in record.message]) == 1


def test_exhausted_descriptors_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        loop, shared = asyncio.get_running_loop(), Connections(most=5)
        for _ in range(3):
            shared.failed(loop, {"message": "socket.accept() out of system resource"})
        shared.failed(loop, {"message": "something else"})

    asyncio.run(run())
    assert [record.message for record in caplog.records] == [
        "no connection can be accepted: no file descriptor is free",
        "something else",
    ]


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1024, 524288, 65535),
        (1024, 4096, 4096),
        (256, UNLIMITED, 65535),
        (100000, 100000, 100000),
    ],
)
def test_the_soft_limit_of_open_files_is_raised(
    soft: int, hard: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: changed.append(limits))
    assert raise_descriptor_limit() == expected
    assert changed == ([] if soft == expected else [(expected, hard)])


def test_hundreds_of_half_open_connections_leave_the_emulator_answering(noop_emulator: Any) -> None:
    host, _, port = noop_emulator.url.removeprefix("http://").rpartition(":")
    answers: list[int] = []

    async def run() -> None:
        clients = [await asyncio.open_connection(host, int(port)) for _ in range(600)]
        for _, writer in clients:
            writer.write(HEAD)

        def ask() -> None:
            with urllib.request.urlopen(f"{noop_emulator.url}/_emulator/health", timeout=30) as response:
                answers.append(response.status)

        asking = threading.Thread(target=ask)
        asking.start()
        await asyncio.to_thread(asking.join)
        for _, writer in clients:
            writer.close()

    asyncio.run(run())
    assert answers == [200]
