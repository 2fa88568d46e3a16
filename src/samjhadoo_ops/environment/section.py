"""What every table of the settings is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the settings."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys that are right in themselves, as (key, message)."""
        yield from ()
