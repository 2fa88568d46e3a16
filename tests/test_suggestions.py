from __future__ import annotations

import pytest

from samjhadoo_ops.suggestions import nearest

ENVIRONMENTS = ["local", "production", "staging"]


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("prod", ENVIRONMENTS, "production"),
        ("PROD", ENVIRONMENTS, "production"),
        ("stag", ENVIRONMENTS, "staging"),
        ("stagging", ENVIRONMENTS, "staging"),
        ("produktion", ENVIRONMENTS, "production"),
        ("loc", ENVIRONMENTS, "local"),
        ("production-eu", ENVIRONMENTS, "production"),
        ("l", ENVIRONMENTS, ""),
        ("dev", ENVIRONMENTS, ""),
        ("", ENVIRONMENTS, ""),
        ("prod", ["production", "product"], "product"),
        ("deplyo", ["deploy", "destroy"], "deploy"),
        ("anything", [], ""),
    ],
)
def test_a_suggestion_is_near_or_missing(word: str, known: list[str], expected: str) -> None:
    assert nearest(word, known) == expected
