from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from fake_registry import Files, layer, link, special

from samjhadoo_emulator.ecs.runtime import CannotPullError
from samjhadoo_emulator.ecs.runtime.layers import follow, unpack, zstd

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(folder: Path, *layers: Files | bytes) -> Path:
    root = folder / "root"
    root.mkdir()
    for number, files in enumerate(layers):
        blob = folder / f"layer{number}"
        blob.write_bytes(files if isinstance(files, bytes) else layer(files))
        unpack(blob, root)
    return root


def test_a_later_layer_replaces_and_removes_what_earlier_ones_hold(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        {"app/a": "old", "app/b": "gone", "app/tree/leaf": "gone"},
        {"app/a": "new", "app/.wh.b": "", "app/.wh.tree": ""},
    )
    assert sorted(path.name for path in (root / "app").iterdir()) == ["a"]
    assert (root / "app/a").read_text() == "new"


@pytest.mark.parametrize("order", ["first", "last"])
def test_an_opaque_folder_hides_lower_layers_only_wherever_its_mark_stands(
    tmp_path: Path, order: str
) -> None:
    mark, mine = {"app/.wh..wh..opq": ""}, {"app/deep/mine": "kept"}
    root = unpacked(
        tmp_path,
        {"app/theirs": "gone", "app/deep/theirs": "gone"},
        {**mark, **mine} if order == "first" else {**mine, **mark},
    )
    assert [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()] == [
        "app/deep/mine"
    ]


def test_a_path_through_a_link_stays_inside_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = unpacked(
        tmp_path,
        {"way": link("../../outside"), "abs": link(str(outside))},
        {"way/file": "x", "abs/file": "x", "../../up": "x"},
    )
    assert list(outside.iterdir()) == []
    assert (root / "up").read_text() == "x"
    assert not (tmp_path / "up").exists()


def test_links_between_folders_are_followed_inside_the_folder(tmp_path: Path) -> None:
    root = unpacked(tmp_path, {"usr/bin/tool": "t", "bin": link("/usr/bin")}, {"bin/other": "o"})
    assert (root / "usr/bin/other").read_text() == "o"
    assert follow(root, "/bin/tool") == root / "usr/bin/tool"
    assert (root / "bin").resolve() == root / "usr/bin"


def test_a_hard_link_shares_its_file_and_cannot_reach_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("host")
    root = unpacked(tmp_path, {"a": "x", "b": link("a", hard=True)})
    assert (root / "a").stat().st_ino == (root / "b").stat().st_ino
    blob = tmp_path / "bad"
    blob.write_bytes(layer({"c": link("../secret", hard=True)}))
    with pytest.raises(CannotPullError):
        unpack(blob, root)


def test_devices_pipes_and_set_user_ids_are_left_out(tmp_path: Path) -> None:
    member = tarfile.TarInfo()
    member.mode = 0o4755
    root = unpacked(
        tmp_path, {"null": special(tarfile.CHRTYPE), "pipe": special(tarfile.FIFOTYPE), "su": member}
    )
    assert [path.name for path in root.iterdir()] == ["su"]
    assert (root / "su").stat().st_mode & 0o7777 == 0o755


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    with pytest.raises(CannotPullError, match="too many symbolic links"):
        unpacked(tmp_path, {"a": link("b"), "b": link("a"), "a/file": "x"})


def test_a_damaged_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotPullError, match="failed to extract layer"):
        unpacked(tmp_path, b"\x1f\x8b" + os.urandom(64))


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08" + bytes(7), b"\x28\xb5\x2f\xfd"], ids=["gzip", "zstd"])
def test_a_layer_whose_compression_is_damaged_is_refused(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(CannotPullError, match="failed to extract layer"):
        unpacked(tmp_path, start + b"\xff" * 600)


def test_zstd_layers_are_unpacked(tmp_path: Path) -> None:
    assert (unpacked(tmp_path, zstd.compress(layer({"a": "x"}))) / "a").read_text() == "x"
