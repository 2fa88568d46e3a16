from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.environment import Secret
from samjhadoo_ops.redaction import clean, cleaned


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("gW4-planted.77", "password=gW4-planted.77 refused", "password=*** refused"),
        ("x9Qz!planted", "ax9Qz!plantedb", "a***b"),
        (
            "weakword",
            "weakword-service: password weakword, weakwords",
            "weakword-service: password ***, weakwords",
        ),
        ("tiny", "a tiny thing", "a tiny thing"),
        ("k8s\"quoted'x", json.dumps({"a": "k8s\"quoted'x"}), '{"a": "***"}'),
        ("k8s\"quoted'x", repr({"a": "k8s\"quoted'x"}), "{'a': '***'}"),
        ("p@ss/word+1", "postgres://db?password=p%40ss%2Fword%2B1", "postgres://db?password=***"),
        ("918273", "id 918273, 9182731", "id ***, 9182731"),
        ("k1\nsecondlineofkey1234\nz", "at secondlineofkey1234", "at ***"),
        ("gW4-planted.78", "is gW4-\x1b[1;31mplanted\x1b[0m.78!", "is ***!"),
    ],
    ids=[
        "mixed",
        "inside",
        "a-plain-word",
        "too-short",
        "as-json",
        "as-python",
        "in-a-url",
        "a-number",
        "a-line-of-it",
        "coloured-in-part",
    ],
)
def test_a_resolved_secret_is_never_shown(secret: str, text: str, expected: str) -> None:
    Secret(secret)
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key sk_test_0123456789abcdef!", "key ***!"),
        ("postgres://app:hunter22@db:5432/x", "postgres://***@db:5432/x"),
        ("AKIAABCDEFGHIJKLMNOP", "***"),
        ("-----BEGIN PRIVATE KEY-----abc", "***"),
        ("exit code 1, https://example.com/a:b", "exit code 1, https://example.com/a:b"),
    ],
)
def test_text_that_looks_like_a_secret_is_never_shown(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_control_characters_of_other_programs_do_not_reach_the_terminal() -> None:
    assert clean("a\x1b[31mred\x1b[0m\x1b]0;title\x07b\x00\rc\td") == "aredb  c\td"


COMMANDS = {"Cc", "Zl", "Zp"}
LETTERS = st.characters(categories=["Cc", "Zl", "Zp", "Lu"]) | st.sampled_from("[]m\u202e\u2066;")


@given(st.text(alphabet=LETTERS))
def test_nothing_that_commands_a_terminal_is_left(text: str) -> None:
    for shown, allowed in ((clean(text), "\t"), (clean(text, lines=True), "\t\n")):
        assert {char for char in shown if unicodedata.category(char) in COMMANDS} <= set(allowed)
        assert not set(shown) & set("\u202e\u2066")


def test_every_text_of_a_document_is_clean() -> None:
    Secret("planted-in-a-field")
    found = cleaned({"a": ["planted-in-a-field", ("x\x1b[2J", 1)], "b": {"c": None}, "d": "two\nlines"})
    assert found == {"a": ["***", ["x", 1]], "b": {"c": None}, "d": "two\nlines"}
