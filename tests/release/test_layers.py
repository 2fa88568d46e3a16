"""What of the build context goes into an image, and that it is always the same bytes."""

from __future__ import annotations

import json
import os
import posixpath
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.context import BuildContext
from samjhadoo_ops.release.oci import Layout, build_layout

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {"org.opencontainers.image.revision": "abc", "org.opencontainers.image.version": "abc"}
NAME = st.text(st.sampled_from("abcAB-_. é"), min_size=1, max_size=8).filter(
    lambda name: name.strip(". ") != ""
)
FILES = st.dictionaries(
    st.lists(NAME, min_size=1, max_size=3).map("/".join), st.binary(max_size=200), min_size=1, max_size=8
)


def write_tree(root: Path, files: dict[str, bytes], order: list[str] | None = None) -> None:
    for name in order or list(files):
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            continue  # a generated name is both a file and a folder: the first one stays


def build(root: Path, dockerfile: str, target: Path) -> tuple[str, Layout]:
    (root / "Dockerfile").write_text(dockerfile)
    digest = build_layout(
        BuildContext(root), target, arguments={"GIT_SHA": "abc"}, labels=LABELS, platform="linux/amd64"
    )
    return digest, Layout(target)


def entries(layout: Layout) -> dict[str, tarfile.TarInfo]:
    """Return what all layers hold, by name."""
    found: dict[str, tarfile.TarInfo] = {}
    for layer in layout.manifest()[1]["layers"]:
        with tarfile.open(layout.blob(layer["digest"])) as tar:
            found |= {member.name: member for member in tar.getmembers()}
    return found


def content(layout: Layout, name: str) -> bytes:
    for layer in layout.manifest()[1]["layers"]:
        with tarfile.open(layout.blob(layer["digest"])) as tar:
            if name in tar.getnames():
                file = tar.extractfile(name)
                assert file is not None
                return file.read()
    raise AssertionError(name)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, data=st.data())
def test_the_same_files_give_the_same_digest(
    files: dict[str, bytes], data: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    write_tree(first / "c", files)
    kept = {path.relative_to(first / "c").as_posix() for path in (first / "c").rglob("*") if path.is_file()}
    order = data.draw(st.permutations(sorted(kept)))
    write_tree(second / "c", {name: (first / "c" / name).read_bytes() for name in kept}, order)
    for path in (second / "c").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o770 if path.is_dir() else 0o640)
    dockerfile = "FROM scratch\nCOPY . /app/\n"
    digests = {build(root / "c", dockerfile, root / "layout")[0] for root in (first, second)}
    assert len(digests) == 1
    found = {f"app/{name}" for name in kept}
    assert found <= set(entries(Layout(first / "layout")))


def test_every_change_of_content_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a").write_text("a")
    dockerfile = "FROM scratch\nCOPY a /a\n"
    digests = [build(tmp_path / "c", dockerfile, tmp_path / "1")[0]]
    (tmp_path / "c" / "a").write_text("b")
    digests.append(build(tmp_path / "c", dockerfile, tmp_path / "2")[0])
    (tmp_path / "c" / "a").chmod(0o755)
    digests.append(build(tmp_path / "c", dockerfile, tmp_path / "3")[0])
    digests.append(build(tmp_path / "c", dockerfile + "USER 1\n", tmp_path / "4")[0])
    assert len(set(digests)) == 4


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    files = {
        "a.py": b"a",
        "b.py": b"b",
        "c.txt": b"c",
        "pkg/d.py": b"d",
        "pkg/sub/e.py": b"e",
        "pkg/x.md": b"x",
    }
    write_tree(root, files)
    (root / "a.py").chmod(0o700)
    return root


