"""Every command that a message names exists, with the options that it names."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops import ns

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[1] / "src" / "samjhadoo_ops"
INVOKE = re.compile(r"\binvoke ((?!TASK|--)[a-z]+(?:\.[a-z]+)*)((?: (?:--[a-z-]+|(?!or |then)[^\s;:,)]+))*)")
AWS = re.compile(r"\baws (?!sso|configure|\{)([a-z]+) ([a-z-]+)((?: [^\s;,]+)*)")


def texts(file: Path) -> Iterator[str]:
    """Yield the texts of a module; what an f-string fills in is `{}`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


TEXTS = sorted({text for file in SOURCE.rglob("*.py") for text in texts(file)})


TASKS = {
    name: set(context.flag_names())
    for context in ns.to_contexts()
    for name in (context.name, *context.aliases)
}


def commands(pattern: re.Pattern[str]) -> list[re.Match[str]]:
    return [match for text in TEXTS for match in pattern.finditer(text)]


def test_there_are_commands_in_the_messages() -> None:
    assert len(commands(INVOKE)) > 50
    assert len(commands(AWS)) > 2


@pytest.mark.parametrize("match", commands(INVOKE), ids=lambda match: match[0])
def test_a_command_in_a_message_is_a_task_with_these_options(match: re.Match[str]) -> None:
    assert match[1] in TASKS
    assert set(re.findall(r"--[a-z-]+", match[2])) <= TASKS[match[1]]


@pytest.mark.parametrize("match", commands(AWS), ids=lambda match: match[0])
def test_a_command_of_the_aws_cli_is_an_operation_with_these_options(match: re.Match[str]) -> None:
    from botocore import xform_name
    from botocore.session import Session

    if match[2] == "wait":
        waiters = Session().get_waiter_model(match[1]).waiter_names
        assert match[3].split()[0] in {xform_name(name, "-") for name in waiters}
        return
    model = Session().get_service_model(match[1])
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert match[2] in names
    shape = model.operation_model(names[match[2]]).input_shape
    assert set(re.findall(r"--([a-z-]+)", match[3])) <= {xform_name(each, "-") for each in shape.members}
