"""What the documentation shows exists: commands, options, sessions, files, settings."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.tasks import ns

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docker").rglob("*.md"),
        *(ROOT / "localstack").rglob("*.md"),
    ]
)
COMMAND = re.compile(r"\binvoke ((?:--?[\w-]+ )*)([a-z]+(?:\.[a-z]+)?)\b([^\n`#;|)]*)")
CORE = {"--list", "--help", "--dry", "--version"}


def commands(text: str) -> list[tuple[str, str]]:
    """Return the tasks that are invoked in code: (task, the rest of the line)."""
    code = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    return [
        (found[2], found[3])
        for block, span in code
        for found in COMMAND.finditer(block or span)
        if found[2] not in {"is", "and"}
    ]


def sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("session" in ast.unparse(d) for d in node.decorator_list)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_task_and_option_that_a_page_shows_exists(page):
    shown = commands(page.read_text())
    assert shown or page.name != "README.md" or page.parent != ROOT
    for task, rest in shown:
        assert task in ns.task_names, task
        known = {
            name.replace("_", "-")
            for argument in ns[task].get_arguments(ignore_unknown_help=True)
            for name in argument.names
        }
        for word in shlex.split(rest):
            if word.startswith("--") and word not in CORE:
                assert word.removeprefix("--").split("=")[0] in known, f"{task} {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_session_that_a_page_names_exists(page):
    assert set(re.findall(r"nox -s (\w+)", page.read_text())) <= sessions()


def test_every_path_that_a_session_names_exists():
    for path in re.findall(r'"((?:tests|benchmarks|emulator)/[\w/.]+)"', (ROOT / "noxfile.py").read_text()):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_page_overrides_exists(page):
    variables = dict(re.findall(r"(SAMJHADOO_[A-Z]+__[A-Z_]+)=(\S+)", page.read_text()))
    load_environment("local", root=ROOT, variables=variables)


def test_ci_finds_the_test_command_in_the_readme():
    pattern = re.search(r"grep -E '([^']+)' README.md", (ROOT / ".ci" / "run").read_text())
    assert pattern is not None
    commands = [line for line in (ROOT / "README.md").read_text().splitlines() if re.search(pattern[1], line)]
    assert len(commands) == 1