PKG = {"w", "w/d.py", "w/sub", "w/sub/e.py", "w/x.md"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("COPY c.txt /etc/", {"etc/c.txt"}, id="file-into-folder"),
        pytest.param("COPY c.txt /etc/d.txt", {"etc/d.txt"}, id="file-renamed"),
        pytest.param("COPY *.py /srv/", {"srv/a.py", "srv/b.py"}, id="pattern"),
        pytest.param("COPY ?.py pkg/s*/e.py /q/", {"q/a.py", "q/b.py", "q/e.py"}, id="patterns"),
        pytest.param(
            "COPY pkg /app",
            {"app", "app/d.py", "app/sub", "app/sub/e.py", "app/x.md"},
            id="folders-content",
        ),
        pytest.param("WORKDIR /w\nCOPY c.txt .", {"w", "w/c.txt"}, id="workdir"),
        pytest.param("WORKDIR /w\nCOPY c.txt /w", {"w", "w/c.txt"}, id="into-known-folder"),
        pytest.param("WORKDIR /only/this", {"only/this"}, id="workdir-alone"),
        pytest.param("WORKDIR /tmp\nCOPY c.txt .", {"tmp/c.txt"}, id="usual-folders-keep-their-modes"),
        pytest.param("COPY c.txt /x\nCOPY a.py /x", {"x"}, id="later-goes-over-earlier"),
        pytest.param(
            "COPY c.txt /x/y/z.txt\nCOPY a.py /x/y", {"x/y/z.txt", "x/y/a.py"}, id="into-the-folder-of-a-file"
        ),
        pytest.param("WORKDIR /w/v\nCOPY c.txt /w", {"w/v", "w/c.txt"}, id="into-a-workdirs-parent"),
        pytest.param(
            "WORKDIR /w\nCOPY pkg .\nCOPY c.txt sub", PKG | {"w/sub/c.txt"}, id="into-a-copied-folder"
        ),
        pytest.param("COPY pkg /w\nCOPY c.txt /w/now", PKG | {"w/now"}, id="no-link-yet"),
        pytest.param("COPY c.txt /etc", {"etc"}, id="scratch-has-no-folders"),
        pytest.param("COPY none* c.txt /x/", {"x/c.txt"}, id="a-pattern-may-match-nothing"),
        pytest.param('COPY ["c.txt", "/y z/"]', {"y z/c.txt"}, id="json"),
    ],
)
def test_copies_land_where_docker_puts_them(
    tree: Path, tmp_path: Path, lines: str, expected: set[str]
) -> None:
    _, layout = build(tree, f"FROM scratch\n{lines}\n", tmp_path / "layout")
    assert set(entries(layout)) == expected


@pytest.mark.parametrize("destination", ["/etc", "/usr/local/bin", "/etc/ssl/certs", "/var/www/../lib", "/"])
def test_a_file_goes_into_a_folder_that_base_images_have(
    tree: Path, tmp_path: Path, destination: str
) -> None:
    _, layout = build(tree, f"FROM python:3.11\nCOPY c.txt {destination}\n", tmp_path / "layout")
    assert set(entries(layout)) == {posixpath.normpath(f"{destination}/c.txt").strip("/")}


def test_a_link_to_a_folder_in_the_image_is_a_folder(tree: Path, tmp_path: Path) -> None:
    (tree / "pkg" / "now").symlink_to("sub")
    (tree / "pkg" / "loop").symlink_to("loop")
    dockerfile = "FROM scratch\nCOPY pkg /w\nCOPY c.txt /w/now\nCOPY a.py /w/loop\n"
    found = entries(build(tree, dockerfile, tmp_path / "layout")[1])
    assert {"w/now/c.txt", "w/loop"} <= set(found)
    assert found["w/loop"].isfile()


def test_modes_are_gits_or_chmods_and_owners_chowns(tree: Path, tmp_path: Path) -> None:
    (tree / "b.py").chmod(0o666)
    dockerfile = "FROM scratch\nCOPY a.py b.py /x/\nCOPY --chown=5:6 --chmod=600 c.txt /y\n"
    found = entries(build(tree, dockerfile, tmp_path / "layout")[1])
    assert {name: (oct(entry.mode), entry.uid, entry.gid) for name, entry in found.items()} == {
        "x/a.py": ("0o755", 0, 0),
        "x/b.py": ("0o644", 0, 0),
        "y": ("0o600", 5, 6),
    }
    assert {(entry.mtime, entry.uname, entry.gname) for entry in found.values()} == {(0, "", "")}


