"""What a Dockerfile asks of a builder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.release import dockerfile
from samjhadoo_ops.release.context import BuildContext
from samjhadoo_ops.release.dockerfile import images, instructions
from samjhadoo_ops.release.engine_builder import mark

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nCOPY x /x\nRUN make <in >out", []),
        ("FROM a\nRUN --mount=type=cache,target=/c make", [(2, "RUN --mount")]),
        ("FROM a\nRUN <<EOF\nmake\nEOF", [(2, "RUN <<")]),
        ("FROM a\nCOPY <<-'END' /x\nEND", [(2, "COPY <<")]),
        ("FROM a\nCOPY --chown=1 --link --chmod=755 a b", [(2, "COPY --link"), (2, "COPY --chmod")]),
        ("FROM a\nADD --checksum=sha256:1 u /x", [(2, "ADD --checksum")]),
        ("FROM a\nRUN echo --mounted", []),
    ],
)
def test_what_only_buildkit_does_is_found_with_its_line(text: str, expected: list[tuple[int, str]]) -> None:
    assert list(dockerfile.buildkit_features(instructions(text))) == expected


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("ARG B=base:1\nFROM ${B}", {}, ["base:1"]),
        ("ARG B=base:1\nFROM ${B}", {"B": "other:2"}, ["other:2"]),
        ("ARG V=1\nARG B=base:$V\nFROM $B\nARG B=no", {}, ["base:1"]),
        (
            "FROM a AS build\nFROM b\nCOPY --from=Build /x /x\nCOPY --from=tool:1 /y /y",
            {},
            ["a", "b", "tool:1"],
        ),
        ("FROM a AS Build\nFROM build\nCOPY --from=0 /x /x", {}, ["a"]),
        ("FROM --platform=$BUILDPLATFORM a", {}, ["a"]),
        ("FROM ${B#x}", {}, []),
    ],
)
def test_the_images_that_a_build_begins_with_are_found(
    text: str, arguments: dict[str, str], expected: list[str]
) -> None:
    assert dockerfile.images(instructions(text), arguments) == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("COPY requirements.txt /tmp/", "requirements.txt", True),
        ("COPY requirements.txt /tmp/", "app/requirements.txt", False),
        ("COPY ./app/ /app/", "app/deep/x.py", True),
        ("COPY *.txt /tmp/", "requirements.txt", True),
        ("COPY . /app", "anything", True),
        ('COPY ["a file", "/x"]', "a file", True),
        ("COPY $FILES /x", "anything", True),
        ("COPY --from=build app /app", "app", False),
        ("ADD https://example.com/x /x", "x", False),
        ("RUN --mount=type=bind,target=/src make", "anything", True),
        ("RUN make", "anything", False),
    ],
)
def test_the_files_that_a_build_uses_are_known(text: str, path: str, expected: bool) -> None:
    assert dockerfile.matches(path, dockerfile.copied(instructions(f"FROM a\n{text}"))) is expected


def test_the_mark_of_a_base_image_covers_what_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("a")
    (tmp_path / "conf").symlink_to("real")
    (tmp_path / "other").write_text("a")
    (tmp_path / "Dockerfile").write_text("FROM x\nCOPY conf /conf\n")
    context = BuildContext(tmp_path)
    marks = [mark(context, {}, name="Dockerfile")]
    (tmp_path / "real" / "a").write_text("b")
    marks.append(mark(context, {}, name="Dockerfile"))
    (tmp_path / "Dockerfile").write_text("FROM x\nCOPY real /conf\n")
    marks.append(mark(context, {}, name="Dockerfile"))
    (tmp_path / "other").write_text("not copied")
    assert mark(context, {}, name="Dockerfile") == marks[-1]
    assert len(set(marks)) == 3


def test_predefined_arguments_name_base_images() -> None:
    found = images(instructions("FROM base-$TARGETARCH\n"), {}, platform="linux/arm64")
    assert found == ["base-arm64"]
