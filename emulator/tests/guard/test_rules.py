"""Which requests are refused: the published cases, and what holds for any request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.guard.rules import (
    KEY_NEEDS,
    AccessRules,
    Facts,
    Peer,
    decide,
    name_of,
    origin_of,
    own_origins,
    parse_host,
    parse_origin,
)

ALLOWED = "http://localhost:3000"
EVIL = "http://evil.example"
POLICY = AccessRules(
    own_origins=own_origins("127.0.0.1", 4566),
    origins=frozenset({ALLOWED}),
    hosts=frozenset({"aws.test", "*.box.test"}),
)
CONTROL = {"method": "POST", "path": "/_emulator/faults", "controls": True}

RESET: dict[str, Any] = {"method": "POST", "path": "/moto-api/reset"}
SERVED = {
    "1-no-origin": {},
    "2-by-ip": {"method": "POST"},
    "3-node-fetch": {"method": "POST"},  # Sec-Fetch-Mode alone
    "4-virtual-host": {"method": "PUT", "hosts": ("bucket.localhost:4566",)},
    "4-deep-virtual-host": {"hosts": ("a.b.s3.localhost.localstack.cloud:4566",)},
    "5-registry": {"method": "PUT", "hosts": ("000000000000.dkr.ecr.ap-south-1.amazonaws.com",)},
    "5-china": {"hosts": ("s3.cn-north-1.amazonaws.com.cn",)},
    "6-ipv6": {"hosts": ("[::1]:4566",)},
    "6-other-ip": {"hosts": ("192.168.1.7:4566",)},
    "7-final-dot": {"hosts": ("localhost.:4566",)},
    "7-capitals": {"hosts": ("LocalHost:4566",)},
    "8-http-1.0": {"hosts": ()},
    "13-whole-url": {"target": "127.0.0.1:4566"},
    "20-typed-address": {"sites": ("none",)},
    "20-same-origin": {"sites": ("same-origin",)},
    "own-origin": {"method": "POST", "origins": ("http://127.0.0.1:4566",), "sites": ("same-origin",)},
    "own-page": {"referer": "http://localhost:4566/moto-api/"},
    "23-allowed-origin": {"origins": (ALLOWED,), "sites": ("same-site",)},
    "23-preflight": {"method": "OPTIONS", "preflight": "POST", "origins": (ALLOWED,)},
    "image-on-allowed-page": {"sites": ("same-site",), "referer": f"{ALLOWED}/gallery"},
    "30-task": {"path": "/_ecs/v2/credentials/1", "asks_for_task": True, "peer": Peer.OTHER},
    "task-with-key": {"method": "POST", "peer": Peer.OTHER, "has_key": True},
    "unknown-peer": {"peer": Peer.UNKNOWN},
    "configured-host": {"hosts": ("aws.test:4566",)},
    "configured-pattern": {"hosts": ("a.box.test",)},
    "control": CONTROL,
    "control-json": CONTROL | {"has_body": True, "is_json": True},
    "control-read": {"path": "/_emulator/health"},
    "moto-reset": RESET,
    "moto-dashboard": {"path": "/moto-api/data.json"},
    "bucket-that-looks-like-control": {"method": "PUT", "path": "/moto-api-files/key"},
}
REFUSED: dict[str, dict[str, Any]] = {
    "9-host": {"hosts": ("evil.example:4566",)},
    "10-localhost-below-another": {"hosts": ("localhost.evil.example",)},
    "11-ip-below-another": {"hosts": ("127.0.0.1.evil.example",)},
    "11-not-a-label": {"hosts": ("evillocalhost",)},
    "11-aws-below-another": {"hosts": ("s3.amazonaws.com.evil.example",)},
    "11-empty": {"hosts": ("",)},
    "11-user": {"hosts": ("127.0.0.1@evil.example",)},
    "11-port": {"hosts": ("127.0.0.1:80@evil.example",)},
    "12-two-hosts": {"hosts": ("127.0.0.1", "127.0.0.1")},
    "13-other-target": {"target": "evil.example"},
    "13-other-local-target": {"target": "bucket.localhost"},
    "14-get": {"origins": (EVIL,)},
    "14-post": {"method": "POST", "origins": (EVIL,)},
    "14-registry": {"method": "POST", "path": "/v2/evil/blobs/uploads/", "origins": (EVIL,)},
    "14-control": CONTROL | {"origins": (EVIL,)},
    "15-null": {"origins": ("null",)},
    "15-file": {"origins": ("file://",)},
    "15-empty": {"origins": ("",)},
    "15-several": {"origins": (ALLOWED, ALLOWED)},
    "16-other-port": {"origins": ("http://127.0.0.1:9999",)},
    "16-equal-to-rebound-host": {"origins": ("http://evil.example:4566",), "hosts": ("evil.example:4566",)},
    "17-https-of-own-host": {"origins": ("https://127.0.0.1:4566",)},
    "18-cross-site": {"sites": ("cross-site",)},
    "19-same-site": {"sites": ("same-site",)},
    "19-unknown-site": {"sites": ("elsewhere",)},
    "19-two-sites": {"sites": ("none", "cross-site")},
    "21-referer": {"referer": f"{EVIL}/page"},
    "21-malformed-referer": {"referer": "http://[evil"},
    "22-preflight": {"method": "OPTIONS", "preflight": "POST", "origins": (EVIL,)},
    "25-http-for-https": {"origins": ("https://localhost:3000",)},
    "25-host-pattern-is-no-origin": {"origins": ("http://aws.test",)},
    "26-websocket": {"origins": (EVIL,), "sites": ()},
    "27-form": CONTROL | {"controls": False, "has_body": True, "origins": ()},
    "27-form-with-header": CONTROL | {"has_body": True},
    "27-json-without-header": CONTROL | {"controls": False},
    "27-reset-by-form": RESET | {"has_body": True},
    "27-reset-by-json": RESET | {"has_body": True, "is_json": True},
    "27-reset-of-ours": RESET | {"path": "/_emulator/reset"},
    "27-reset-from-a-page": RESET | {"origins": (EVIL,)},
    "27-reset-from-an-allowed-page": RESET | {"origins": (ALLOWED,)},
    "27-reset-from-a-sandbox": RESET | {"origins": ("null",)},
    "27-reset-from-our-page": RESET | {"sites": ("same-origin",)},
    "27-reset-with-a-referer": RESET | {"referer": "http://localhost:4566/moto-api/"},
    "27-reset-by-get": RESET | {"method": "GET", "path": "/moto-api/seed"},
    "27-reset-of-another-user": RESET | {"peer": Peer.OTHER},
    "27-reset-of-a-rebound-name": RESET | {"hosts": ("evil.example",)},
    "27-seed": {"path": "/moto-api/seed"},
    "27-recording": {"path": "/moto-api/recorder/stop-recording"},
    "28-other-user": {"peer": Peer.OTHER},
    "28-other-user-for-a-preflight": {"peer": Peer.OTHER, "method": "OPTIONS", "preflight": "PUT"},
    "29-closed": {"peer": Peer.GONE},
    "29-closed-with-key": {"peer": Peer.GONE, "has_key": True},
}


def facts(**changes: Any) -> Facts:
    return Facts(**({"hosts": ("127.0.0.1:4566",)} | changes))


@pytest.mark.parametrize("changes", [pytest.param(each, id=name) for name, each in SERVED.items()])
def test_a_legitimate_request_is_served(changes: dict[str, Any]) -> None:
    assert decide(facts(**changes), POLICY) is None


@pytest.mark.parametrize("changes", [pytest.param(each, id=name) for name, each in REFUSED.items()])
def test_a_request_of_somebody_else_is_refused(changes: dict[str, Any]) -> None:
    assert decide(facts(**changes), POLICY) is not None


@pytest.mark.parametrize(
    ("need", "peer", "has_key", "served"),
    [
        ("never", Peer.UNKNOWN, False, True),
        ("unknown", Peer.UNKNOWN, False, False),
        ("unknown", Peer.UNKNOWN, True, True),
        ("unknown", Peer.TRUSTED, False, True),
        ("always", Peer.TRUSTED, False, False),
        ("always", Peer.TRUSTED, True, True),
        ("always", Peer.UNKNOWN, False, False),
    ],
)
def test_the_key_is_asked_for_where_it_is_needed(need: Any, peer: Peer, has_key: bool, served: bool) -> None:
    denial = decide(facts(peer=peer, has_key=has_key), replace(POLICY, key=need))
    assert (denial is None) is served
    assert denial is None or denial.wants_key


def test_a_preflight_cannot_carry_the_key_and_needs_none() -> None:
    asked = facts(method="OPTIONS", preflight="PUT", origins=(ALLOWED,), peer=Peer.UNKNOWN)
    assert decide(asked, replace(POLICY, key="always")) is None


TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30)
HOSTS = st.one_of(
    TEXTS, st.sampled_from(["127.0.0.1", "localhost", "a.localhost", "[::1]", "s3.amazonaws.com"])
)
ANY = st.builds(
    Facts,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]),
    path=st.sampled_from(["/", "/v2/a/blobs/uploads/", "/_emulator/faults", "/moto-api/reset", "/b/k"]),
    hosts=st.lists(HOSTS, max_size=2).map(tuple),
    origins=st.lists(st.one_of(TEXTS, st.sampled_from([EVIL, ALLOWED, "null"])), max_size=2).map(tuple),
    sites=st.lists(st.sampled_from(["none", "cross-site", "same-site", "same-origin"]), max_size=2).map(
        tuple
    ),
    referer=st.one_of(st.just(""), TEXTS),
    preflight=st.sampled_from(["", "POST"]),
    has_body=st.booleans(),
    is_json=st.booleans(),
    controls=st.booleans(),
    peer=st.sampled_from(list(Peer)),
    has_key=st.booleans(),
)


@given(ANY, st.sampled_from(KEY_NEEDS))
def test_what_is_served_comes_from_no_foreign_page_host_or_user(asked: Facts, need: Any) -> None:
    policy = replace(POLICY, key=need)
    if decide(asked, policy) is not None:
        return
    assert all(policy.allows_origin(each) for each in asked.origins)
    assert all(policy.allows_host(each) for each in asked.hosts)
    assert len(asked.hosts) < 2
    assert asked.peer is not Peer.GONE
    assert asked.peer is not Peer.OTHER or asked.has_key
    if not asked.origins and not policy.allows_origin(origin_of(asked.referer)):
        assert set(asked.sites) <= {"none", "same-origin"}
        assert not asked.referer


@given(ANY)
def test_more_headers_of_browsers_never_help(asked: Facts) -> None:
    """A page may add what it likes to a request that is refused: it stays refused."""
    bare = replace(asked, origins=(), sites=(), referer="")
    if decide(bare, POLICY) is not None:
        assert decide(asked, POLICY) is not None


@given(st.text(max_size=40))
def test_any_text_is_judged_as_a_host_and_an_origin(text: str) -> None:
    assert decide(facts(hosts=(text,), origins=(text,), referer=text), POLICY) is not None or text == ALLOWED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("HTTPS://App.Example:443/", "https://app.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_of_the_settings_is_written_as_browsers_write_it(text: str, expected: str) -> None:
    assert parse_origin(text) == expected


@pytest.mark.parametrize(
    "text", ["*", "http://*.example", "null", "localhost:3000", "http://a/path", "file://", ""]
)
def test_what_is_no_origin_is_refused_as_a_setting(text: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        parse_origin(text)


@pytest.mark.parametrize("text", ["*", "*.", "a.*", "http://a", "a:80", "", "a b"])
def test_what_is_no_host_name_is_refused_as_a_setting(text: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        parse_host(text)


def test_host_names_are_compared_without_case_port_and_final_dot() -> None:
    assert [name_of(each) for each in ("A.b.:80", "[::1]:80", "a:b", "[::1]x")] == ["a.b", "::1", "", ""]
