"""What ECS refuses of tags (AWS: restrictions on tags, in the model's `Tag`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TAGS = 50
LONGEST_KEY, LONGEST_VALUE = 128, 256


def check_tags(tags: Sequence[dict[str, str]], present: Sequence[dict[str, str]] = ()) -> None:
    """Refuse tags that a resource cannot have.

    Args:
        tags: Those of the request.

    Raises:
        AwsError: There are too many, one is too long, given twice or reserved.
    """
    keys = [tag.get("key", "") for tag in tags]
    if len(set(keys)) < len(keys):
        raise invalid_parameter("Duplicate tag keys found. Tag keys must be unique.")
    if len({*keys, *(tag["key"] for tag in present)}) > MOST_TAGS:
        raise invalid_parameter(f"The maximum number of tags per resource is {MOST_TAGS}.")
    for tag in tags:
        key, value = tag.get("key", ""), tag.get("value", "")
        if not 1 <= len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise invalid_parameter(
                f"Tag keys have 1 to {LONGEST_KEY} characters, values up to {LONGEST_VALUE}."
            )
        if key.lower().startswith("aws:"):
            raise invalid_parameter("Tag keys that begin with 'aws:' are reserved for AWS.")
