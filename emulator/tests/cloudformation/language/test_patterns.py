"""Regular expressions of templates: Java's classes, mistakes, and those that would never end."""

from __future__ import annotations

import time

import pytest

from samjhadoo_emulator.cloudformation.language.patterns import matches


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b", "abc", True),
        (r"^[\p{L}\p{Z}]+$", "é x", True),
        (r"^\p{Alnum}+$", "a1", True),
        ("^a$", "b", False),
        ("[", "anything", True),
    ],
)
def test_patterns(pattern, text, found):
    assert matches(pattern, text) is found


def test_whole_texts():
    assert not matches("a", "ab", whole=True)
    assert matches("ab?", "ab", whole=True)


def test_a_pattern_that_would_never_end_ends():
    began = time.monotonic()
    matches(r"^(a|a?)+$", "a" * 60 + "!")
    assert time.monotonic() - began < 5
