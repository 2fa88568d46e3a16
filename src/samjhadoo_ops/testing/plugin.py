"""The pytest fixture `local_stack`: a whole local stack.

It belongs to a copy of the project in pytest's root folder, and is of the kind in SAMJHADOO_STACK. To start
it differently, override the fixture `local_stack_options` (scope `session`), which returns keyword arguments
of `running_stack`.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from samjhadoo_ops.testing.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.testing.stack import LocalStack


@pytest.fixture(scope="session")
def local_stack_options() -> dict[str, Any]:
    """Return keyword arguments of `running_stack`."""
    return {}


@pytest.fixture(scope="session")
def local_stack_process(
    local_stack_options: dict[str, Any], pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalStack]:
    """Run a stack for the whole session."""
    from samjhadoo_ops.engine import EngineUnavailable

    folder = tmp_path_factory.mktemp("stack")
    options = {"root": pytestconfig.rootpath, "folder": folder, **local_stack_options}
    with contextlib.ExitStack() as running:
        try:
            found = running.enter_context(running_stack(**options))
        except EngineUnavailable as error:
            refuse_or_skip(str(error))
        yield found


@pytest.fixture
def local_stack(local_stack_process: LocalStack) -> Iterator[LocalStack]:
    """Return a running local stack; faults end with the test, releases and data stay.

    Without a Docker engine, tests with a containers stack are skipped; in CI and with
    SAMJHADOO_CONTAINERS=required they fail.
    """
    yield local_stack_process
    local_stack_process.clear_faults()


def refuse_or_skip(reason: str) -> NoReturn:
    """Fail in CI and where containers are required, skip otherwise."""
    if os.environ.get("SAMJHADOO_CONTAINERS") == "required" or os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
