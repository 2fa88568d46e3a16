"""pytest's fixture `local_stack`: a whole local stack.

It runs for a copy of the project in pytest's root folder and is of the kind that SAMJHADOO_STACK names.
Override the fixture `local_stack_options` (scope `session`) to start it differently: it returns keyword
arguments of `running_stack`.
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
    """Return how the stack is started: keyword arguments of `running_stack`."""
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

    Without a Docker engine a stack of containers is skipped; where containers are required
    (SAMJHADOO_CONTAINERS=required) and in CI it is an error.
    """
    yield local_stack_process
    local_stack_process.clear_faults()


def refuse_or_skip(reason: str) -> NoReturn:
    """Fail where containers are required and in CI, skip elsewhere."""
    if os.environ.get("SAMJHADOO_CONTAINERS") == "required" or os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