def test_links_stay_links_inside_folders_and_are_followed_by_name(tree: Path, tmp_path: Path) -> None:
    (tree / "pkg" / "link").symlink_to("d.py")
    _, layout = build(tree, "FROM scratch\nCOPY pkg /p\nCOPY pkg/link /one\n", tmp_path / "layout")
    found = entries(layout)
    assert (found["p/link"].issym(), found["p/link"].linkname) == (True, "d.py")
    assert content(layout, "one") == b"d"


def test_dockerignore_leaves_out_and_takes_back(tree: Path, tmp_path: Path) -> None:
    (tree / ".dockerignore").write_text(
        "# comment\n**/*.md\n/pkg/sub/\n*.py\n!a.py\nDockerfile\n.dockerignore\n"
    )
    _, layout = build(tree, "FROM scratch\nCOPY . /\n", tmp_path / "layout")
    assert set(entries(layout)) == {"a.py", "c.txt", "pkg", "pkg/d.py"}


def test_a_dockerfiles_own_dockerignore_goes_first(tree: Path) -> None:
    (tree / ".dockerignore").write_text("*\n")
    (tree / "Dockerfile.dockerignore").write_text("a.py\n")
    context = BuildContext(tree)
    assert (context.ignores("a.py"), context.ignores("b.py")) == (True, False)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none.py", "Dockerfile:2: none.py is not in the build context"),
        ("*.none", "Dockerfile:2: *.none is not in the build context"),
        ("../outside", "Dockerfile:2: ../outside is outside the build context"),
        ("c.txt", "Dockerfile:2: c.txt is excluded by .dockerignore"),
        ("leak", "leads out of the build context"),
    ],
)
def test_a_source_that_cannot_be_copied_is_reported_with_its_line(
    tree: Path, tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "outside").write_text("secret")
    (tree / "leak").symlink_to(tmp_path / "outside")
    (tree / ".dockerignore").write_text("c.txt\n")
    with pytest.raises(ConfigurationError) as caught:
        build(tree, f"FROM scratch\nCOPY {source} /x\n", tmp_path / "layout")
    assert said in caught.value.message
    assert not (tmp_path / "layout").exists()


@pytest.fixture
def links(tree: Path, tmp_path: Path) -> Path:
    """A context with links that lead into it, out of it, and to what `.dockerignore` excludes."""
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "secret.txt").write_text("secret")
    for name, target in {
        "absolute": outside,
        "relative": "../outside",
        "chain": "relative",
        "pkg/up": "../..",
        "excluded": "private",
        "within": "private/public",
        "inside": "pkg/sub",
        "round": "pkg/../inside",
        "dangling": "none",
        "circle": "circle",
    }.items():
        (tree / name).symlink_to(target)
    write_tree(tree, {"private/key": b"k", "private/public/p.txt": b"p", "private/public/q.key": b"q"})
    (tree / ".dockerignore").write_text("private\n!private/public/**\n**/*.key\n")
    return tree


@pytest.mark.parametrize(
    "source",
    [
        *("absolute", "relative", "chain", "pkg/up", "absolute/sub", "relative/sub/secret.txt"),
        *("relative/*", "rel*", "chain/s*/*.txt", "pkg/up/outside/sub", "absolute/", "./chain/sub/"),
        *("dangling", "circle", "within/../key"),
    ],
)
def test_no_link_leads_copy_out_of_the_context(links: Path, tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigurationError, match="Dockerfile:2: .* (build context|excluded)"):
        build(links, f"FROM scratch\nCOPY {source} /x/\n", tmp_path / "layout")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inside", {"x", "x/e.py"}),
        ("round", {"x", "x/e.py"}),
        ("inside/e.py", {"x/e.py"}),
        ("ins*", {"x", "x/e.py"}),
        ("within", {"x", "x/p.txt"}),
        ("within/p.txt", {"x/p.txt"}),
        ("excluded", {"x", "x/public", "x/public/p.txt"}),
    ],
)
def test_a_link_within_the_context_leads_to_what_the_context_has(
    links: Path, tmp_path: Path, source: str, expected: set[str]
) -> None:
    (links / "loop").symlink_to(".")
    for prefix in ("", "loop/"):
        _, layout = build(links, f"FROM scratch\nCOPY {prefix}{source} /x/\n", tmp_path / "layout")
        assert set(entries(layout)) == expected


