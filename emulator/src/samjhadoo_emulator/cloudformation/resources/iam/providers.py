"""OpenID Connect providers, and roles that belong to services."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from samjhadoo_emulator.cloudformation.resources.api_type import in_order, puts
from samjhadoo_emulator.cloudformation.resources.iam.iam_type import IamType, changes
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class OidcProvider(IamType):
    """An OpenID Connect provider, such as GitHub's; `Ref` is its ARN."""

    name = "AWS::IAM::OIDCProvider"
    thing, id_parameter = "OpenIDConnectProvider", "OpenIDConnectProviderArn"
    creation, deletion = "CreateOpenIDConnectProvider", "DeleteOpenIDConnectProvider"
    renamed: ClassVar = {"ClientIdList": "ClientIDList"}

    async def make(self, request: Request) -> Resource:
        # AWS verifies well-known providers by its own list of authorities when there is no thumbprint.
        params = {"ThumbprintList": [], **self.given(request)}
        arn = (await self.call(request, self.creation, **params))["OpenIDConnectProviderArn"]
        return Resource(arn, {"Arn": arn})

    @puts("ThumbprintList")
    async def put_thumbprints(self, request: Request) -> None:
        thumbprints = request.properties.get("ThumbprintList") or []
        await self.call(
            request,
            "UpdateOpenIDConnectProviderThumbprint",
            **self.identity(request),
            ThumbprintList=thumbprints,
        )

    @puts("ClientIdList")
    async def put_clients(self, request: Request) -> None:
        added, removed = changes(request, "ClientIdList")
        for client in added:
            await self.call(
                request, "AddClientIDToOpenIDConnectProvider", **self.identity(request), ClientID=client
            )
        for client in removed:
            await self.call(
                request, "RemoveClientIDFromOpenIDConnectProvider", **self.identity(request), ClientID=client
            )

    async def describe(self, request: Request) -> Properties | None:
        found = await self.call(request, "GetOpenIDConnectProvider", **self.identity(request))
        url = str(found["Url"])
        whole = request.properties.get("Url", "")
        clients = in_order(found["ClientIDList"], request.properties.get("ClientIdList") or [])
        return {**found, "Url": whole if whole.endswith(url) else f"https://{url}", "ClientIdList": clients}


class ServiceLinkedRole(IamType):
    """A role that one of AWS's services uses."""

    name = "AWS::IAM::ServiceLinkedRole"
    thing, id_parameter, tagged = "Role", "RoleName", False
    creation, deletion = "CreateServiceLinkedRole", "DeleteServiceLinkedRole"

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["Role"]
        return Resource(made["RoleName"], {"RoleName": made["RoleName"]})

    @puts("Description")
    async def put_description(self, request: Request) -> None:
        description = request.properties.get("Description", "")
        await self.call(request, "UpdateRole", RoleName=request.id, Description=description)

    async def describe(self, request: Request) -> Properties | None:
        role: Properties = (await self.call(request, "GetRole", RoleName=request.id))["Role"]
        return role


TYPES = (OidcProvider(), ServiceLinkedRole())
