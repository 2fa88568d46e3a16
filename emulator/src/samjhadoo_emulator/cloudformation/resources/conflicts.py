"""Names that are taken, where an API's creating operation would answer what exists, or overwrite it."""

from __future__ import annotations

from samjhadoo_emulator.errors import AwsError


def already_exists(type_name: str, identifier: str) -> AwsError:
    """Return the error for a resource that somebody else has made, in the words of AWS's handlers."""
    return AwsError(
        "AlreadyExists", f"Resource of type '{type_name}' with identifier '{identifier}' already exists."
    )
