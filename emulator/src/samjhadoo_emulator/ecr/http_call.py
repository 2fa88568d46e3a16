"""A request to the distribution API that names a repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.ecr.registry import Registry


@dataclass(frozen=True)
class Call:
    """What every handler is given.

    Attributes:
        request: The HTTP request.
        registry: The registry it came to.
        repository: The repository that its path names.
        rest: What the path names inside the repository: a digest, a tag, an upload.

    """

    request: Request
    registry: Registry
    repository: Repository
    rest: str

    def address(self, path: str) -> str:
        """Return the absolute address of a path in the repository: some clients resolve no relative ones."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}/v2/{self.repository.name}/{path}"
