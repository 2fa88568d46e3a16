"""Distributions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import paths
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.cloudfront import configuration
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Distribution(ApiType):
    """A distribution; `Ref` is its id. The stack waits until it is deployed."""

    name = "AWS::CloudFront::Distribution"
    service = "cloudfront"
    creation, deletion = "CreateDistribution", "DeleteDistribution"
    made_with = frozenset({"DistributionConfig"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Id": request.id}

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for name in configuration.LEGACY:
            for _ in paths.values(properties, f"DistributionConfig.{name}"):
                raise not_implemented(
                    f"The emulator does not support DistributionConfig.{name} of {self.name}."
                )

    async def make(self, request: Request) -> Resource:
        wanted = configuration.as_api(request.properties["DistributionConfig"], str(uuid.uuid4()))
        if found := tags(request):
            tagged = {"DistributionConfig": wanted, "Tags": {"Items": tag_list(found)}}
            answer = await self.call(request, "CreateDistributionWithTags", DistributionConfigWithTags=tagged)
        else:
            answer = await self.call(request, self.creation, DistributionConfig=wanted)
        return _resource(answer["Distribution"])

    @puts("DistributionConfig")
    async def put_configuration(self, request: Request) -> None:
        await self._replace(request, request.properties["DistributionConfig"])

    async def _replace(self, request: Request, wanted: dict[str, Any]) -> str:
        """Replace the configuration; return the new version's tag."""
        now = await self.call(request, "GetDistributionConfig", **self.identity(request))
        config = configuration.as_api(wanted, now["DistributionConfig"]["CallerReference"])
        params = {"DistributionConfig": config, "IfMatch": now["ETag"]}
        answer = await self.call(request, "UpdateDistribution", **self.identity(request), **params)
        return str(answer["ETag"])

    async def settle(self, request: Request) -> Resource:
        return await wait_until(request, lambda: self._deployed(request))

    async def _deployed(self, request: Request) -> Resource | None:
        found = (await self.call(request, "GetDistribution", **self.identity(request)))["Distribution"]
        return _resource(found) if found["Status"] == "Deployed" else None

    async def remove(self, request: Request) -> None:
        """Disable the distribution, wait until it is so everywhere, and delete it."""
        disabled = {**request.properties["DistributionConfig"], "Enabled": False}
        version = await self._replace(request, disabled)
        await self.settle(request)
        await self.call(request, self.deletion, **self.identity(request), IfMatch=version)

    async def put_tags(self, request: Request) -> None:
        found = await self.call(request, "GetDistribution", **self.identity(request))
        arn = found["Distribution"]["ARN"]
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", Resource=arn, TagKeys={"Items": removed})
        if wanted := tags(request):
            await self.call(request, "TagResource", Resource=arn, Tags={"Items": tag_list(wanted)})

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetDistributionConfig", **self.identity(request))
        wanted = request.properties["DistributionConfig"]
        shown = configuration.as_template(self.name, answer["DistributionConfig"], wanted)
        return {"DistributionConfig": shown}


def _resource(found: dict[str, Any]) -> Resource:
    return Resource(found["Id"], {"Id": found["Id"], "DomainName": found["DomainName"]})


TYPES = (Distribution(),)
