"""Blobs over the distribution API: OCI distribution specification 1.1, "Pull" and "Push"."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from samjhadoo_emulator.testing import eventually

CONTENT = bytes(range(256)) * 40
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def code(answer: Any) -> str:
    """Return the code of an error, whose body is as the specification says."""
    errors = json.loads(answer.data)["errors"]
    assert all(set(error) <= {"code", "message", "detail"} for error in errors)
    return str(errors[0]["code"])


def start(registry: Any) -> str:
    answer = registry("POST", "blobs/uploads/")
    assert answer.status == 202
    return str(answer.headers["Location"])


def with_digest(location: str, digest: str = DIGEST) -> str:
    return f"{location}?digest={digest}"


def test_the_base_path_has_the_version_of_the_api(registry: Any) -> None:
    answer = registry("GET", f"{registry.url}/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_a_blob_sent_in_one_request_comes_back_byte_for_byte(registry: Any) -> None:
    answer = registry("POST", f"blobs/uploads/?digest={DIGEST}", CONTENT)
    assert answer.status == 201
    assert answer.headers["Docker-Content-Digest"] == DIGEST
    assert registry("GET", answer.headers["Location"]).data == CONTENT


def test_a_blob_is_sent_by_post_then_put(registry: Any) -> None:
    answer = registry("PUT", with_digest(start(registry)), CONTENT)
    assert answer.status == 201
    assert registry("GET", f"blobs/{DIGEST}").data == CONTENT


def test_head_returns_size_and_digest_without_a_body(registry: Any) -> None:
    registry.blob(CONTENT)
    answer = registry("HEAD", f"blobs/{DIGEST}")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert answer.headers["Docker-Content-Digest"] == DIGEST
    assert answer.data == b""


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param("bytes=0-9", CONTENT[:10], id="first"),
        pytest.param("bytes=100-", CONTENT[100:], id="from"),
        pytest.param("bytes=-7", CONTENT[-7:], id="last"),
    ],
)
def test_a_download_can_be_resumed_by_range(registry: Any, asked: str, given: bytes) -> None:
    registry.blob(CONTENT)
    answer = registry("GET", f"blobs/{DIGEST}", Range=asked)
    assert answer.status == 206
    assert answer.data == given
    assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")


@pytest.mark.parametrize("asked", ["bytes=500-0", "bytes=5-9,500-0", "bytes=x-y", "lines=0-9", "0-9"])
def test_an_invalid_range_is_ignored(registry: Any, asked: str) -> None:
    registry.blob(CONTENT)
    answer = registry("GET", f"blobs/{DIGEST}", Range=asked)
    assert (answer.status, answer.data) == (200, CONTENT)


def test_a_range_beyond_the_blob_is_not_satisfiable(registry: Any) -> None:
    registry.blob(CONTENT)
    assert registry("GET", f"blobs/{DIGEST}", Range=f"bytes={len(CONTENT)}-").status == 416


def test_a_blob_is_sent_in_chunks(registry: Any) -> None:
    location = start(registry)
    for first in range(0, len(CONTENT), 4000):
        chunk = CONTENT[first : first + 4000]
        answer = registry("PATCH", location, chunk, Content_Range=f"{first}-{first + len(chunk) - 1}")
        assert answer.status == 202
        assert answer.headers["Range"] == f"0-{first + len(chunk) - 1}"
        location = answer.headers["Location"]
    assert registry("PUT", with_digest(location)).status == 201
    assert registry("GET", f"blobs/{DIGEST}").data == CONTENT


def test_the_last_chunk_may_come_with_the_put(registry: Any) -> None:
    location = start(registry)
    registry("PATCH", location, CONTENT[:5000], Content_Range="0-4999")
    end = len(CONTENT) - 1
    answer = registry("PUT", with_digest(location), CONTENT[5000:], Content_Range=f"5000-{end}")
    assert answer.status == 201


@pytest.mark.parametrize("stated", ["1000-1999", "0-999", "rubbish", "900-100"])
def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(registry: Any, stated: str) -> None:
    location = start(registry)
    registry("PATCH", location, CONTENT[:500], Content_Range="0-499")
    answer = registry("PATCH", location, bytes(1000), Content_Range=stated)
    assert answer.status == 416
    assert answer.headers["Range"] == "0-499"
    assert registry("PUT", with_digest(location), CONTENT[500:]).status == 201


def test_a_chunk_of_another_length_than_stated_is_forgotten(registry: Any) -> None:
    location = start(registry)
    registry("PATCH", location, CONTENT[:500], Content_Range="0-499")
    answer = registry("PATCH", location, b"short", Content_Range="500-999")
    assert (answer.status, code(answer)) == (400, "SIZE_INVALID")
    assert registry("GET", location).headers["Range"] == "0-499"
    assert registry("PUT", with_digest(location), CONTENT[500:]).status == 201


def test_an_upload_shows_its_progress(registry: Any) -> None:
    location = start(registry)
    registry("PATCH", location, CONTENT[:1234])
    answer = registry("GET", location)
    assert (answer.status, answer.headers["Range"]) == (204, "0-1233")


def test_an_upload_whose_connection_broke_is_resumed_where_it_stopped(registry: Any) -> None:
    location = urlsplit(start(registry))
    with socket.create_connection((location.hostname, location.port)) as connection:
        headers = f"Host: localhost\r\nContent-Length: {len(CONTENT)}\r\nExpect: 100-continue"
        connection.sendall(f"PATCH {location.path} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # the request was accepted
        connection.sendall(CONTENT[:2000])
        registry("GET", location.geturl())  # answered after what came before it was read
    eventually(lambda: registry("GET", location.geturl()).headers["Range"] == "0-1999")
    answer = registry("PATCH", location.geturl(), CONTENT[2000:], Content_Range=f"2000-{len(CONTENT) - 1}")
    assert answer.status == 202
    assert registry("PUT", with_digest(location.geturl())).status == 201


def test_a_wrong_digest_is_refused_and_leaves_nothing(registry: Any) -> None:
    wrong = "sha256:" + "0" * 64
    location = start(registry)
    answer = registry("PUT", with_digest(location, wrong), CONTENT)
    assert (answer.status, code(answer)) == (400, "DIGEST_INVALID")
    assert registry("GET", location).status == 404
    for digest in (wrong, DIGEST):
        assert code(registry("GET", f"blobs/{digest}")) == "BLOB_UNKNOWN"


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "0" * 32, "sha256:" + "Z" * 64])
def test_a_malformed_digest_is_refused(registry: Any, digest: str) -> None:
    answer = registry("PUT", with_digest(start(registry), digest), CONTENT)
    assert (answer.status, code(answer)) == (400, "DIGEST_INVALID")


def test_a_blob_may_have_a_digest_of_sha512(registry: Any) -> None:
    digest = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    assert registry("POST", f"blobs/uploads/?digest={digest}", CONTENT).status == 201
    assert registry("GET", f"blobs/{digest}").data == CONTENT


def test_a_cancelled_upload_is_unknown(registry: Any) -> None:
    location = start(registry)
    assert registry("DELETE", location).status == 204
    answer = registry("PATCH", location, CONTENT)
    assert (answer.status, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_of_another_repository_is_mounted_without_sending_it(registry: Any, other: Any) -> None:
    other.blob(CONTENT)
    answer = registry("POST", f"blobs/uploads/?mount={DIGEST}&from={other.repository}")
    assert answer.status == 201
    assert registry("GET", f"blobs/{DIGEST}").data == CONTENT


def test_a_mount_that_is_not_possible_becomes_an_upload(registry: Any, other: Any) -> None:
    answer = registry("POST", f"blobs/uploads/?mount={DIGEST}&from={other.repository}")
    assert answer.status == 202
    assert registry("PUT", with_digest(answer.headers["Location"]), CONTENT).status == 201


def test_a_blob_is_of_the_repository_it_was_pushed_to_only(registry: Any, other: Any) -> None:
    other.blob(CONTENT)
    assert registry("HEAD", f"blobs/{DIGEST}").status == 404


def test_a_deleted_blob_is_gone_from_its_repository_and_stays_in_others(registry: Any, other: Any) -> None:
    registry.blob(CONTENT)
    other.blob(CONTENT)
    assert registry("DELETE", f"blobs/{DIGEST}").status == 202
    assert registry("GET", f"blobs/{DIGEST}").status == 404
    assert registry("DELETE", f"blobs/{DIGEST}").status == 404
    assert other("GET", f"blobs/{DIGEST}").data == CONTENT


def test_the_same_blob_pushed_by_many_at_once_is_whole(registry: Any) -> None:
    content = bytes(1_500_000) + CONTENT
    answers: list[int] = []

    def push() -> None:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        answers.append(registry("PUT", with_digest(start(registry), digest), content).status)

    threads = [threading.Thread(target=push) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 6
    assert registry("GET", f"blobs/sha256:{hashlib.sha256(content).hexdigest()}").data == content


def test_an_empty_blob_is_a_blob(registry: Any) -> None:
    digest = f"sha256:{hashlib.sha256(b'').hexdigest()}"
    assert registry("PUT", with_digest(start(registry), digest), b"").status == 201
    assert registry("HEAD", f"blobs/{digest}").headers["Content-Length"] == "0"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "blobs/uploads/"),
        ("GET", f"blobs/{DIGEST}"),
        ("PUT", "manifests/v1"),
        ("GET", "manifests/v1"),
        ("GET", "tags/list"),
    ],
)
def test_a_repository_that_does_not_exist_is_named_as_ecr_does(registry: Any, method: str, path: str) -> None:
    registry.repository = "nobody/made/this"
    answer = registry(method, path, b"{}" if method == "PUT" else None)
    assert (answer.status, code(answer)) == (404, "NAME_UNKNOWN")
    assert json.loads(answer.data)["errors"][0]["message"] == (
        "The repository with name 'nobody/made/this' does not exist in the registry with id '000000000000'"
    )


def test_a_method_that_a_resource_lacks_is_refused(registry: Any) -> None:
    answer = registry("PATCH", "tags/list")
    assert (answer.status, code(answer)) == (405, "UNSUPPORTED")
