r"""A migration script as Flyway sends it: decoded, placeholders filled, split, COPY data apart.

Read in Flyway 13.0's source and seen with 12.4: placeholders are filled in the raw text, comments and strings
included; `SCRIPT.conf` is a Java properties file; `COPY … FROM stdin` takes what follows up to a line `\.`,
and without one Flyway never ends; a script runs outside a transaction if its `.conf` or the global setting
has it so, or if each of its statements is one that Flyway knows to need that. The statements are parsed by
PostgreSQL's own parser.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*)
    | (?P<nested>/\*)
    | (?P<string>[eE]'(?:\\.|''|[^'\\])*(?:'|\Z) | '(?:''|[^'])*(?:'|\Z) | "(?:""|[^"])*(?:"|\Z))
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<word>[^\W\d][\w$]* | \d[\w.$]*)
    | (?P<blank>\s+)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# What cannot change how the rest of a statement is split; an E may begin a string with backslashes.
_PLAIN = re.compile(r"(?:[^'\"$;()/\-eE]|(?<=\w)[eE$]|[eE](?!'))+")
_ROWS = re.compile(r"INSERT\s+INTO\s+[^()']*(?:\([^()']*\)\s*)?VALUES(?=\s*\()", re.IGNORECASE)
_LONG = 100_000
"""From how many characters on the rows of an INSERT are not parsed."""
_WORDS = 200
"""How many words and marks say what a statement is."""
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_COPY = re.compile(r"COPY( .*)? FROM STDIN\b")
_COPY_END = re.compile(r"(?:^|\n)\\\.[^\S\n]*")
_PROPERTY = re.compile(r"(?P<key>(?:\\.|[^\\\s:=])+)\s*[:=]?\s*(?P<value>.*)")
_PROPERTIES = frozenset({"encoding", "executeInTransaction", "placeholderReplacement", "shouldExecute"})
_NO_TRANSACTION = re.compile(
    r"(CREATE|DROP) (DATABASE|TABLESPACE|SUBSCRIPTION)\b|(CREATE( UNIQUE)?|DROP) INDEX CONCURRENTLY\b"
    r"|ALTER SYSTEM\b|REINDEX( VERBOSE)? (SCHEMA|DATABASE|SYSTEM)\b|VACUUM\b|DISCARD ALL\b"
)
_FAILS_INSIDE = re.compile(
    rf"{_NO_TRANSACTION.pattern}|REINDEX\b.* CONCURRENTLY\b|CLUSTER$"
    r"|ALTER TABLE\b.* DETACH PARTITION .*\bCONCURRENTLY\b"
)
_ENDS_TRANSACTION = re.compile(r"(COMMIT|END|ABORT|ROLLBACK(?!.* TO\b)|PREPARE TRANSACTION)\b")
_STANDARD = frozenset(
    {"defaultschema", "user", "database", "timestamp", "filename", "workingdirectory", "table", "environment"}
)
"""Flyway's own placeholders, which start with `flyway:`."""
_STAND_IN = "placeholder"


@dataclass(frozen=True)
class Trouble:
    """Why Flyway or PostgreSQL fails on a script; line 0 stands for all of it.

    Attributes:
        endless: Whether Flyway does not fail, but never ends.
    """

    line: int
    what: str
    endless: bool = False


