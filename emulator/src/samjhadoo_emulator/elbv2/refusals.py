"""The refusal that most mistakes get."""

from __future__ import annotations

from samjhadoo_emulator.errors import AwsError


def invalid(message: str) -> AwsError:
    """Return a `ValidationError` with AWS's text."""
    return AwsError("ValidationError", message)
