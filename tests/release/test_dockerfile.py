"""Reading Dockerfiles."""

from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import recipe
from samjhadoo_ops.release.dockerfile import Instruction, instructions, words


def read(text: str, arguments: dict[str, str] | None = None, **inherited: Any) -> recipe.Recipe:
    return recipe.read(instructions(text), arguments or {}, name="Dockerfile", inherited=inherited)


def test_lines_are_joined_comments_left_out_and_numbers_kept() -> None:
    text = "# first\nFROM x\n\nENV A=1 \\\n  # between\n\n  B=2\nrun\techo\n"
    assert instructions(text) == [
        Instruction(2, "FROM", "x"),
        Instruction(4, "ENV", "A=1  B=2"),
        Instruction(8, "RUN", "echo"),
    ]


def test_the_escape_directive_changes_what_continues_a_line() -> None:
    assert instructions("# escape=`\nFROM x\nCMD a `\n b\n")[1].value == "a  b"


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
    ],
)
def test_words_are_split_and_variables_put_in(text: str, expected: list[str]) -> None:
    assert words(text, {"X": "1"}) == expected


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
        "Env": ["A=1", "B=7 x", "OLD=form of it"],
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
    assert (made.base, made.config["Env"]) == ("x:3", ["LOST=", "KEPT=3"])


def test_env_goes_before_arg() -> None:
    assert read("FROM x\nENV A=env\nARG A=arg\nENV B=$A\n").config["Env"] == ["A=env", "B=env"]


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
