"""AWS Cloud Map: namespaces and the services in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_SERVICE: Final = "Service"


class CloudMapType(ApiType):
    """A resource type of Cloud Map; `Ref` is the resource's id.

    Attributes:
        thing: What the resource is in the API: the operation that describes it is `Get` with it.
    """

    service = "servicediscovery"
    thing: ClassVar[str]

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Id": request.id}

    async def found(self, request: Request) -> dict[str, Any]:
        """Return the resource as the API describes it."""
        found: dict[str, Any] = (await self.call(request, f"Get{self.thing}", Id=request.id))[self.thing]
        return found

    async def put_tags(self, request: Request) -> None:
        arn = request.attributes["Arn"]
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", ResourceARN=arn, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", ResourceARN=arn, Tags=tag_list(found))

    async def describe(self, request: Request) -> Properties | None:
        return in_schema(self.name, await self.found(request))


class NamespaceType(CloudMapType):
    """A type of namespaces, which are made and changed in the background."""

    thing = "Namespace"
    deletion = "DeleteNamespace"

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        request.id = await self.finished(request, answer["OperationId"])
        return self.resource(await self.found(request))

    def resource(self, found: dict[str, Any]) -> Resource:
        """Return a namespace with its attributes."""
        return Resource(found["Id"], {"Id": found["Id"], "Arn": found["Arn"]})

    @puts("Description")
    async def put_description(self, request: Request) -> None:
        update = self.creation.replace("Create", "Update")
        namespace = {"Description": request.properties.get("Description", "")}
        answer = await self.call(request, update, **self.identity(request), Namespace=namespace)
        if "OperationId" in answer:  # moto has none for changes
            await self.finished(request, answer["OperationId"])

    async def remove(self, request: Request) -> None:
        answer = await self.call(request, self.deletion, **self.identity(request))
        await self.finished(request, answer["OperationId"])

    async def finished(self, request: Request, operation: str) -> str:
        """Wait for an operation of Cloud Map; return the id of its namespace."""
        return await wait_until(request, lambda: self._ended(request, operation))

    async def _ended(self, request: Request, operation: str) -> str | None:
        found = (await self.call(request, "GetOperation", OperationId=operation))["Operation"]
        if found["Status"] == "FAIL":
            raise AwsError(found.get("ErrorCode", "GeneralServiceException"), found.get("ErrorMessage", ""))
        return found["Targets"]["NAMESPACE"] if found["Status"] == "SUCCESS" else None


class HttpNamespace(NamespaceType):
    """A namespace whose instances are found by the API only."""

    name = "AWS::ServiceDiscovery::HttpNamespace"
    creation = "CreateHttpNamespace"


class PrivateDnsNamespace(NamespaceType):
    """A namespace whose instances are found by DNS in a network."""

    name = "AWS::ServiceDiscovery::PrivateDnsNamespace"
    creation = "CreatePrivateDnsNamespace"
    fixed = frozenset({"Properties"})

    def resource(self, found: dict[str, Any]) -> Resource:
        plain = super().resource(found)
        zone = (found.get("Properties") or {}).get("DnsProperties", {}).get("HostedZoneId")
        return Resource(plain.id, plain.attributes | ({"HostedZoneId": zone} if zone else {}))


class CloudMapService(CloudMapType):
    """A service of a namespace."""

    name = "AWS::ServiceDiscovery::Service"
    thing = _SERVICE
    creation, deletion = "CreateService", "DeleteService"

    async def make(self, request: Request) -> Resource:
        params = {"Name": request.generated_name(longest=127), **self.given(request)}
        made = (await self.call(request, self.creation, **params))[_SERVICE]
        return Resource(made["Id"], {"Id": made["Id"], "Arn": made["Arn"]})

    @puts("Description", "DnsConfig", "HealthCheckConfig")
    async def put_settings(self, request: Request) -> None:
        wanted = {"Description": "", **request.properties}
        change = {
            name: wanted[name] for name in ("Description", "DnsConfig", "HealthCheckConfig") if name in wanted
        }
        if "DnsConfig" in change:
            change["DnsConfig"] = {"DnsRecords": change["DnsConfig"]["DnsRecords"]}
        params = shapes.parameters(self.service, "UpdateService", {_SERVICE: change})
        await self.call(request, "UpdateService", **self.identity(request), **params)

    @puts("ServiceAttributes")
    async def put_attributes(self, request: Request) -> None:
        wanted, before = (
            each.get("ServiceAttributes") or {} for each in (request.properties, request.previous)
        )
        if wanted:
            params = {"ServiceId": request.id, "Attributes": {key: str(each) for key, each in wanted.items()}}
            await self.call(request, "UpdateServiceAttributes", **params)
        if removed := sorted(before.keys() - wanted.keys()):
            params = {"ServiceId": request.id, "Attributes": removed}
            await self.call(request, "DeleteServiceAttributes", **params)


TYPES = (HttpNamespace(), PrivateDnsNamespace(), CloudMapService())
