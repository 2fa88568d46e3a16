from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_GRAMMAR = re.compile(
    r"(?:(?P<d>\d{1,4})d)?(?:(?P<h>\d{1,4})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,8}(?:\.\d{1,6})?)s)?(?:(?P<ms>\d{1,9})ms)?",
    re.ASCII,
)


class Duration(float):
    """A duration: a float of seconds, written as text such as `1h30m`, `15m` or `0.2s`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Parse `1d`, `1h30m`, `0.2s` or `300ms`, larger units first; raise `ValueError` if not valid."""
        match = _GRAMMAR.fullmatch(text)
        if not text or match is None:
            raise ValueError('expected a duration such as "15m", "1h30m", "0.2s" or "300ms"')
        parts = {unit: Decimal(number) for unit, number in match.groupdict().items() if number is not None}
        milliseconds = parts.pop("ms", Decimal(0))
        total = sum((_UNITS[unit] * number for unit, number in parts.items()), Decimal(0))
        return cls(total + milliseconds / 1000)

    @property
    def seconds(self) -> float:
        """The total in seconds."""
        return float(self)

    @property
    def minutes(self) -> float:
        """The total in minutes."""
        return float(self) / 60

    def __str__(self) -> str:
        rest = Decimal(float.__repr__(self))
        text = ""
        for unit in ("d", "h", "m"):
            number, rest = divmod(rest, _UNITS[unit])
            text += f"{int(number)}{unit}" if number else ""
        if rest or not text:
            text += f"{_plain(rest)}s"
        return text

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)


def _plain(number: Decimal) -> str:
    """Return the number without an exponent and trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
