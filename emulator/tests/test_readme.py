"""All code that the README and the pages in `docs` show is run, section by section, against an emulator."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from requirements import refuse_or_skip
from samjhadoo_emulator.processes import free_port
from samjhadoo_emulator.testing import eventually

FOLDER = Path(__file__).parents[1]
PAGES = [FOLDER / "README.md", *sorted((FOLDER / "docs").glob("*.md"))]
PORT = "4566"
"""The port that the pages name; here a free one takes its place."""
TOOLS = ("aws", "curl", "docker", "terraform")
OPTIONAL = {"terraform"}
"""Tools without which a section is skipped in CI, too."""


class Section(NamedTuple):
    """A heading of a page, and the code below it by language."""

    page: Path
    heading: str
    code: dict[str, str]

    @property
    def tools(self) -> list[str]:
        """The tools that its commands use."""
        pattern = r"(?:^|\$\(|\|)\s*{}\s"
        return [name for name in TOOLS if re.search(pattern.format(name), self.code["sh"], re.MULTILINE)]


def sections() -> list[Section]:
    """Return the sections of all pages that show code."""
    found = []
    for page in PAGES:
        heading = ""
        for token in (tokens := MarkdownIt().parse(page.read_text())):
            if token.type == "heading_open":
                heading = tokens[tokens.index(token) + 1].content
                found.append(Section(page, heading, {}))
            elif token.type == "fence":
                code = found[-1].code
                code[token.info] = code.get(token.info, "") + token.content
    return [section for section in found if section.code]


SECTIONS = {section.heading: section for section in sections()}
SHOWN = [heading for heading in SECTIONS if heading not in {"Install", "Start", "pytest"}]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The port of an emulator that the README's own command has started."""
    chosen = free_port()
    command = [*shlex.split(SECTIONS["Start"].code["sh"]), "--port", str(chosen)]
    with (tmp_path_factory.mktemp("readme") / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{chosen}/_emulator/health"))
        yield str(chosen)
    finally:
        process.terminate()
        process.wait(20)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def environment(**variables):
    """Return variables with which a shell finds the emulator's command."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true", **variables}


def bash(script, folder, **variables):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(HOME=str(folder), **variables),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require(tool, folder):
    """Skip a test, or fail it in CI, when a tool that it needs does not work here."""
    command = shutil.which(tool, path=environment()["PATH"])
    if command is None:
        (pytest.skip if tool in OPTIONAL else refuse_or_skip)(f"{tool} is not installed")
    if tool == "docker" and subprocess.run([command, "info"], capture_output=True, check=False).returncode:
        refuse_or_skip("there is no Docker engine")
    if (
        tool == "terraform"
        and subprocess.run([command, "init"], cwd=folder, capture_output=True, check=False).returncode
    ):
        pytest.skip("`terraform init` cannot fetch its provider")


@pytest.mark.parametrize(
    "heading",
    [
        pytest.param(each, marks=[pytest.mark.containers] if "docker" in SECTIONS[each].tools else [])
        for each in SHOWN
    ],
)
def test_the_commands_of_a_section_succeed(heading, port, tmp_path):
    section = SECTIONS[heading]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    (tmp_path / "main.tf").write_text(section.code.get("hcl", ""))
    (tmp_path / "shop.yaml").write_text(section.code.get("yaml", ""))
    for tool in section.tools:
        require(tool, tmp_path)
    exports = "".join(re.findall(r"^export .*\n", SECTIONS["AWS CLI"].code["sh"], re.MULTILINE))
    bash((exports + section.code["sh"]).replace(PORT, port), tmp_path)


def test_the_readmes_installation_gives_the_command(tmp_path):
    """Without a network: what the package needs is taken from the tests' own environment."""
    shutil.copytree(
        FOLDER, tmp_path / "emulator", ignore=shutil.ignore_patterns("tests", ".*", "__pycache__")
    )
    offline = {
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way of saying yes
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }
    bash(SECTIONS["Install"].code["sh"], tmp_path, **offline)
    assert bash(".venv/bin/samjhadoo-emulator --help", tmp_path, **offline).startswith(
        "usage: samjhadoo-emulator"
    )


def test_the_readmes_test_suite_passes(tmp_path):
    (tmp_path / "test_suite.py").write_text(SECTIONS["pytest"].code["python"])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_block_of_code_is_one_that_these_tests_run():
    languages = {heading: set(section.code) for heading, section in SECTIONS.items()}
    assert languages.pop("pytest") == {"python"}
    assert languages.pop("Terraform") == {"sh", "hcl"}
    assert languages.pop("CloudFormation") == {"sh", "yaml"}
    assert set(map(frozenset, languages.values())) == {frozenset({"sh"})}


def test_headings_are_unique():
    assert len(SECTIONS) == len(sections())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text()):
        other = (page.parent / target) if target else page
        assert other.exists(), target
        headings = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, anchor
