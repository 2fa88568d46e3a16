"""References to what the stacks made: `stack:NAME#Output` as the value of a setting."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GRAMMAR = re.compile(
    r"stack:(?P<stack>[A-Za-z][A-Za-z0-9-]{0,127})#(?P<output>[A-Za-z0-9]{1,255})", re.ASCII
)
SCHEME = "stack:"
FORM = "stack:NAME#Output"


@dataclass(frozen=True)
class StackOutput:
    """An output of a stack of the environment.

    Args:
        stack: The stack, by its template's name, such as `network`.
        output: The name of the output.
    """

    stack: str
    output: str

    @classmethod
    def parse(cls, text: str) -> StackOutput | None:
        """Return the output that a text names; None if it is no such reference."""
        found = _GRAMMAR.fullmatch(text)
        return cls(found["stack"], found["output"]) if found else None

    def __str__(self) -> str:
        return f"{SCHEME}{self.stack}#{self.output}"
