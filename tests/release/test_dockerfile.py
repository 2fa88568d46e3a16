"""Reading Dockerfiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import recipe
from samjhadoo_ops.release.dockerfile import Instruction, instructions, words
from samjhadoo_ops.release.dockerfile import read as read_file
from samjhadoo_ops.release.platform import resolve_platform

if TYPE_CHECKING:
    from pathlib import Path


def read(text: str, arguments: dict[str, str] | None = None, **inherited: Any) -> recipe.Recipe:
    return recipe.read(instructions(text), arguments or {}, name="Dockerfile", inherited=inherited)


def test_lines_are_joined_comments_left_out_and_numbers_kept() -> None:
    text = "# first\nFROM x\n\nENV A=1 \\\n  # between\n\n  B=2\nrun\techo\n"
    assert instructions(text) == [
        Instruction(2, "FROM", "x"),
        Instruction(4, "ENV", "A=1   B=2"),
        Instruction(8, "RUN", "echo"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("CMD a\\\nb\n", "ab", id="no-space-is-added"),
        pytest.param("CMD a \\\n    b\n", "a     b", id="indentation-stays"),
        pytest.param("CMD a\\  \t\nb\n", "ab", id="spaces-behind-the-escape"),
        pytest.param("CMD a\\\\\nENV b=1\n", "a\\\\", id="an-escaped-escape-ends-the-line"),
        pytest.param("CMD a\\\n# c\\\n\n   \nb\n", "ab", id="comments-and-empty-lines-between"),
        pytest.param("CMD a \\\n", "a", id="end-of-file"),
        pytest.param("CMD \\\n\\\na\n", "a", id="a-line-with-the-escape-only"),
        pytest.param("  CMD   a  \n", "a", id="spaces-around"),
        pytest.param("CMD\t \ta\n", "a", id="tabs-behind-the-keyword"),
        pytest.param("CMD a\\\r\nb\r\n", "ab", id="windows-line-ends"),
        pytest.param("CMD a\x0bb\u2028c\n", "a\x0bb\u2028c", id="other-line-ends-are-none"),
        pytest.param("# escape=`\nCMD a`\n b\\\nENV c=1\n", "a b\\", id="escape-directive"),
        pytest.param("# Syntax=x\n#ESCAPE = ` \nCMD a`\nb\n", "ab", id="directives-in-any-case"),
        pytest.param("# comment\n# escape=`\nCMD a\\\nb\n", "ab", id="no-directive-after-a-comment"),
        pytest.param("\n# escape=`\nCMD a\\\nb\n", "ab", id="no-directive-after-an-empty-line"),
    ],
)
def test_lines_are_continued_as_docker_continues_them(text: str, value: str) -> None:
    assert instructions(text)[0].value == value


def test_here_documents_are_not_instructions() -> None:
    text = "FROM x\nRUN <<EOF\nFROM y\nEOF\nCOPY <<-'A' <<B /c/\nUSER a\n\tA\nUSER b\nB\nUSER c\nRUN a <<NO\n"
    assert [(each.line, each.keyword) for each in instructions(text)] == [
        (1, "FROM"),
        (2, "RUN"),
        (5, "COPY"),
        (10, "USER"),
        (11, "RUN"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("FROM x\n".encode("utf-16"), "Dockerfile: is not UTF-8 text"),
        (b"# escape=^\nFROM x\n", "Dockerfile: escape=^: expected"),
    ],
)
def test_an_unreadable_dockerfile_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "Dockerfile").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_file(tmp_path / "Dockerfile", name="Dockerfile")
    assert said in caught.value.message


def test_a_byte_order_mark_is_not_part_of_the_first_instruction(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"\xef\xbb\xbf# escape=`\r\nFROM x`\r\ny\r\n")
    assert read_file(tmp_path / "Dockerfile", name="Dockerfile") == [Instruction(2, "FROM", "xy", "`")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (("linux/arm64", {}), "linux/arm64 linux arm64 "),
        (("linux/aarch64", {}), "linux/arm64 linux arm64 "),
        (("linux/arm/v7", {}), "linux/arm/v7 linux arm v7"),
        (("linux/amd64", {"TARGETARCH": "mine"}), "linux/amd64 linux mine "),
    ],
)
def test_predefined_arguments_name_the_platform(variables: tuple[str, dict[str, str]], expected: str) -> None:
    platform, arguments = variables
    text = (
        "FROM base-$TARGETARCH\nENV BEFORE=$TARGETOS\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT\n"
        'ENV A="$TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETVARIANT"\nARG BUILDPLATFORM TARGETSTAGE=own\n'
        "ENV B=$BUILDPLATFORM C=$TARGETSTAGE\n"
    )
    made = recipe.read(instructions(text), arguments, name="Dockerfile", platform=platform)
    assert made.base == f"base-{expected.split(' ')[2]}"
    assert made.config["Env"][1:] == [
        "BEFORE=",
        f"A={expected}",
        f"B={resolve_platform('native')}",
        "C=own",
    ]


def test_an_image_whose_base_has_no_path_gets_dockers() -> None:
    standard = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert read("FROM x\nENV PATH=/app/bin:$PATH\n").config["Env"] == [f"PATH=/app/bin:{standard}"]
    assert read("FROM scratch\n").config["Env"] == [f"PATH={standard}"]
    assert read("FROM x\nENV PATH=/a:$PATH\n", Env=["PATH=/java"]).config["Env"] == ["PATH=/a:/java"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("$X ${X}y", ["1", "1y"]),
        ("'$X' \"$X\" \\$X", ["$X", "1", "$X"]),
        ("${NONE:-other} ${X:-other} ${X:+set} ${NONE:+set}-", ["other", "1", "set", "-"]),
        ("${NONE:-$X}", ["1"]),
        ("a=''", ["a="]),
        ("100$", ["100$"]),
        ("a\\ b", ["a b"]),
        ("${NONE-a} ${EMPTY-b}. ${EMPTY:-c} ${EMPTY+d} ${NONE+e}.", ["a", ".", "c", "d", "."]),
        ("${NONE:-${X:+${X}2}} ${NONE:-'a b'}", ["12", "a b"]),
        ("${X?needed}", ["1"]),
    ],
)
def test_words_are_split_and_variables_put_in(text: str, expected: list[str]) -> None:
    assert words(text, {"X": "1", "EMPTY": ""}) == expected


def test_the_escape_directive_changes_what_protects_a_character() -> None:
    assert words('C:\\a `$X "`$X `n" a` b', {"X": "1"}, escape="`") == ["C:\\a", "$X", "$X `n", "a b"]


def test_the_configuration_follows_the_dockerfile() -> None:
    made = read(
        """\
