"""Wrong command lines: Invoke's parser would end them with exit code 1, which means an unexpected error."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from invoke.exceptions import Exit, ParseError
from invoke.parser.parser import Parser

from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.parser import ParseResult

_UNKNOWN = re.compile(r"No idea what (?P<word>'.*'|\".*\") is!", re.DOTALL)
_OPTION = re.compile(r"Flag <Argument: (?P<name>\w+)[^>]*> (?P<what>.*)!")
_WORDS = {"needed value and was not given one": "needs a value", "doesn't take any value": "takes no value"}


def report_usage_errors() -> None:
    """Have a command line that cannot be parsed end with exit code 2, and an error like any other.

    Invoke has no setting for this: its parser is wrapped, once, when the tasks are loaded.
    """
    parse: Callable[[Parser, list[str]], ParseResult] = Parser.parse_argv
    if parse.__module__ == __name__:
        return

    def parse_argv(self: Parser, argv: list[str]) -> ParseResult:
        try:
            return parse(self, argv)
        except ParseError as error:
            refusal = _refusal(self, error)
        except ValueError as error:  # of `int`, which converts the value of a number's option
            refusal = ConfigurationError(f"{str(error).rpartition(': ')[2]} is not a number", hint=_HELP)
        Console.decide(as_json="--json" in argv).failure(refusal)
        raise Exit(code=int(refusal.exit_code))

    Parser.parse_argv = parse_argv  # type: ignore[method-assign]


_HELP = "invoke TASK --help shows the options"


def _refusal(parser: Parser, error: ParseError) -> ConfigurationError:
    """Return the error of a command line, with the nearest name, or where all names are listed."""
    task = error.context if error.context and error.context.name else None
    listing = f"invoke {task.name} --help" if task else "invoke --list"
    text = str(error)
    if option := _OPTION.fullmatch(text):
        what = _WORDS.get(option["what"], option["what"])
        return ConfigurationError(f"--{option['name'].replace('_', '-')} {what}", hint=listing)
    unknown = _UNKNOWN.fullmatch(text)
    if unknown is None:
        return ConfigurationError(text, hint=listing)
    word = str(ast.literal_eval(unknown["word"]))
    known: list[str] = []
    if not word.startswith("-"):
        known, what, listing = list(parser.contexts), f"there is no task {word!r}", "invoke --list"
    elif task:
        known, what = list(task.flag_names()), f"{task.name} has no option {word}"
    else:
        what, listing = f"there is no option {word}", "invoke --help"
    near = nearest(word, known)
    return ConfigurationError(what, hint=f"did you mean {near}? {listing} shows all" if near else listing)
