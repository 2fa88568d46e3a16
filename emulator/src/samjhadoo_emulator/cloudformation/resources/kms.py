"""AWS Key Management Service: keys and their aliases."""

from __future__ import annotations

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

_POLICY = "default"
"""The name that every key's policy has."""
WAITING_PERIOD = 30
"""Days until a deleted key's material is gone."""


class KmsKey(ApiType):
    """A key; it is deleted after its waiting period."""

    name = "AWS::KMS::Key"
    service, creation, deletion = "kms", "CreateKey", "ScheduleKeyDeletion"
    renamed: ClassVar = {"KeyPolicy": "Policy"}
    instructions = frozenset({"PendingWindowInDays"})
    fixed = frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"KeyId": request.id}

    def tag_parameter(self, values: dict[str, str]) -> list[dict[str, str]]:
        return _tag_list(values)

    async def make(self, request: Request) -> Resource:
        key = (await self.call(request, self.creation, **self.given(request)))["KeyMetadata"]
        return Resource(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})

    @puts("EnableKeyRotation", "RotationPeriodInDays")
    async def put_rotation(self, request: Request) -> None:
        if request.properties.get("EnableKeyRotation"):
            period = request.properties.get("RotationPeriodInDays")
            params = {"RotationPeriodInDays": int(period)} if period else {}
            await self.call(request, "EnableKeyRotation", KeyId=request.id, **params)
        else:
            await self.call(request, "DisableKeyRotation", KeyId=request.id)

    @puts("Enabled")
    async def put_state(self, request: Request) -> None:
        operation = "EnableKey" if request.properties.get("Enabled", True) else "DisableKey"
        await self.call(request, operation, KeyId=request.id)

    @puts("Description")
    async def put_description(self, request: Request) -> None:
        description = request.properties.get("Description", "")
        await self.call(request, "UpdateKeyDescription", KeyId=request.id, Description=description)

    @puts("BypassPolicyLockoutSafetyCheck", "KeyPolicy")
    async def put_policy(self, request: Request) -> None:
        if policy := request.properties.get("KeyPolicy"):
            await self.call(
                request,
                "PutKeyPolicy",
                KeyId=request.id,
                PolicyName=_POLICY,
                Policy=shapes.as_text(policy),
                BypassPolicyLockoutSafetyCheck=request.properties.get(
                    "BypassPolicyLockoutSafetyCheck", False
                ),
            )

    async def put_tags(self, request: Request) -> None:
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", KeyId=request.id, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", KeyId=request.id, Tags=_tag_list(found))

    async def remove(self, request: Request) -> None:
        days = int(request.properties.get("PendingWindowInDays", WAITING_PERIOD))
        if await self.describe(request) is not None:
            await self.call(request, self.deletion, KeyId=request.id, PendingWindowInDays=days)

    async def describe(self, request: Request) -> Properties | None:
        key = (await self.call(request, "DescribeKey", KeyId=request.id))["KeyMetadata"]
        if key["KeyState"] == "PendingDeletion":
            return None
        policy = await self.call(request, "GetKeyPolicy", KeyId=request.id, PolicyName=_POLICY)
        rotation = await self.call(request, "GetKeyRotationStatus", KeyId=request.id)
        return {
            **key,
            "KeyPolicy": shapes.from_text(policy["Policy"]),
            "EnableKeyRotation": rotation["KeyRotationEnabled"],
        }


class Alias(ApiType):
    """Another name of a key."""

    name = "AWS::KMS::Alias"
    service, creation, modification, deletion = "kms", "CreateAlias", "UpdateAlias", "DeleteAlias"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"AliasName": request.id}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        return Resource(request.properties["AliasName"])

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeKey", KeyId=request.id)
        key, wanted = answer["KeyMetadata"], request.properties["TargetKeyId"]
        same = wanted in (key["KeyId"], key["Arn"])
        return {"AliasName": request.id, "TargetKeyId": wanted if same else key["KeyId"]}


def _tag_list(values: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as KMS has them."""
    return [{"TagKey": key, "TagValue": value} for key, value in values.items()]


TYPES = (KmsKey(), Alias())
