"""Which keys a request may carry, and where."""

from __future__ import annotations

import base64

import pytest

from samjhadoo_emulator.guard.keys import MOST_ISSUED, OWN_CALLS, Keys

KEY = "emulator-0123456789abcdef"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "query"),
    [
        pytest.param(f"AWS4-HMAC-SHA256 Credential={KEY}/20261130/a/s3/aws4_request", "", id="signed"),
        pytest.param(f"AWS {KEY}:signature", "", id="signed-as-s3-once-did"),
        pytest.param(basic(f"AWS:{KEY}"), "", id="password"),
        pytest.param(basic(f":{KEY}").replace("Basic", "basic"), "", id="password-without-a-name"),
        pytest.param("", f"X-Amz-Credential={KEY}%2F20261130%2Fa%2Fs3%2Faws4_request", id="presigned"),
        pytest.param("", f"AWSAccessKeyId={KEY}&Signature=0", id="presigned-as-s3-once-did"),
        pytest.param(f"AWS4-HMAC-SHA256 Credential={OWN_CALLS}/20261130/a/s3/aws4_request", "", id="own"),
    ],
)
def test_a_key_is_found_wherever_clients_send_it(authorization, query):
    assert Keys(KEY).accepts(authorization, query)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        f"Bearer {KEY}",
        f"AWS4-HMAC-SHA256 Credential={KEY}x/20261130/a/s3/aws4_request",
        f"AWS4-HMAC-SHA256 Credential=x/{KEY}/a/s3/aws4_request",
        basic(f"{KEY}:"),
        basic(KEY),
        "Basic !",
        "Basic /w==",
        "AWS4-HMAC-SHA256 Credential=/20261130",
    ],
)
def test_nothing_else_is_a_key(authorization):
    assert not Keys(KEY).accepts(authorization, f"key={KEY}")


def test_an_issued_key_is_accepted_for_its_time():
    keys = Keys(KEY)
    keys.issue("ASIAOFATASK", 60)
    keys.issue("ASIAOFANOTHER", -1)
    assert keys.accepts("AWS ASIAOFATASK:x", "")
    assert not keys.accepts("AWS ASIAOFANOTHER:x", "")


def test_old_issued_keys_are_forgotten_when_there_are_many():
    keys = Keys(KEY)
    for number in range(MOST_ISSUED * 2):
        keys.issue(f"ASIA{number}", 60)
    assert not keys.accepts("AWS ASIA0:x", "")
    assert keys.accepts(f"AWS ASIA{MOST_ISSUED * 2 - 1}:x", "")


def test_every_emulator_has_another_key():
    assert Keys().key != Keys().key
