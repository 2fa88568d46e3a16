"""AWS WAF: web ACLs, what they consist of, and what they guard."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Final

from samjhadoo_emulator import wire
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
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

GLOBAL_REGION: Final = "us-east-1"
"""The region of what guards CloudFront."""
LONGEST_NAME: Final = 128


class ScopedType(ApiType):
    """A resource type with a scope; `Ref` is its name, id and scope. A change sends all properties.

    Attributes:
        thing: What the resource is in the API: its operations are `Create`, `Get` and so on with it.
    """

    service = "wafv2"
    thing: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.creation, cls.modification = f"Create{cls.thing}", f"Update{cls.thing}"
        cls.deletion = f"Delete{cls.thing}"

    def identity(self, request: Request) -> dict[str, Any]:
        name, identifier, scope = request.id.split("|")
        return {"Name": name, "Id": identifier, "Scope": scope}

    def wanted(self, properties: Properties) -> Properties:
        """Return properties as the API names them."""
        decoded: Properties = _decoded(properties)
        return decoded

    async def make(self, request: Request) -> Resource:
        scope = request.properties["Scope"]
        if scope == "CLOUDFRONT" and request.region != GLOBAL_REGION:
            raise AwsError(
                "WAFInvalidParameterException",
                "Error reason: The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT",
            )
        wanted = self.wanted({name: each for name, each in request.properties.items() if name != "Tags"})
        params = {
            "Name": request.generated_name(longest=LONGEST_NAME),
            **shapes.parameters(self.service, self.creation, wanted),
        }
        if found := tags(request):
            params["Tags"] = tag_list(found)
        summary = (await self.call(request, self.creation, **params))["Summary"]
        request.id = f"{summary['Name']}|{summary['Id']}|{scope}"
        return Resource(request.id, self.attributes(await self.found(request)))

    def attributes(self, found: dict[str, Any]) -> Properties:
        """Return the attributes of a resource as the API describes it."""
        return {"Arn": found["ARN"], "Id": found["Id"]}

    async def found(self, request: Request) -> dict[str, Any]:
        """Return the resource as the API describes it."""
        answer = await self.call(request, f"Get{self.thing}", **self.identity(request))
        found: dict[str, Any] = answer[self.thing]
        return found

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        """Return all properties, as an update replaces them; none if only tags change."""
        if not changed - {"Tags"}:
            return {}
        wanted = {"Description": "", **request.properties} if "Description" in changed else request.properties
        params = shapes.parameters(self.service, self.modification, self.wanted(wanted))
        return {name: value for name, value in params.items() if name not in ("Name", "Scope")}

    async def call(self, request: Request, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation; those that change or delete the resource say which state of it they know."""
        if operation in (self.modification, self.deletion):
            answer = await super().call(request, f"Get{self.thing}", **self.identity(request))
            params["LockToken"] = answer["LockToken"]
        return await super().call(request, operation, **params)

    async def put_tags(self, request: Request) -> None:
        arn = request.attributes["Arn"]
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", ResourceARN=arn, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", ResourceARN=arn, Tags=tag_list(found))

    async def describe(self, request: Request) -> Properties | None:
        found = {name: each for name, each in (await self.found(request)).items() if each is not None}
        return in_schema(self.name, _encoded(found))


class WebACL(ScopedType):
    """Rules that guard what the web ACL is associated with."""

    name = "AWS::WAFv2::WebACL"
    thing = "WebACL"
    unsupported = frozenset(
        {"ApplicationConfig", "DataProtectionConfig", "MonetizationConfig", "OnSourceDDoSProtectionConfig"}
    )

    def attributes(self, found: dict[str, Any]) -> Properties:
        own = {name: found[name] for name in ("Capacity", "LabelNamespace") if name in found}
        return super().attributes(found) | own


class RuleGroup(ScopedType):
    """Rules that web ACLs share."""

    name = "AWS::WAFv2::RuleGroup"
    thing = "RuleGroup"
    unsupported = frozenset({"AvailableLabels", "ConsumedLabels", "MonetizationConfig"})
    fixed = frozenset({"Capacity"})

    def attributes(self, found: dict[str, Any]) -> Properties:
        return super().attributes(found) | {"LabelNamespace": found["LabelNamespace"]}


class IPSet(ScopedType):
    """A set of addresses."""

    name = "AWS::WAFv2::IPSet"
    thing = "IPSet"
    fixed = frozenset({"IPAddressVersion"})


class RegexPatternSet(ScopedType):
    """A set of regular expressions."""

    name = "AWS::WAFv2::RegexPatternSet"
    thing = "RegexPatternSet"

    def wanted(self, properties: Properties) -> Properties:
        expressions = properties.get("RegularExpressionList") or []
        return {**properties, "RegularExpressionList": [{"RegexString": each} for each in expressions]}

    async def describe(self, request: Request) -> Properties | None:
        found = await self.found(request)
        expressions = [each["RegexString"] for each in found["RegularExpressionList"]]
        return in_schema(self.name, {**found, "RegularExpressionList": expressions})


class WebACLAssociation(ApiType):
    """What a web ACL guards, for example a load balancer."""

    name = "AWS::WAFv2::WebACLAssociation"
    service = "wafv2"
    creation, deletion = "AssociateWebACL", "DisassociateWebACL"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"ResourceArn": request.id.partition("|")[0]}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        return Resource(f"{request.properties['ResourceArn']}|{request.properties['WebACLArn']}")

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetWebACLForResource", **self.identity(request))
        if not answer.get("WebACL"):
            return None
        return {**self.identity(request), "WebACLArn": answer["WebACL"]["ARN"]}


class LoggingConfiguration(ApiType):
    """Where the log of a web ACL goes; `Ref` is the web ACL's ARN."""

    name = "AWS::WAFv2::LoggingConfiguration"
    service = "wafv2"
    creation, deletion = "PutLoggingConfiguration", "DeleteLoggingConfiguration"
    made_with = frozenset({"LogDestinationConfigs", "LoggingFilter", "RedactedFields", "ResourceArn"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"ResourceArn": request.id}

    async def make(self, request: Request) -> Resource:
        await self._put(request)
        return Resource(request.properties["ResourceArn"])

    @puts("LogDestinationConfigs", "LoggingFilter", "RedactedFields")
    async def put_configuration(self, request: Request) -> None:
        await self._put(request)

    async def _put(self, request: Request) -> None:
        shape = wire.operation_model(self.service, self.creation).input_shape.members["LoggingConfiguration"]
        wanted = shapes.fit(request.properties, shape, "LoggingConfiguration")
        await self.call(request, self.creation, LoggingConfiguration=wanted)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetLoggingConfiguration", **self.identity(request))
        found = {name: each for name, each in answer["LoggingConfiguration"].items() if each is not None}
        return in_schema(self.name, found)


def _decoded(value: Any) -> Any:
    """Return rules with search strings as bytes, however a template has them."""
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _decoded(each) for name, each in value.items()}
    if "SearchStringBase64" in plain:
        plain["SearchString"] = base64.b64decode(plain.pop("SearchStringBase64"))
    elif isinstance(plain.get("SearchString"), str):
        plain["SearchString"] = plain["SearchString"].encode()
    return plain


def _encoded(value: Any) -> Any:
    """Return rules with search strings as text, and without what they do not have."""
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    if isinstance(value, dict):
        return {name: _encoded(each) for name, each in value.items() if each is not None}
    return value.decode() if isinstance(value, bytes) else value


TYPES = (
    WebACL(),
    RuleGroup(),
    IPSet(),
    RegexPatternSet(),
    WebACLAssociation(),
    LoggingConfiguration(),
)
