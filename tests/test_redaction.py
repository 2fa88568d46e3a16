from __future__ import annotations

import pytest

from samjhadoo_ops.environment import Secret
from samjhadoo_ops.environment.secret import clean


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
        ("k1\nsecondlineofkey1234\nz", "at secondlineofkey1234", "at ***"),
    ],
    ids=["mixed", "inside", "a-plain-word", "too-short", "a-line-of-it"],
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
    assert clean("a\x1b[31mred\x1b[0m\x1b]0;title\x07b\x00\rc\td") == "a red  b  c\td"