ARG BASE=scratch
FROM --platform=linux/amd64 ${BASE}
ARG VERSION=none
LABEL version=$VERSION "two words"="a b"
ENV A=1 B="$VERSION x"
ENV OLD form of it
WORKDIR /srv
WORKDIR app
EXPOSE 8080 9000/udp
VOLUME ["/data"]
USER 1000:1000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD curl -f http://localhost:$PORT/health
ENTRYPOINT ["python", "-m", "app"]
CMD serve --fast
""",
        {"VERSION": "7", "UNUSED": "x"},
    )
    assert made.base == "scratch"
    assert made.config == {
        "Labels": {"version": "7", "two words": "a b"},
        "Env": [f"PATH={recipe.DEFAULT_PATH}", "A=1", "B=7 x", "OLD=form of it"],
        "WorkingDir": "/srv/app",
        "ExposedPorts": {"8080/tcp": {}, "9000/udp": {}},
        "Volumes": {"/data": {}},
        "User": "1000:1000",
        "StopSignal": "SIGINT",
        "Healthcheck": {
            "Test": ["CMD-SHELL", "curl -f http://localhost:$PORT/health"],
            "Interval": 90_000_000_000,
            "Timeout": 500_000_000,
            "Retries": 4,
        },
        "Entrypoint": ["python", "-m", "app"],
        "Cmd": ["/bin/sh", "-c", "serve --fast"],
    }


def test_an_argument_before_from_is_known_after_it_when_it_is_named_again() -> None:
    made = read("ARG V=3\nFROM x:$V\nENV LOST=$V\nARG V\nENV KEPT=$V\n")
    assert (made.base, made.config["Env"][1:]) == ("x:3", ["LOST=", "KEPT=3"])


def test_env_goes_before_arg() -> None:
    assert read("FROM x\nENV A=env\nARG A=arg\nENV B=$A\n").config["Env"][1:] == ["A=env", "B=env"]


def test_a_base_passes_on_its_configuration_and_a_new_entry_point_drops_its_command() -> None:
    base = {"Env": ["PATH=/bin", "A=0"], "Cmd": ["old"], "Entrypoint": ["old"], "User": "base"}
    assert read("FROM x\nENV A=1\n", **base).config == {**base, "Env": ["PATH=/bin", "A=1"]}
    assert "Cmd" not in read('FROM x\nENTRYPOINT ["new"]\n', **base).config
    assert read('FROM x\nCMD ["c"]\nENTRYPOINT ["e"]\n', **base).config["Cmd"] == ["c"]


@pytest.mark.parametrize(
    ("line", "copy"),
    [
        ("COPY a b /x/", recipe.Copy(3, ("a", "b"), "/x", into=True)),
        ("COPY a b.txt", recipe.Copy(3, ("a",), "/app/b.txt", into=False)),
        ("COPY . .", recipe.Copy(3, (".",), "/app", into=True)),
        ('COPY ["a b", "/c d/"]', recipe.Copy(3, ("a b",), "/c d", into=True)),
        (
            "COPY --chown=10:20 --chmod=0750 --link a /b",
            recipe.Copy(3, ("a",), "/b", into=False, uid=10, gid=20, mode=0o750),
        ),
        ("COPY --chown=root a /b", recipe.Copy(3, ("a",), "/b", into=False)),
        ("COPY --chown=7 a /b", recipe.Copy(3, ("a",), "/b", into=False, uid=7, gid=7)),
    ],
)
def test_copies_are_steps(line: str, copy: recipe.Copy) -> None:
    assert read(f"FROM x\nWORKDIR /app\n{line}\n").steps == ["/app", copy]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("FROM x\n\nRUN make\n", "Dockerfile:3: RUN needs a Docker engine", id="run"),
        pytest.param("FROM x\nADD a /b\n", "Dockerfile:2: ADD needs a Docker engine", id="add"),
        pytest.param(
            "FROM x\nCOPYY a /b\n", "Dockerfile:2: COPYY is not a Dockerfile instruction", id="typo"
        ),
        pytest.param("FROM x\nFROM y\n", "Dockerfile:2: a second FROM", id="stages"),
        pytest.param("FROM x\nCOPY --from=y /a /b\n", "Dockerfile:2: COPY --from needs", id="copy-from"),
        pytest.param(
            "FROM x\nCOPY <<EOF /b\nhi\nEOF\n", "Dockerfile:2: a COPY of a here-document", id="heredoc"
        ),
        pytest.param("FROM x\nCOPY a\n", "Dockerfile:2: COPY expects sources", id="copy-short"),
        pytest.param("FROM x\nCOPY a b c\n", "Dockerfile:2: several sources", id="copy-many"),
        pytest.param(
            "FROM x\nCOPY --chown=app a /b\n",
            "Dockerfile:2: --chown=app: names need the base image",
            id="chown",
        ),
        pytest.param(
            "FROM x\nCOPY --chmod=u+x a /b\n", "Dockerfile:2: --chmod=u+x is not an octal", id="chmod"
        ),
        pytest.param('FROM x\nENV A="1\n', 'Dockerfile:2: the quote " is not closed', id="quote"),
        pytest.param(
            "FROM x\nENV A=${B/x/y}\n", "Dockerfile:2: '${B/x/y}' is not a supported form", id="substitution"
        ),
        pytest.param("FROM x\nENV A=${B\n", "Dockerfile:2: '${B' is not a supported form", id="brace"),
        pytest.param("FROM x\nENV A=${B?is needed}\n", "Dockerfile:2: B: is needed", id="needed"),
        pytest.param("FROM x\nENV A=1 B\n", "Dockerfile:2: ENV expects NAME=value, not 'B'", id="env"),
        pytest.param("FROM x\nHEALTHCHECK curl\n", "Dockerfile:2: HEALTHCHECK expects", id="health"),
        pytest.param(
            "FROM x\nHEALTHCHECK --every=1s CMD a\n", "Dockerfile:2: HEALTHCHECK does not support", id="flag"
        ),
        pytest.param("ENV A=1\nFROM x\n", "Dockerfile:1: ENV stands before FROM", id="before-from"),
        pytest.param("ARG B\nFROM $B\n", "Dockerfile:2: FROM names no image", id="no-base"),
        pytest.param("# nothing\n", "Dockerfile has no FROM", id="empty"),
    ],
)
def test_what_cannot_be_built_is_reported_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert said in caught.value.message


def test_what_needs_an_engine_names_the_builder_that_has_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("FROM x\nRUN make\n")
    assert caught.value.hint == 'set build.builder = "docker" to build it with a Docker engine'
