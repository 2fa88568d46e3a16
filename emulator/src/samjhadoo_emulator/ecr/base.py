"""What the parts of the ECR API share: the registry, and how they find, page and describe."""

from __future__ import annotations

import asyncio
import base64
import shutil
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from samjhadoo_emulator.ecr.registry import Registry
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.service import LiveService, Params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.service import AwsApi, Host

PAGE = 100
T = TypeVar("T")


class RegistryService(LiveService):
    """The ECR service without operations."""

    name: ClassVar[str] = "ecr"

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._root = host.data_dir / "ecr" / region
        self.registry = Registry(host.account, self._root, host.clock.now)

    async def stop(self) -> None:
        """End background work and remove the images from disk."""
        await super().stop()
        await asyncio.to_thread(shutil.rmtree, self._root, ignore_errors=True)

    @property
    def endpoint(self) -> str:
        """Where Docker finds the registry: host and port."""
        return urlsplit(self.host.edge_url).netloc

    def dump(self) -> dict[str, Any]:
        """Return the state for people to read: tags and digests by repository."""
        return {
            name: {
                "tags": dict(repository.tags),
                "images": list(repository.images),
                "blobs": len(repository.blobs),
            }
            for name, repository in self.registry.repositories.items()
        }

    def repository(self, params: Params) -> Repository:
        """Return the repository that a request names.

        Raises:
            AwsError: There is none, or the request names another registry.

        """
        name, registry_id = params["repositoryName"], params.get("registryId", self.account)
        if registry_id != self.account:
            raise AwsError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id '{registry_id}'",
            )
        return self.registry.repository(name)

    def named(self, repository: Repository, **members: Any) -> dict[str, Any]:
        """Return the members that say which repository an answer is about, and `members`."""
        return {"registryId": self.account, "repositoryName": repository.name, **members}


def page(items: Sequence[T], params: Params) -> tuple[Sequence[T], dict[str, str]]:
    """Return the page that `nextToken` and `maxResults` ask for, and the answer's `nextToken` member.

    Raises:
        AwsError: The token is none of ours.

    """
    try:
        start = int(base64.urlsafe_b64decode(params["nextToken"])) if params.get("nextToken") else 0
    except ValueError as error:
        raise AwsError(
            "InvalidParameterException", "Invalid parameter at 'NextToken' failed to satisfy constraint"
        ) from error
    end = start + (params.get("maxResults") or PAGE)
    more = {"nextToken": base64.urlsafe_b64encode(str(end).encode()).decode()} if end < len(items) else {}
    return items[start:end], more
