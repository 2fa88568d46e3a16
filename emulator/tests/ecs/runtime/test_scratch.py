from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samjhadoo_emulator.ecs.runtime import scratch
from samjhadoo_emulator.ecs.runtime.scratch import LONGEST, PREFIX, ScratchFolders

LONG = Path("/", "x" * LONGEST)


@pytest.mark.parametrize("depth", [0, 1, 12], ids=["short", "long", "very-long"])
def test_a_unix_socket_can_lie_in_a_scratch_folder(
    tmp_path_factory: pytest.TempPathFactory, depth: int
) -> None:
    top = tmp_path_factory.mktemp("s")
    folders = ScratchFolders(top.joinpath(*["a-rather-long-name" for _ in range(depth)], "scratch"))
    made = folders.make()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(made / "a-socket-with-quite-a-long-name.sock"))
    assert folders.make() != made
    folders.remove()
    assert not made.exists()
    assert not made.parent.exists()


def test_the_next_emulator_removes_what_a_killed_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; from samjhadoo_emulator.ecs.runtime.scratch import *\n"
    code += "folders = ScratchFolders(*map(Path, sys.argv[1:])); folders.make(); print(flush=True)\n"
    code += "time.sleep(600)"
    command = [sys.executable, "-c", code, str(LONG), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (theirs,) = tmp_path.iterdir()
        later = time.time() + 120
        monkeypatch.setattr(scratch.time, "time", lambda: later)
        folders = ScratchFolders(LONG, tmp_path)
        folders.make()
        assert theirs.exists()
        other.send_signal(signal.SIGKILL)
        other.wait(20)
    ScratchFolders(LONG, tmp_path).make()
    assert not theirs.exists()
    assert len(list(tmp_path.iterdir())) == 2
    folders.remove()


def test_folders_and_links_of_others_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to("outside")
    (tmp_path / f"{PREFIX}foreign").mkdir()
    monkeypatch.setattr(scratch, "_YOUNG", -1.0)
    monkeypatch.setattr(scratch.os, "geteuid", lambda: os.getuid() + 1)
    ScratchFolders(LONG, tmp_path).make()
    assert (tmp_path / f"{PREFIX}foreign").exists()
    monkeypatch.undo()
    monkeypatch.setattr(scratch, "_YOUNG", -1.0)
    ScratchFolders(LONG, tmp_path).make()
    assert not (tmp_path / f"{PREFIX}foreign").exists()
    assert (tmp_path / f"{PREFIX}link").is_symlink()
    assert (tmp_path / "outside").is_dir()
