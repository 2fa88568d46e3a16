"""Amazon API Gateway's HTTP and WebSocket APIs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from samjhadoo_emulator.cloudformation.resources.api_type import ApiType, puts, removed_tags, tags
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_RESPONSES: Final = "ResponseParameters"


class GatewayType(ApiType):
    """A resource type of API Gateway, part of an API or not; `Ref` is its id.

    Attributes:
        thing: What the resource is in the API: its operations are `Create`, `Get` and so on with it.
        parent: The property that names what the resource is part of, if it is.
        path: Where it is in the ARNs of what has tags.
    """

    service = "apigatewayv2"
    thing: ClassVar[str]
    parent: ClassVar[str] = ""
    path: ClassVar[str] = ""
    changes_in_place: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.creation, cls.deletion = f"Create{cls.thing}", f"Delete{cls.thing}"
        cls.modification = f"Update{cls.thing}" if cls.changes_in_place else ""

    def identity(self, request: Request) -> dict[str, Any]:
        parent = {self.parent: request.properties[self.parent]} if self.parent else {}
        return {**parent, f"{self.thing}Id": request.id}

    async def make(self, request: Request) -> Resource:
        made = await self.call(request, self.creation, **self.given(request))
        return Resource(made[f"{self.thing}Id"], self.attributes(request, made))

    def attributes(self, request: Request, found: dict[str, Any]) -> Properties:  # noqa: ARG002
        """Return the attributes of a resource as the API describes it."""
        return {f"{self.thing}Id": found[f"{self.thing}Id"]}

    async def put_tags(self, request: Request) -> None:
        arn = f"arn:{request.partition}:apigateway:{request.region}::{self.path}/{request.id}"
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", ResourceArn=arn, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", ResourceArn=arn, Tags=found)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, f"Get{self.thing}", **self.identity(request))
        parent = {self.parent: request.properties[self.parent]} if self.parent else {}
        found = in_schema(self.name, {**answer, **parent})
        own = request.properties.get("Tags") or {}
        if "Tags" in found:  # those that the resource has from its stack are not in its template
            found["Tags"] = {
                key: value for key, value in found["Tags"].items() if key in own or key not in request.tags
            }
        return found


class Api(GatewayType):
    """An API."""

    name = "AWS::ApiGatewayV2::Api"
    thing = "Api"
    path = "/apis"
    unsupported = frozenset(
        {
            "BasePath",
            "Body",
            "BodyS3Location",
            "CredentialsArn",
            "FailOnWarnings",
            "IpAddressType",
            "RouteKey",
            "Target",
        }
    )
    defaults: ClassVar = {
        "CorsConfiguration": {},
        "Description": "",
        "DisableExecuteApiEndpoint": False,
        "DisableSchemaValidation": False,
        "Version": "",
    }

    def check(self, properties: Properties) -> None:
        super().check(properties)
        missing = {"Name", "ProtocolType"} - properties.keys()
        if missing:
            raise AwsError("BadRequestException", f"{' and '.join(sorted(missing))} must be specified")

    def attributes(self, request: Request, found: dict[str, Any]) -> Properties:
        prefix = f"arn:{request.partition}:execute-api:{request.region}:{request.account}"
        return {
            "ApiId": found["ApiId"],
            "ApiEndpoint": found["ApiEndpoint"],
            "ExecuteApiArn": f"{prefix}:{found['ApiId']}",
        }


class VpcLink(GatewayType):
    """A way from APIs into a network."""

    name = "AWS::ApiGatewayV2::VpcLink"
    thing = "VpcLink"
    path = "/vpclinks"

    async def settle(self, request: Request) -> Resource:
        """Wait until the link can be used."""
        return await wait_until(request, lambda: self._available(request))

    async def _available(self, request: Request) -> Resource | None:
        found = await self.call(request, "GetVpcLink", **self.identity(request))
        if found["VpcLinkStatus"] == "FAILED":
            raise AwsError("NotStabilized", found.get("VpcLinkStatusMessage", "The VPC link failed."))
        return Resource(request.id, request.attributes) if found["VpcLinkStatus"] == "AVAILABLE" else None


class Integration(GatewayType):
    """What an API sends requests to."""

    name = "AWS::ApiGatewayV2::Integration"
    thing = "Integration"
    parent = "ApiId"

    def given(self, request: Request) -> dict[str, Any]:
        return super().given(replace(request, properties=_by_destination(request.properties)))

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        return super().modified(replace(request, properties=_by_destination(request.properties)), changed)

    async def describe(self, request: Request) -> Properties | None:
        found = await super().describe(request)
        if found and found.get(_RESPONSES):
            found[_RESPONSES] = {
                status: {
                    _RESPONSES: [{"Destination": name, "Source": value} for name, value in mapped.items()]
                }
                for status, mapped in found[_RESPONSES].items()
            }
        return found


class Route(GatewayType):
    """Which requests of an API go to which integration."""

    name = "AWS::ApiGatewayV2::Route"
    thing = "Route"
    parent = "ApiId"
    unsupported = frozenset({"RequestParameters"})


class Authorizer(GatewayType):
    """Who decides which requests an API takes."""

    name = "AWS::ApiGatewayV2::Authorizer"
    thing = "Authorizer"
    parent = "ApiId"


class ApiStage(GatewayType):
    """A stage of an API; `Ref` is its name. A change makes it anew: moto cannot update stages."""

    name = "AWS::ApiGatewayV2::Stage"
    thing = "Stage"
    parent = "ApiId"
    changes_in_place = False
    unsupported = frozenset({"DeploymentId"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"ApiId": request.properties["ApiId"], "StageName": request.id}

    async def make(self, request: Request) -> Resource:
        made = await self.call(request, self.creation, **self.given(request))
        return Resource(made["StageName"])

    @puts(
        "AccessLogSettings",
        "AutoDeploy",
        "ClientCertificateId",
        "DefaultRouteSettings",
        "Description",
        "RouteSettings",
        "StageVariables",
    )
    async def make_anew(self, request: Request) -> None:
        await self.call(request, self.deletion, **self.identity(request))
        await self.call(request, self.creation, **self.given(request))

    async def put_tags(self, request: Request) -> None:
        await self.make_anew(request)


class DomainName(GatewayType):
    """A domain name of one's own; `Ref` is the name."""

    name = "AWS::ApiGatewayV2::DomainName"
    thing = "DomainName"
    path = "/domainnames"
    changes_in_place = False
    unsupported = frozenset({"RoutingMode"})
    fixed = frozenset({"DomainNameConfigurations", "MutualTlsAuthentication"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"DomainName": request.id}

    async def make(self, request: Request) -> Resource:
        made = await self.call(request, self.creation, **self.given(request))
        first: dict[str, Any] = next(iter(made.get("DomainNameConfigurations") or ()), {})
        attributes = {
            "DomainNameArn": made.get("DomainNameArn"),
            "RegionalDomainName": first.get("ApiGatewayDomainName"),
            "RegionalHostedZoneId": first.get("HostedZoneId"),
        }
        known = {name: value for name, value in attributes.items() if value}
        return Resource(made["DomainName"], known)


class ApiMapping(GatewayType):
    """The API behind a domain name."""

    name = "AWS::ApiGatewayV2::ApiMapping"
    thing = "ApiMapping"
    parent = "DomainName"
    changes_in_place = False
    fixed = frozenset({"ApiId", "ApiMappingKey", "Stage"})


def _by_destination(properties: Properties) -> Properties:
    """Return properties with the parameters of responses as the API has them: by status and destination."""
    if _RESPONSES not in properties:
        return properties
    by_status = {
        status: {each["Destination"]: each["Source"] for each in mapped.get(_RESPONSES) or ()}
        for status, mapped in properties[_RESPONSES].items()
    }
    return {**properties, _RESPONSES: by_status}


TYPES = (
    Api(),
    VpcLink(),
    Integration(),
    Route(),
    Authorizer(),
    ApiStage(),
    DomainName(),
    ApiMapping(),
)
