from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.ecs.runtime.scratch import LONGEST, ScratchFolders

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("depth", [0, 1, 12], ids=["short", "long", "very-long"])
def test_a_unix_socket_can_lie_in_a_scratch_folder(
    tmp_path_factory: pytest.TempPathFactory, depth: int
) -> None:
    top = tmp_path_factory.mktemp("s")
    folders = ScratchFolders(top.joinpath(*["a-rather-long-name" for _ in range(depth)], "scratch"))
    made = folders.make()
    assert len(str(made)) <= LONGEST + 2
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(made / "a-socket-with-quite-a-long-name.sock"))
    assert folders.make() != made
    folders.remove()
    assert not made.exists()


def test_the_next_emulator_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    place = tmp_path / ("x" * LONGEST) / "scratch"
    left = ScratchFolders(place).make()
    (left / "file").write_text("left")
    after = ScratchFolders(place)
    after.remove()
    assert not left.exists()
    assert not place.is_symlink()
    assert not (after.make() / "file").exists()
    after.remove()
