"""How distributions sign their requests to origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.resources.api_type import ApiType, puts
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_CONFIGURATION: Final = "OriginAccessControlConfig"


class OriginAccessControl(ApiType):
    """An origin access control; `Ref` is its id."""

    name = "AWS::CloudFront::OriginAccessControl"
    service = "cloudfront"
    creation, deletion = "CreateOriginAccessControl", "DeleteOriginAccessControl"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Id": request.id}

    async def make(self, request: Request) -> Resource:
        made = await self.call(request, self.creation, **self.given(request))
        identifier = made["OriginAccessControl"]["Id"]
        return Resource(identifier, {"Id": identifier})

    @puts(_CONFIGURATION)
    async def put_configuration(self, request: Request) -> None:
        params = {**self.given(request), **self.identity(request), "IfMatch": await self._version(request)}
        await self.call(request, "UpdateOriginAccessControl", **params)

    async def remove(self, request: Request) -> None:
        params = {**self.identity(request), "IfMatch": await self._version(request)}
        await self.call(request, self.deletion, **params)

    async def _version(self, request: Request) -> str:
        answer = await self.call(request, "GetOriginAccessControl", **self.identity(request))
        return str(answer["ETag"])

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetOriginAccessControl", **self.identity(request))
        return in_schema(self.name, answer["OriginAccessControl"])


TYPES = (OriginAccessControl(),)
