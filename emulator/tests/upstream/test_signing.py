"""An upstream that verifies signatures accepts what clients with keys of their own have sent to the edge."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

from samjhadoo_emulator.processes import die_with_parent, free_port
from samjhadoo_emulator.testing import eventually, running_emulator

KEY, SECRET, TOKEN = "AKIAUPSTREAM", "the/secret+of=the~upstream", "a+token/of=it"
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261123/eu-west-1/s3/aws4_request, SignedHeaders={}, Signature=00"


# --- a verifying fake: Signature Version 4 as AWS's documents tell it, without botocore


def verified(seen, *, token=TOKEN) -> bool:
    """Tell whether a request that reached the scripted server is signed with the upstream's key."""
    method, target, _ = seen.line.split(" ")
    path, _, query = target.partition("?")
    fields = dict(parse_qsl(query, keep_blank_values=True))
    presigned = "X-Amz-Signature" in fields
    if presigned:
        credential, signed = fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"]
        signature, moment = fields["X-Amz-Signature"], fields["X-Amz-Date"]
        assert fields.get("X-Amz-Security-Token", "") == token
    else:
        words = dict(
            each.strip().split("=", 1) for each in seen.header("authorization").partition(" ")[2].split(",")
        )
        credential, signed, signature = words["Credential"], words["SignedHeaders"], words["Signature"]
        moment = seen.header("x-amz-date")
        assert (seen.header("x-amz-security-token") or "") == token
    key, day, region, service, end = credential.split("/")
    assert (key, moment[:8]) == (KEY, day)
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~"))
        for name, _, value in pairs
        if name != "X-Amz-Signature"
    )
    told = seen.header("x-amz-content-sha256") or (
        "UNSIGNED-PAYLOAD" if presigned and service == "s3" else ""
    )
    payload = told or seen.digest
    if len(payload) == 64:
        assert payload == seen.digest
    canonical_path = quote(unquote(path), safe="/-_.~")
    values = {name.lower(): " ".join(value.split()) for name, value in seen.headers}
    text = "\n".join(
        [
            method,
            canonical_path if service == "s3" else quote(canonical_path, safe="/-_.~"),
            "&".join("=".join(pair) for pair in encoded),
            *(f"{name}:{values[name]}" for name in signed.split(";")),
            "",
            signed,
            payload,
        ]
    )
    scope = f"{day}/{region}/{service}/{end}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    signing_key = f"AWS4{SECRET}".encode()
    for part in (day, region, service, end):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    wanted = hmac.digest(signing_key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}".encode(), "sha256")
    return hmac.compare_digest(wanted.hex(), signature)


