from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from fake_registry import Files, layer, link, special

from samjhadoo_emulator.ecs.runtime import CannotPullError
from samjhadoo_emulator.ecs.runtime.layers import MOST_HEADERS, follow, unpack, zstd
from samjhadoo_emulator.ecs.runtime.room import Room, copy_file, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def unpacked(folder: Path, *layers: Files | bytes) -> Path:
    root = folder / "root"
    root.mkdir()
    for number, files in enumerate(layers):
        blob = folder / f"layer{number}"
        blob.write_bytes(files if isinstance(files, bytes) else layer(files))
        unpack(blob, root, Room(root))
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
        unpack(blob, root, Room(root))


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


def room(folder: Path, size: int, files: int = 1000) -> Room:
    made = Room(folder)
    made.bytes, made.files = size, files
    return made


def sparse(folder: Path, form: str) -> bytes:
    """Return a layer with a file of 3 GB that has a few bytes at 1 GB and at its end, made by GNU tar."""
    with (folder / "holes").open("wb") as file:
        for place in (1 << 30, 3_000_000_000):
            file.seek(place)
            file.write(b"data")
    command = [
        "tar",
        "--sparse",
        *form.split(),
        "-cf",
        str(folder / "sparse.tar"),
        "-C",
        str(folder),
        "holes",
    ]
    subprocess.run(command, check=True)
    (folder / "holes").unlink()
    return (folder / "sparse.tar").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="GNU tar and holes")
@pytest.mark.parametrize(
    "form", ["--format=gnu", "--format=pax --sparse-version=1.0", "--format=pax --sparse-version=0.1"]
)
def test_holes_stay_holes(tmp_path: Path, form: str) -> None:
    blob = tmp_path / "layer"
    blob.write_bytes(gzip.compress(sparse(tmp_path, form)))
    (tmp_path / "root").mkdir()
    unpack(blob, tmp_path / "root", room(tmp_path, 1_000_000))
    copy_file(str(tmp_path / "root" / "holes"), str(tmp_path / "copy"))
    for file in (tmp_path / "root" / "holes", tmp_path / "copy"):
        assert file.stat().st_size == 3_000_000_004
        assert file.stat().st_blocks * 512 < 1_000_000
        with file.open("rb") as content:
            for place in (1 << 30, 3_000_000_000):
                content.seek(place - 2)
                assert content.read(6) == b"\0\0data"
    assert measure(tmp_path / "root")[0] == 1
    assert measure(tmp_path / "root")[1] < 1_000_000


def test_a_copy_has_content_mode_and_time(tmp_path: Path) -> None:
    for number, content in enumerate([b"", b"x", b"\0" * 100_000, b"a" * 70_000 + b"\0" * 70_000]):
        source, target = tmp_path / f"source{number}", tmp_path / f"target{number}"
        with source.open("wb") as file:
            file.write(content)
            file.truncate(len(content) + 50_000)
        source.chmod(0o741)
        os.utime(source, (1, 1))
        copy_file(str(source), str(target))
        assert target.read_bytes() == content + b"\0" * 50_000
        assert (target.stat().st_mode & 0o777, target.stat().st_mtime) == (0o741, 1)


def zeros(size: int, kind: bytes = tarfile.REGTYPE, count: int = 1) -> Iterator[bytes]:
    """Yield an archive with entries of so many zeros, piece by piece."""
    for number in range(count):
        member = tarfile.TarInfo(f"file{number}")
        member.size, member.type = size, kind
        yield member.tobuf(tarfile.GNU_FORMAT)
        for start in range(0, size, 1 << 20):
            yield bytes(min(1 << 20, size - start))
        yield bytes(-size % 512)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        pytest.param(lambda: zeros(200_000_000), "half of the bytes", id="zeros"),
        pytest.param(lambda: zeros(200_000_000, b"Z"), "half of the bytes", id="an-unknown-kind-of-entry"),
        pytest.param(lambda: zeros(0, count=2000), "half of the files", id="files"),
        pytest.param(lambda: zeros(1, count=900), "half of the bytes", id="small-files"),
        pytest.param(lambda: zeros(100_000_000, tarfile.XHDTYPE), "headers of an entry", id="pax-header"),
        pytest.param(lambda: zeros(100_000_000, tarfile.GNUTYPE_LONGNAME), "headers of an entry", id="name"),
    ],
)
@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_a_small_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, archive: Callable[[], Iterator[bytes]], reason: str, compress: str
) -> None:
    blob, root = tmp_path / "layer", tmp_path / "root"
    root.mkdir()
    with gzip.open(blob, "wb", 1) if compress == "gzip" else zstd.open(blob, "wb") as file:
        file.writelines(archive())
    assert blob.stat().st_size < 2_000_000
    limits = room(root, 3_000_000 if reason == "half of the bytes" else 20 * MOST_HEADERS)
    with pytest.raises(CannotPullError, match=f"failed to extract layer: .*{reason}"):
        unpack(blob, root, limits)
    assert measure(root)[1] < 10_000_000


def test_all_layers_of_an_image_share_the_room(tmp_path: Path) -> None:
    blob, root = tmp_path / "layer", tmp_path / "root"
    root.mkdir()
    blob.write_bytes(layer({"a": b"a" * 60_000}))
    limits = room(root, 120_000)
    unpack(blob, root, limits)
    with pytest.raises(CannotPullError, match="more than half of the bytes that are free"):
        unpack(blob, root, limits)
