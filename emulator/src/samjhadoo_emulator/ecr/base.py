"""What the parts of the ECR API share: the registry, and how they find, page and describe."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from samjhadoo_emulator.ecr.registry import Registry
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.service import LiveService, Params

if TYPE_CHECKING:
    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.service import AwsApi, Host


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
        """Return a summary of the state: tags and digests by repository."""
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
        """Return the members that identify the repository of an answer, and `members`."""
        return {"registryId": self.account, "repositoryName": repository.name, **members}