@dataclass(frozen=True)
class Statement:
    """One statement of a script.

    Attributes:
        line: The line of its first word, from 1 on.
        text: The statement without its semicolon and COPY data.
        words: The same in upper case, without comments, strings and dollar-quoted bodies; of rows to insert,
            only the first.
    """

    line: int
    text: str
    words: str

    @cached_property
    def trees(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """The nodes of PostgreSQL's parse tree, by kind; empty if its parser does not accept the text.

        Raises:
            ImportError: pgparse is not installed.
        """
        import pgparse

        rows = _ROWS.match(self.text) if len(self.text) > _LONG else None
        try:
            parsed = pgparse.parse(f"{rows[0]} (0)" if rows else self.text)
        except pgparse.PGQueryError:
            return ()
        return tuple(next(iter(each["stmt"].items())) for each in parsed)

    @property
    def needs_no_transaction(self) -> bool:
        """Whether Flyway knows that it cannot run in a transaction."""
        return _NO_TRANSACTION.match(self.words) is not None


@dataclass(frozen=True)
class Script:
    """A script as Flyway reads it.

    Attributes:
        text: Its text with placeholders filled; empty if it cannot be read.
        sql: The same with its COPY data blanked, line by line.
        in_transaction: Whether Flyway runs it in a transaction.
        troubles: Why it would fail.
        readable: Whether it is SQL that could be decoded.
    """

    name: str
    text: str = ""
    sql: str = ""
    statements: tuple[Statement, ...] = ()
    in_transaction: bool = True
    troubles: tuple[Trouble, ...] = ()
    readable: bool = True


def read_script(path: Path, settings: Mapping[str, str]) -> Script:
    """Read a script as Flyway does; what is wrong with it stands in the result's `troubles`.

    Args:
        path: The script; its settings stand beside it, in a file of its name with `.conf` added.
        settings: Flyway's settings without the prefix `flyway.`, as in `[database.flyway]`.
    """
    troubles: list[Trouble] = []
    own = _own_settings(path, settings, troubles)
    effective = {**settings, **own}
    try:
        text = _decoded(path.read_bytes(), effective)
    except (OSError, LookupError, ValueError) as error:
        trouble = Trouble(0, f"cannot be read: {error}")
        return Script(path.name, troubles=(*troubles, trouble), readable=False)
    if effective.get("placeholderReplacement", "true").lower() == "true":
        text = _filled(text, effective, path.name, troubles)
    script = split(path.name, text)
    inside = _in_transaction(script.statements, own, settings, troubles)
    troubles += script.troubles
    troubles += [
        trouble for each in script.statements for trouble in _rejected(each, path.name, inside=inside)
    ]
    return replace(script, in_transaction=inside, troubles=tuple(troubles))


def settings_in(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return Flyway's settings: those in its own files in a folder, which the given ones override."""
    found: dict[str, str] = {}
    for name in ("flyway.conf", "flyway.toml", "flyway.user.toml"):
        with suppress(OSError, ValueError):  # Flyway itself complains
            text = (folder / name).read_text("utf-8")
            if name.endswith(".toml"):
                found |= _flat(tomllib.loads(text).get("flyway", {}))
            else:
                found |= {key.removeprefix("flyway."): value for key, value in properties(text).items()}
    return found | dict(given)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


def split(name: str, text: str) -> Script:
    """Return a text as a script, without settings and placeholders."""
    splitter = _Splitter(text)
    statements = tuple(splitter.statements())
    return Script(name, text, splitter.sql, statements, troubles=tuple(splitter.troubles))


def _own_settings(path: Path, settings: Mapping[str, str], troubles: list[Trouble]) -> dict[str, str]:
    """Return the settings in the file beside a script."""
    beside = path.with_name(f"{path.name}.conf")
    try:
        text = beside.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        troubles.append(Trouble(0, f"{beside.name} cannot be read: {error}"))
        return {}
    found = properties(_filled(text, settings, path.name, troubles))
    strange = sorted(found.keys() - _PROPERTIES)
    troubles += [Trouble(0, f"{beside.name}: Flyway knows no setting {key!r} of a script") for key in strange]
    return found


def properties(text: str) -> dict[str, str]:
    """Read a Java properties file: `key=value`, `key: value` or `key value`, continued after a backslash."""
    joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n\s*", r"\1", text)
    lines = [line.strip() for line in joined.splitlines()]
    found = [_PROPERTY.match(line) for line in lines if line and line[0] not in "#!"]
    return {_plain(each["key"]): _plain(each["value"]) for each in found if each}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _decoded(content: bytes, settings: Mapping[str, str]) -> str:
    """Decode a script; raise `LookupError` for an unknown encoding, `ValueError` for wrong bytes."""
    encoding = settings.get("encoding") or "UTF-8"
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if settings.get("detectEncoding", "").lower() == "true":
            text = content.decode("latin-1")
        else:
            line = content.count(b"\n", 0, error.start) + 1
            raise ValueError(
                f"line {line} is not {settings.get('encoding') or 'UTF-8'}; database.flyway.encoding, or "
                f"encoding in a .conf file beside it, names another encoding"
            ) from error
    return text.replace("\r\n", "\n")


def _filled(text: str, settings: Mapping[str, str], name: str, troubles: list[Trouble]) -> str:
    """Fill placeholders; those whose value only Flyway knows get a stand-in."""
    values = {
        key.partition(".")[2].lower(): value
        for key, value in settings.items()
        if key.lower().startswith("placeholders.")
    }
    known = {"filename": name, "table": settings.get("table", "flyway_schema_history")}
    known["defaultschema"] = (
        settings.get("defaultSchema") or settings.get("schemas", "").split(",")[0] or "public"
    )
    prefix = settings.get("placeholderPrefix", "${")
    suffix = settings.get("placeholderSuffix", "}")
    separator = settings.get("placeholderSeparator", ":")

    def fill(found: re.Match[str]) -> str:
        key = found["name"].lower()
        kind, own, standard = key.partition(separator)
        if own and kind == "flyway" and standard in _STANDARD:
            return known.get(standard, _STAND_IN)
        if key not in values:
            line = text.count("\n", 0, found.start()) + 1
            troubles.append(
                Trouble(
                    line,
                    f'no value for the placeholder {found[0]}: set "placeholders.{found["name"]}" in '
                    "[database.flyway]",
                )
            )
        return values.get(key, _STAND_IN)

    return re.sub(f"{re.escape(prefix)}(?P<name>.*?){re.escape(suffix)}", fill, text)


def _in_transaction(
    statements: tuple[Statement, ...],
    own: Mapping[str, str],
    settings: Mapping[str, str],
    troubles: list[Trouble],
) -> bool:
    """Return Flyway's decision whether a script runs in a transaction."""
    if "executeInTransaction" in own:
        return own["executeInTransaction"].lower() != "false"
    if settings.get("executeInTransaction", "").lower() == "false":
        return False
    outside = [each for each in statements if each.needs_no_transaction]
    if not outside:
        return True
    if len(outside) < len(statements) and settings.get("mixed", "").lower() != "true":
        troubles.append(
            Trouble(
                outside[0].line,
                "Flyway refuses a script in which only some statements can run in a transaction: give this "
                "statement a script of its own, or write executeInTransaction=false into a file of the "
                "script's name with .conf added",
            )
        )
    return False


def _rejected(statement: Statement, name: str, *, inside: bool) -> Iterator[Trouble]:
    """Yield why a statement fails, or leaves a script half applied."""
    if statement.words.startswith("\\"):
        yield Trouble(statement.line, "psql's commands, which start with a backslash, are not SQL")
    if inside and _FAILS_INSIDE.match(statement.words):
        yield Trouble(
            statement.line,
            f"this statement cannot run in a transaction: write executeInTransaction=false into {name}.conf "
            "beside the script, which should hold nothing else",
        )
    if inside and _ENDS_TRANSACTION.match(statement.words):
        yield Trouble(
            statement.line,
            "this ends Flyway's transaction: if a later statement fails, what came before stays, and the "
            "history does not show it; remove BEGIN and COMMIT, as Flyway has its own",
        )


@dataclass
class _Splitter:
    """Splits a script's text into statements, as PostgreSQL's rules of quoting have it."""

    text: str
    troubles: list[Trouble] = field(default_factory=list)
    sql: str = ""

    def statements(self) -> Iterator[Statement]:
        """Yield the statements; afterwards, `sql` and `troubles` are complete."""
        self.sql = self.text
        position = 0
        while position < len(self.text):
            start, words, end = self._next(position)
            if words:
                yield Statement(self._line(start), self.text[start:end], words)
            position = end + 1
            if _COPY.match(words):
                position = self._skip_data(position, self._line(start))

    def _next(self, position: int) -> tuple[int, str, int]:
        """Return the next statement's start, words and end, where its semicolon is."""
        start, depth, atomic = -1, 0, 0
        words: list[str] = []
        rows = False
        while position < len(self.text):
            token = _TOKEN.match(self.text, position)
            assert token is not None  # noqa: S101  # any character matches
            kind, found = token.lastgroup, token[0]
            end = token.end()
            if kind == "nested":
                end = self._after_comment(position)
            elif kind == "dollar":
                end = self._after_dollar(position, found)
            elif kind == "mark" and found == ";" and depth <= 0 and not atomic:
                break
            if kind not in {"comment", "nested", "blank"}:
                start = position if start < 0 else start
                if kind in {"word", "mark"}:
                    depth += {"(": 1, ")": -1}.get(found, 0)
                    if not rows:
                        words.append(found.upper())
                        atomic = _atomic(words, atomic)
                        rows = words[0] == "INSERT" and len(words) > _WORDS
            plain = _PLAIN.match(self.text, end) if rows else None
            position = plain.end() if plain else end
        return start, " ".join(words), position

    def _after_comment(self, position: int) -> int:
        depth = 0
        for edge in _COMMENT_EDGE.finditer(self.text, position):
            depth += 1 if edge[0] == "/*" else -1
            if not depth:
                return edge.end()
        return len(self.text)

    def _after_dollar(self, position: int, tag: str) -> int:
        end = self.text.find(tag, position + len(tag))
        return end + len(tag) if end >= 0 else len(self.text)

    def _skip_data(self, position: int, line: int) -> int:
        """Return the position after a COPY's data, which is blanked in `sql`."""
        found = _COPY_END.search(self.text, position)
        if found is None:
            what = r"the data of COPY … FROM stdin has no end mark (a line \.): Flyway never ends"
            self.troubles.append(Trouble(line, what, endless=True))
        end = found.end() if found else len(self.text)
        blank = re.sub(r"[^\n]", " ", self.text[position:end])
        self.sql = self.sql[:position] + blank + self.sql[end:]
        return end

    def _line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1


def _atomic(words: list[str], depth: int) -> int:
    """Return how deep the last word is in a function's body BEGIN ATOMIC … END, whose semicolons count."""
    if words[-1] == "ATOMIC" and words[-2:-1] == ["BEGIN"]:
        return depth + 1
    if depth and words[-1] in {"CASE", "END"}:
        return depth + (1 if words[-1] == "CASE" else -1)
    return depth
