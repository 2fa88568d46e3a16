from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.artifacts import cache, flyway
from samjhadoo_ops.stack import postgres, training
from samjhadoo_ops.stack.plan import HostServers, PostgresPlan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# Stands for Java and Flyway: records how it was started, and the archive that the first argument names.
_RECORDER = """
import json, os, pathlib, sys
archive = pathlib.Path(sys.argv[1].partition("=")[2])
archive.write_text("archive")
pathlib.Path(os.environ["RECORD"]).write_text(json.dumps([sys.argv, os.environ["FLYWAY_PASSWORD"]]))
"""


def test_the_password_reaches_the_training_run_as_a_variable_and_on_no_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(_folder: Path, options: list[str]) -> list[str]:
        return [sys.executable, "-c", _RECORDER, *options]

    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(flyway, "home", lambda: tmp_path / "flyway")
    monkeypatch.setattr(flyway, "archive_folder", lambda _folder: tmp_path / "archive")
    monkeypatch.setattr(flyway, "_command", command)
    monkeypatch.setattr(training, "_server", lambda *_: nullcontext(SimpleNamespace(poll=lambda: 0)))
    monkeypatch.setattr(postgres, "install", lambda _plan: tmp_path)
    plan: Any = PostgresPlan("home", "template", str(tmp_path / "data"), account=None, copy_home=False)
    training.main(HostServers(plan, "redis-server"), "planted-password", tmp_path)
    arguments, password = json.loads((tmp_path / "record").read_text())
    assert password == "planted-password"
    assert "migrate" in arguments
    assert not [argument for argument in arguments if "planted" in argument]
