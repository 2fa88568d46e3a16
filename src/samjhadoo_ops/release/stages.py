"""Inputs of a multi-stage Dockerfile: base images, copied files, and the BuildKit features it needs."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from samjhadoo_ops.release import dockerfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from samjhadoo_ops.release.dockerfile import Instruction

EVERYTHING = "*"
_HEREDOC = re.compile(r"<<-?[\"']?[A-Za-z_]")
# Flags (https://docs.docker.com/reference/dockerfile/) that the classic builder does not support.
_FLAGS = {
    "RUN": ("--mount", "--network", "--security"),
    "COPY": ("--link", "--chmod", "--parents", "--exclude"),
    "ADD": ("--link", "--chmod", "--checksum", "--keep-git-dir", "--exclude"),
}


def buildkit_features(instructions: Sequence[Instruction]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each feature that only BuildKit supports."""
    for each in instructions:
        flags = [word.partition("=")[0] for word in each.value.split() if word.startswith("--")]
        for flag in flags:
            if flag in _FLAGS.get(each.keyword, ()):
                yield each.line, f"{each.keyword} {flag}"
        if each.keyword in _FLAGS and _HEREDOC.search(each.value):
            yield each.line, f"{each.keyword} <<"


def images(instructions: Sequence[Instruction], arguments: Mapping[str, str]) -> list[str]:
    """Return the images that a Dockerfile is built on or copies from, with variables substituted.

    What cannot be parsed here is left out; the builder will report it.
    """
    known: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    begun = False
    for each in instructions:
        if each.keyword == "ARG" and not begun:
            known |= _argument(each, known, arguments)
        elif each.keyword == "FROM":
            begun = True
            name, stage = _origin(each, known)
            found += [name] if name.lower() not in stages else []
            stages.add(stage.lower())
        elif each.keyword == "COPY":
            found += [
                name for name in _flag(each, "--from") if name.lower() not in stages and not name.isdecimal()
            ]
    return [name for name in dict.fromkeys(found) if name]


def copied(instructions: Sequence[Instruction]) -> list[str]:
    """Return patterns for the context's files that a Dockerfile uses; `*` where they are unknown."""
    found: list[str] = []
    for each in instructions:
        if each.keyword in ("COPY", "ADD") and not any(_flag(each, "--from")):
            found += _sources(each)
        elif each.keyword == "RUN" and "--mount" in each.value:
            found.append(EVERYTHING)
    return found


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a path of the context matches one of the patterns, or is below a match."""
    return any(
        pattern == EVERYTHING or fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*")
        for pattern in patterns
    )


def arguments_of(instructions: Sequence[Instruction]) -> set[str]:
    """Return the names of the build arguments that a Dockerfile takes."""
    return {
        word.partition("=")[0]
        for each in instructions
        if each.keyword == "ARG"
        for word in each.value.split()
    }


def _argument(
    instruction: Instruction, known: Mapping[str, str], arguments: Mapping[str, str]
) -> dict[str, str]:
    try:
        pairs = [word.partition("=") for word in dockerfile.words(instruction.value, known)]
    except ValueError:
        return {}
    return {name: arguments.get(name, default) for name, _, default in pairs}


def _origin(instruction: Instruction, known: Mapping[str, str]) -> tuple[str, str]:
    """Return the image in FROM, and the name of the stage."""
    try:
        words = dockerfile.words(instruction.value, known)
    except ValueError:
        return "", ""
    words = [word for word in words if not word.startswith("--")]
    return (words or [""])[0], words[2] if len(words) > 2 else ""  # noqa: PLR2004 - FROM image AS stage


def _flag(instruction: Instruction, name: str) -> list[str]:
    return [
        value
        for flag, _, value in (word.partition("=") for word in instruction.value.split())
        if flag == name
    ]


def _sources(instruction: Instruction) -> list[str]:
    text = instruction.value
    if "$" in text or "[" in text:  # a variable, or the JSON form, whose words are not separated by spaces
        return [EVERYTHING]
    words = [word for word in text.split() if not word.startswith("--")]
    paths = [word.removeprefix("./").strip("/") for word in words[:-1] if "://" not in word]
    return [EVERYTHING if path in ("", ".") else path for path in paths]
