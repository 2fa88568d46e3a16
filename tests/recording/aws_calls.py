"""Records which AWS calls the tool makes, in the tests' own processes and in those that they start.

Each call becomes a line of the file that `RECORDED_CALLS_FILE` names: the module of the caller (the nearest
one outside of botocore), the call (`service:Operation` in botocore's names), and its parameters that are
text. Calls of the tests themselves are left out. A line is appended by one write, so that processes can share
the file.

`sitecustomize` imports this in every Python process of the tests, so it imports little itself.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from importlib.util import find_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

VARIABLE = "RECORDED_CALLS_FILE"
_TOOL = "samjhadoo_ops."
_CLIENTS = "botocore.client"
_MARK = "is_recorded"
_LIBRARIES = ("botocore.", "boto3.", f"{__name__}.")


def record_from_start() -> None:
    """Record from now on, if the variable names a file. botocore is imported when the tool does it."""
    if not os.environ.get(VARIABLE):
        return
    if _CLIENTS in sys.modules:
        instrument(sys.modules[_CLIENTS])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


def instrument(clients: ModuleType) -> None:
    """Record the calls of all clients of `botocore.client`; it does no harm to do so twice."""
    call = clients.BaseClient._make_api_call
    if hasattr(call, _MARK):
        return

    @functools.wraps(call)
    def recorded(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        module = _caller(sys._getframe(1))
        if module.startswith(_TOOL):
            name = f"{self.meta.service_model.service_name}:{operation}"
            _append({"module": module, "name": name, "parameters": _texts(parameters)})
        return call(self, operation, parameters)

    setattr(recorded, _MARK, True)
    clients.BaseClient._make_api_call = recorded


class _AfterImport:
    """A finder that instruments the clients as soon as they are imported."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _CLIENTS:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_instrument(module: ModuleType) -> None:
            execute(module)
            instrument(module)

        spec.loader.exec_module = execute_and_instrument  # type: ignore[method-assign]
        return spec


def _caller(frame: FrameType | None) -> str:
    """Return the module of the nearest caller outside of botocore."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not f"{module}.".startswith(_LIBRARIES):
            return module
        frame = frame.f_back
    return ""


def _texts(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that are text, or lists of it."""
    return {
        name: value
        for name, value in parameters.items()
        if all(isinstance(each, str) for each in (value if isinstance(value, list) else [value]))
    }


def _append(call: dict[str, Any]) -> None:
    # One write to a file that is open for appending: lines of several processes are not mixed.
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{json.dumps(call)}\n".encode())
    finally:
        os.close(file)