@pytest.fixture(scope="module")
def signing(scripted, tmp_path_factory):
    """An emulator that signs anew, in front of the scripted server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMJHADOO_UPSTREAM_ACCESS_KEY_ID", KEY)
        patch.setenv("SAMJHADOO_UPSTREAM_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("SAMJHADOO_UPSTREAM_SESSION_TOKEN", TOKEN)
        folder = tmp_path_factory.mktemp("signing")
        with running_emulator("--upstream", scripted.url, runtime="noop", folder=folder) as emulator:
            yield emulator


def client(url, service, key="test", secret="test", **config):
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def test_headers_are_signed_anew_whatever_the_path_and_the_query(signing, scripted):
    s3 = client(signing.url, "s3")
    for path in ("/bucket/a%20b/c%2Bd/%C3%A9~.txt", "/bucket"):
        scripted.answers[path] = lambda to: to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    s3.put_object(Bucket="bucket", Key="a b/c+d/é~.txt", Body=b"content", Metadata={"who": "me"})
    s3.list_objects_v2(Bucket="bucket", Prefix="a b/", Delimiter="/")
    put, listed = scripted.seen[-2:]
    assert put.body == b"content"
    assert verified(put)
    assert verified(listed)
    assert "/eu-west-1/s3/" in put.header("authorization")


def test_a_body_without_a_hash_is_hashed_on_its_way(signing, scripted):
    body = json.dumps({"text": "x" * (3 << 20)}).encode()
    client(signing.url, "lambda").invoke(FunctionName="arn:aws:lambda:eu-west-1:1:function:f", Payload=body)
    invoked = scripted.seen[-1]
    assert (invoked.size, invoked.header("x-amz-content-sha256")) == (len(body), None)
    assert verified(invoked)


def test_presigned_urls_are_signed_anew_and_go_on_to_expire(signing, scripted):
    s3 = client(signing.url, "s3", signature_version="s3v4")
    url = s3.generate_presigned_url(
        "put_object", Params={"Bucket": "bucket", "Key": "a b+c", "ContentType": "text/plain"}, ExpiresIn=77
    )
    request = urllib.request.Request(
        url, data=b"by hand", method="PUT", headers={"Content-Type": "text/plain"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read() == b"ok"
    put = scripted.seen[-1]
    assert verified(put)
    sent, passed = (dict(parse_qsl(urlsplit(each).query)) for each in (url, put.line.split(" ")[1]))
    assert (passed["X-Amz-Date"], passed["X-Amz-Expires"]) == (sent["X-Amz-Date"], "77")
    with urllib.request.urlopen(
        client(signing.url, "sts").generate_presigned_url("get_caller_identity")
    ) as answer:
        assert answer.read() == b"ok"
    assert verified(scripted.seen[-1])


def upload(emulator, body, **headers):
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    names = ";".join(sorted({"host", *(name.lower() for name in headers)}))
    connection.request(
        "PUT", "/bucket/chunks", body=body, headers={"Authorization": SIGNED.format(names), **headers}
    )
    answer = connection.getresponse()
    result = answer.status, answer.read()
    connection.close()
    return result


CHUNKS = b"5;chunk-signature=%b\r\nhello\r\n6;chunk-signature=%b\r\n world\r\n0;chunk-signature=%b\r\n" % (
    (b"0" * 64,) * 3
)


def test_chunks_signed_with_the_clients_key_become_a_plain_body(signing, scripted):
    headers = {
        "Content-Encoding": "aws-chunked,gzip",
        "X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "X-Amz-Date": "20261123T000000Z",
        "X-Amz-Decoded-Content-Length": "11",
    }
    assert upload(signing, CHUNKS + b"\r\n", **headers) == (200, b"ok")
    seen = scripted.of("/bucket/chunks")
    assert (seen.body, seen.header("content-length")) == (b"hello world", "11")
    assert (seen.header("content-encoding"), seen.header("x-amz-decoded-content-length")) == ("gzip", None)
    assert verified(seen)


def test_signed_trailers_keep_their_checksums(signing, scripted):
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "X-Amz-Date": "20261123T000000Z",
        "X-Amz-Decoded-Content-Length": "11",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    trailer = b"x-amz-checksum-crc32:DUoRhQ==\r\nx-amz-trailer-signature:00\r\n\r\n"
    assert upload(signing, CHUNKS + trailer, **headers) == (200, b"ok")
    seen = scripted.of("/bucket/chunks")
    plain = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    assert (seen.body, seen.header("x-amz-content-sha256")) == (plain, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert verified(seen)


@pytest.mark.parametrize(
    "body", [pytest.param(b"no chunks at all\r\n", id="no-size"), pytest.param(CHUNKS[:80], id="cut-off")]
)
def test_a_body_that_is_not_in_its_chunks_is_the_clients_error(signing, body):
    headers = {
        "X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "X-Amz-Date": "20261123T000000Z",
        "X-Amz-Decoded-Content-Length": "11",
    }
    status, answer = upload(signing, body, **headers)
    assert (status, b"IncompleteBody" in answer) == (400, True)


@pytest.mark.parametrize(
    ("query", "headers", "words"),
    [
        pytest.param(
            "", {"Authorization": "AWS4-ECDSA-P256-SHA256 x"}, "AWS4-ECDSA-P256-SHA256", id="sigv4a"
        ),
        pytest.param("", {"Authorization": "AWS test:abc="}, "Version 2", id="sigv2"),
        pytest.param("?AWSAccessKeyId=a&Signature=b&Expires=1", {}, "Version 2", id="sigv2-presigned"),
    ],
)
def test_a_signature_of_another_kind_is_refused_in_words(signing, query, headers, words):
    request = urllib.request.Request(f"{signing.url}/bucket{query}", headers=headers)
    with pytest.raises(urllib.error.HTTPError, match="501") as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value as answer:
        assert words in answer.read().decode()


def test_what_has_no_signature_gets_none(signing, scripted):
    with urllib.request.urlopen(f"{signing.url}/_localstack/info", timeout=10) as answer:
        assert answer.read() == b"ok"
    assert scripted.of("/_localstack/info").header("authorization") is None


# --- moto's server, which verifies signatures against its IAM


@pytest.fixture(scope="module")
def verifying_moto(tmp_path_factory):
    """The address of a moto server, and a key that it knows."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(),  # noqa: PLW1509
        )
    try:
        iam = client(url, "iam")

        def created():
            try:
                return iam.create_user(UserName="deployer")
            except OSError:
                return None
            except iam.exceptions.ClientError:
                raise
            except Exception:  # noqa: BLE001 - not listening yet
                return None

        eventually(created, within=60, pause=0.2)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="deployer", PolicyName="all", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        none = urllib.request.Request(
            f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(none, timeout=10).close()
        yield url, key["AccessKeyId"], key["SecretAccessKey"]
    finally:
        server.terminate()
        server.wait(20)


def test_moto_with_its_verification_on_accepts_clients_of_the_edge(verifying_moto, tmp_path, monkeypatch):
    from botocore.exceptions import ClientError

    url, key, secret = verifying_moto
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client(url, "sts").get_caller_identity()
    monkeypatch.setenv("SAMJHADOO_UPSTREAM_ACCESS_KEY_ID", key)
    monkeypatch.setenv("SAMJHADOO_UPSTREAM_SECRET_ACCESS_KEY", secret)
    monkeypatch.delenv("SAMJHADOO_UPSTREAM_SESSION_TOKEN", raising=False)
    with running_emulator("--upstream", url, runtime="noop", folder=tmp_path) as emulator:
        assert emulator.ask("GET", "health")["upstream"]["kind"] == "moto"
        assert client(emulator.url, "sts").get_caller_identity()["Arn"].endswith("user/deployer")
        s3 = client(emulator.url, "s3")
        s3.create_bucket(Bucket="verified", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(Bucket="verified", Key="a b+c", Body=b"content")
        assert s3.get_object(Bucket="verified", Key="a b+c")["Body"].read() == b"content"
        ssm = client(emulator.url, "ssm")
        ssm.put_parameter(Name="/a", Value="b", Type="String")
        assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == "b"
        assert client(emulator.url, "apigateway").create_rest_api(name="an api")["name"] == "an api"
