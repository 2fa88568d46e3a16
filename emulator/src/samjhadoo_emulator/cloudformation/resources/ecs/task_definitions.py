"""Task definitions: every change is a new revision, and the replaced one is deregistered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.resources.ecs.ecs_type import EcsType
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_PROXY: Final = "ProxyConfiguration"
_PROXY_PROPERTIES: Final = "ProxyConfigurationProperties"
"""What CloudFormation calls the `properties` of a proxy configuration."""


class TaskDefinition(EcsType):
    """A revision of a task definition; `Ref` is its ARN."""

    name = "AWS::ECS::TaskDefinition"
    creation, deletion = "RegisterTaskDefinition", "DeregisterTaskDefinition"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"taskDefinition": request.id}

    def given(self, request: Request) -> dict[str, Any]:
        proxy = request.properties.get(_PROXY) or {}
        if _PROXY_PROPERTIES in proxy:
            named = {
                ("Properties" if name == _PROXY_PROPERTIES else name): each for name, each in proxy.items()
            }
            request = replace(request, properties={**request.properties, _PROXY: named})
        return super().given(request)

    async def make(self, request: Request) -> Resource:
        params = {"family": request.generated_name(), **self.given(request)}
        made = (await self.call(request, self.creation, **params))["taskDefinition"]
        arn = made["taskDefinitionArn"]
        return Resource(arn, {"TaskDefinitionArn": arn})

    async def call(self, request: Request, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation; what ECS says of a revision that it does not know is that it is not found."""
        try:
            return await super().call(request, operation, **params)
        except AwsError as error:
            if "Unable to describe task definition" in error.message:
                raise AwsError("NotFound", error.message) from error
            raise

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeTaskDefinition", **self.identity(request))
        definition = answer["taskDefinition"]
        if definition["status"] != "ACTIVE":
            return None
        found = in_schema(self.name, definition)
        proxy = definition.get("proxyConfiguration") or {}
        if "properties" in proxy:
            pairs = [{"Name": each["name"], "Value": each["value"]} for each in proxy["properties"]]
            found[_PROXY][_PROXY_PROPERTIES] = pairs
        return found


TYPES = (TaskDefinition(),)
