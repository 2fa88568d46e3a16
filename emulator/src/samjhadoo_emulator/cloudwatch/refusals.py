"""Refusals in CloudWatch's words."""

from __future__ import annotations

from samjhadoo_emulator.errors import AwsError


def invalid(message: str) -> AwsError:
    """Return the refusal of a value."""
    return AwsError("InvalidParameterValueException", message)


def missing(message: str) -> AwsError:
    """Return the refusal of a request that lacks something."""
    return AwsError("MissingRequiredParameterException", message)


def contradictory(message: str) -> AwsError:
    """Return the refusal of members that exclude each other."""
    return AwsError("InvalidParameterCombinationException", message)


def malformed(message: str) -> AwsError:
    """Return the refusal of the alarm API, whose operations do not model one of their own."""
    return AwsError("ValidationError", message)
