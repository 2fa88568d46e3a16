"""AWS Lambda: functions and who may call them. A function runs in a container, which needs Docker."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 64
_CONFIGURATION = (
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)


class Function(ApiType):
    """A function, whose code is in S3, in ECR, or in the template itself."""

    name = "AWS::Lambda::Function"
    service, creation, deletion = "lambda", "CreateFunction", "DeleteFunction"
    renamed: ClassVar = {"KmsKeyArn": "KMSKeyArn"}
    made_with = frozenset({"Code"})
    unsupported = frozenset(
        {
            "CapacityProviderConfig",
            "CodeSigningConfigArn",
            "DurableConfig",
            "FunctionScalingConfig",
            "PublishToLatestPublished",
            "RecursiveLoop",
            "RuntimeManagementConfig",
            "TenancyConfig",
        }
    )

    def identity(self, request: Request) -> dict[str, Any]:
        return {"FunctionName": request.id}

    def given(self, request: Request) -> dict[str, Any]:
        own = {name: value for name, value in request.properties.items() if name not in ("Code", "Tags")}
        params = shapes.parameters(self.service, self.creation, own, renamed=self.renamed)
        params.setdefault("FunctionName", request.generated_name(longest=LONGEST_NAME))
        if found := tags(request):
            params["Tags"] = found
        return {**params, "Code": _code(request.properties)}

    async def make(self, request: Request) -> Resource:
        made = await self.call(request, self.creation, **self.given(request))
        return Resource(made["FunctionName"], {"Arn": made["FunctionArn"]})

    @puts("Architectures", "Code")
    async def put_code(self, request: Request) -> None:
        architectures = request.properties.get("Architectures")
        params = {"Architectures": architectures} if architectures else {}
        code = _code(request.properties)
        await self.call(request, "UpdateFunctionCode", **self.identity(request), **code, **params)

    @puts(*_CONFIGURATION)
    async def put_configuration(self, request: Request) -> None:
        own = {name: value for name, value in request.properties.items() if name in _CONFIGURATION}
        operation = "UpdateFunctionConfiguration"
        params = shapes.parameters(self.service, operation, own, renamed=self.renamed)
        await self.call(request, operation, **self.identity(request), **params)

    @puts("ReservedConcurrentExecutions")
    async def put_concurrency(self, request: Request) -> None:
        reserved = request.properties.get("ReservedConcurrentExecutions")
        if reserved is None:
            await self.call(request, "DeleteFunctionConcurrency", **self.identity(request))
        else:
            params = {"ReservedConcurrentExecutions": int(reserved)}
            await self.call(request, "PutFunctionConcurrency", **self.identity(request), **params)

    async def put_tags(self, request: Request) -> None:
        named = {"Resource": request.attributes["Arn"]}
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", **named, Tags=found)

    async def describe(self, request: Request) -> Properties | None:
        found = await self.call(request, "GetFunctionConfiguration", **self.identity(request))
        return {**found, "KmsKeyArn": found.get("KMSKeyArn")}


class Permission(ApiType):
    """Who may call a function."""

    name = "AWS::Lambda::Permission"
    service, creation, deletion = "lambda", "AddPermission", "RemovePermission"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"FunctionName": request.properties["FunctionName"], "StatementId": request.id}

    async def make(self, request: Request) -> Resource:
        statement = request.generated_name(longest=100)
        await self.call(request, self.creation, **self.given(request), StatementId=statement)
        return Resource(statement, {"Id": statement})

    async def describe(self, request: Request) -> Properties | None:
        function = request.properties["FunctionName"]
        policy = json.loads((await self.call(request, "GetPolicy", FunctionName=function))["Policy"])
        statements = [each["Sid"] for each in policy["Statement"]]
        return {"FunctionName": function} if request.id in statements else None


def _code(properties: Properties) -> dict[str, Any]:
    """Return a function's code as Lambda takes it: text in the template is zipped under its usual name."""
    code = properties["Code"]
    if "ZipFile" not in code:
        return shapes.parameters("lambda", "UpdateFunctionCode", code)
    name = "index.js" if str(properties.get("Runtime", "")).startswith("nodejs") else "index.py"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), code["ZipFile"])
    return {"ZipFile": content.getvalue()}


TYPES = (Function(), Permission())