def test_what_links_lead_to_is_part_of_the_digest(links: Path) -> None:
    digests = [BuildContext(links).digest()]
    for name in ("pkg/sub/e.py", "private/public/p.txt"):
        (links / name).write_text("changed")
        digests.append(BuildContext(links).digest())
    (links / "private" / "key").write_text("changed, but cannot be copied")
    assert len(set(digests)) == 3
    assert BuildContext(links).digest() == digests[-1]


def test_names_that_are_not_utf8_are_copied_as_they_are(tree: Path, tmp_path: Path) -> None:
    (tree / "pkg" / os.fsdecode(b"caf\xe9")).write_text("x")
    before = BuildContext(tree).digest()
    _, layout = build(tree, "FROM scratch\nCOPY pkg /p\n", tmp_path / "layout")
    assert os.fsencode(next(name for name in entries(layout) if "caf" in name)) == b"p/caf\xe9"
    (tree / "pkg" / os.fsdecode(b"caf\xe9")).write_text("y")
    assert BuildContext(tree).digest() != before


def test_an_error_shows_a_name_that_is_not_utf8(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(os.fsencode(tree / "pkg") + b"/caf\xe9")
    with pytest.raises(ConfigurationError, match=r"caf\\xe9 is neither a file"):
        build(tree, "FROM scratch\nCOPY pkg /p\n", tmp_path / "layout")


def test_a_pipe_in_the_context_is_refused(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pkg" / "pipe")
    with pytest.raises(ConfigurationError, match="neither a file nor a folder nor a link"):
        build(tree, "FROM scratch\nCOPY pkg /p\n", tmp_path / "layout")


def test_the_layout_follows_oci_and_describes_the_image(tree: Path, tmp_path: Path) -> None:
    digest, layout = build(tree, "FROM python:3.12\nCOPY a.py /a\n", tmp_path / "layout")
    assert json.loads((layout.root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert layout.descriptor()["digest"] == digest
    manifest = layout.manifest()[1]
    assert manifest["annotations"] == {**LABELS, "org.opencontainers.image.base.name": "python:3.12"}
    config = json.loads(layout.blob(manifest["config"]["digest"]).read_text())
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["config"]["Labels"] == LABELS
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == 1


def test_a_missing_dockerfile_and_a_wrong_platform_are_configuration(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        build_layout(BuildContext(tree), tmp_path / "layout", arguments={}, labels={})
    (tree / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(ConfigurationError, match="expected native, or a platform such as linux/amd64"):
        build_layout(BuildContext(tree), tmp_path / "l", arguments={}, labels={}, platform="amd64")
    with pytest.raises(ConfigurationError, match="is not a folder"):
        BuildContext(tree / "none")


def test_only_the_newest_builds_are_kept(tree: Path, tmp_path: Path) -> None:
    for number in range(8):
        build(tree, f"FROM scratch\nENV N={number}\n", tmp_path / "builds" / str(number))
    assert len(list((tmp_path / "builds").iterdir())) == 5
    assert (tmp_path / "builds" / "7").is_dir()


def test_a_build_replaces_an_older_one_of_its_name(tree: Path, tmp_path: Path) -> None:
    build(tree, "FROM scratch\nENV N=1\n", tmp_path / "builds" / "v")
    digest, layout = build(tree, "FROM scratch\nENV N=2\n", tmp_path / "builds" / "v")
    assert layout.descriptor()["digest"] == digest
    assert [path.name for path in (tmp_path / "builds").iterdir()] == ["v"]


def test_a_base_image_that_must_be_in_the_registry_and_is_not_is_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "Dockerfile").write_text("FROM example/base:1\nCOPY . /app\n")
    with pytest.raises(
        ConfigurationError, match="the base image example/base:1 is not in the target registry"
    ):
        build_layout(BuildContext(tree), tmp_path / "layout", arguments={}, labels={}, base_required=True)
    assert not (tmp_path / "layout").exists()
