"""Which files `.dockerignore` and the patterns of COPY mean: the answers of moby/patternmatcher 0.6.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.patterns import expression, is_ignored, read_rules

if TYPE_CHECKING:
    from pathlib import Path


def ignored(folder: Path, content: str | bytes, paths: str) -> set[str]:
    file = folder / ".dockerignore"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    rules = read_rules(file)
    return {path for path in paths.split() if is_ignored(path, rules)}


@pytest.mark.parametrize(
    ("content", "paths", "expected"),
    [
        pytest.param("*\n!target/**", "a target target/x target/x/y", "a target", id="taken-back-below"),
        pytest.param("*\n!target", "a target target/x", "a", id="folder-taken-back"),
        pytest.param("*\n!a/b/c", "a a/b a/b/c a/b/d", "a a/b a/b/d", id="taken-back-deep-inside"),
        pytest.param("!a\n*", "a b", "a b", id="the-last-match-counts"),
        pytest.param("a\n!a/b\na/b/c", "a/x a/b a/b/c", "a/x a/b/c", id="excluded-again"),
        pytest.param("*.md", "x.md a/x.md", "x.md", id="a-star-is-for-the-top"),
        pytest.param("**/*.md", "x.md a/x.md a/b/x.md x.mdx", "x.md a/x.md a/b/x.md", id="any-depth"),
        pytest.param("**.log", "x.log a/x.log", "x.log a/x.log", id="suffix"),
        pytest.param("**", "a a/b", "a a/b", id="all"),
        pytest.param("a/**", "a a/b a/b/c", "a/b a/b/c", id="all-below-but-not-itself"),
        pytest.param("a/**/b", "a/b a/x/b a/x/y/b/z b", "a/b a/x/b a/x/y/b/z", id="folders-between"),
        pytest.param("/a\n./b\nc/\nd//e\nf/../g", "a b c c/x d/e g f", "a b c c/x d/e g", id="cleaned"),
        pytest.param("  a  \n\t!  b\n", "a b", "a", id="spaces-around"),
        pytest.param(" #a\n#b\n", "#a #b b", "#a", id="a-comment-starts-in-the-first-column"),
        pytest.param("a?c\n[x-z]\n[^a-y]1\n\\*", "abc a/c y z1 x1 * b", "abc y z1 *", id="characters"),
        pytest.param("a.b\nc+\n(d)\n", "a.b axb c+ cc (d)", "a.b c+ (d)", id="no-regular-expressions"),
        pytest.param("A", "a A", "A", id="case-counts"),
        pytest.param(".\n/\n!.", "a b/c", "", id="the-context-itself-stays"),
        pytest.param("a\r\nb\r\n", "a b", "a b", id="windows-line-ends"),
        pytest.param("\ufeffsecret\n\ufeffb\n", "secret b", "secret", id="byte-order-mark"),
        pytest.param("\ufeff# comment\na", "a", "a", id="byte-order-mark-before-a-comment"),
    ],
)
def test_the_rules_exclude_what_docker_excludes(
    tmp_path: Path, content: str, paths: str, expected: str
) -> None:
    assert ignored(tmp_path, content, paths) == set(expected.split())


def test_names_that_are_not_utf8_can_be_excluded(tmp_path: Path) -> None:
    assert ignored(tmp_path, b"caf\xe9", "caf\udce9 caf") == {"caf\udce9"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a\nb[", ".dockerignore:2: 'b[' is not a valid pattern"),
        ("[b-a]", ".dockerignore:1: '[b-a]' is not a valid pattern"),
        ("a\\", ".dockerignore:1: 'a\\\\' is not a valid pattern"),
        ("!", ".dockerignore:1: a pattern has to follow the !"),
        ("secret\n".encode("utf-16"), ".dockerignore is not UTF-8 text"),
        ("secret\n".encode("utf-16-be"), ".dockerignore is not UTF-8 text"),
    ],
)
def test_rules_that_cannot_be_understood_exclude_nothing_in_silence(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ignored(tmp_path, content, "")
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.py", "a.py .py", "a.pyc"),
        ("**", "a .a", ""),
        ("[!a]b", "!b ab", "cb"),
        ("[^a]b", "cb !b", "ab"),
        ("[\\]a]", "] a", "b"),
        ("a\\*", "a*", "ab"),
    ],
)
def test_patterns_of_copy_are_those_of_go(pattern: str, matching: str, other: str) -> None:
    found = {name for name in (*matching.split(), *other.split()) if expression(pattern).fullmatch(name)}
    assert found == set(matching.split())


@given(st.text(st.sampled_from("ab*?[]^-\\/!.{}()|+$"), max_size=12))
def test_any_text_is_a_pattern_or_an_error(pattern: str) -> None:
    for recursive in (False, True):
        try:
            expression(pattern, recursive=recursive).fullmatch("ab")
        except ValueError:
            continue
