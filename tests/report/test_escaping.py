from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from samjhadoo_ops.report.escaping import code, command, data, fenced, harmless, markdown, value

NASTY = st.text(alphabet=st.sampled_from(list("ab `*_~|<>&[]()!#:/\\%,@.-+=\"'{}$\n\r\t\x1bé")), max_size=40)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def shown(source: str) -> tuple[str, set[str]]:
    """Return what Markdown makes of a source: its text and the kinds of its tokens."""
    tokens: list[Any] = []
    for token in MARKDOWN.parse(source):
        tokens += [token, *(token.children or ())]
    words = [
        token.content for token in tokens if token.type in {"text", "text_special", "code_inline", "fence"}
    ]
    return "".join(words), {token.type for token in tokens}


def words(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).strip()


@settings(max_examples=150, deadline=None)
@given(NASTY)
def test_markdown_shows_a_foreign_text_as_it_is_and_as_nothing_else(text: str) -> None:
    said, kinds = shown(f"x {markdown(text)} y")
    assert said == f"x {words(text)} y"
    assert kinds <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}


@settings(max_examples=150, deadline=None)
@given(NASTY)
def test_a_cell_stays_one_cell(text: str) -> None:
    source = f"| a | b |\n|---|---|\n| {markdown(text) or '-'} | {code(text, cell=True) or '-'} |"
    _, kinds = shown(source)
    assert "html_inline" not in kinds
    assert sum(token.type == "td_open" for token in MARKDOWN.parse(source)) == 2


@settings(max_examples=150, deadline=None)
@given(NASTY)
def test_a_code_span_holds_the_text(text: str) -> None:
    expected = words(text)
    if not expected:
        assert code(text) == ""
        return
    said, kinds = shown(code(text))
    assert said == expected
    assert kinds == {"paragraph_open", "inline", "code_inline", "paragraph_close"}


@settings(max_examples=100, deadline=None)
@given(st.lists(NASTY, min_size=1, max_size=4))
def test_nothing_in_a_fenced_block_ends_it(lines: list[str]) -> None:
    tokens = MARKDOWN.parse("\n".join([*fenced(lines), "", "after"]))
    assert [token.type for token in tokens[:2]] == ["fence", "paragraph_open"]
    assert tokens[0].content.count("\n") == len(lines)


def decoded(text: str) -> str:
    """Decode as GitHub's runner does: `%25` last."""
    for code_, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code_, letter)
    return text


@settings(max_examples=150, deadline=None)
@given(NASTY, NASTY)
def test_a_workflow_command_is_one_line_and_keeps_its_text(title: str, message: str) -> None:
    said = command("error", message, title=title)
    assert "\n" not in said
    assert "\r" not in said
    name, _, rest = said.removeprefix("::").partition("::") if not title else ("", "", "")
    if title:
        properties, _, rest = said.removeprefix("::error title=").partition("::")
        assert ":" not in properties
        assert "," not in properties
        assert decoded(properties) == title
    else:
        assert name == "error"
    assert decoded(rest) == message


@pytest.mark.parametrize(
    ("text", "as_data", "as_value"),
    [
        ("50 %", "50 %25", "50 %25"),
        ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
        ("title: a, b", "title: a, b", "title%3A a%2C b"),
        ("%0A", "%250A", "%250A"),
        ("::error::", "::error::", "%3A%3Aerror%3A%3A"),
    ],
)
def test_what_github_reads_as_syntax_is_escaped(text: str, as_data: str, as_value: str) -> None:
    assert (data(text), value(text)) == (as_data, as_value)


@pytest.mark.parametrize(
    "text",
    [
        "::set-output name=a::b",
        "  ::error::x",
        "a\n::stop-commands::t",
        "a\r::error::x",
        "x ##[error]y",
        "\t::debug::",
    ],
)
def test_no_line_of_a_foreign_text_is_a_command(text: str) -> None:
    for line in re.split(r"[\r\n]", harmless(text)):
        assert not line.strip().startswith("::")
        assert "##[" not in line


def test_a_harmless_text_is_left_as_it_is() -> None:
    text = "deployment ab::cd\r\n  50 % of #1 [x]"
    assert harmless(text) == text
