"""AWS Secrets Manager: secrets, their policies, and what they say of the databases they are for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import AwsError, not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_INSTANCE = "AWS::RDS::DBInstance"
_CONNECTION = ("dbInstanceIdentifier", "dbname", "engine", "host", "port")
"""What an attachment adds to a secret."""


class Secret(ApiType):
    """A secret, whose value is given or generated; `Ref` is its ARN."""

    name = "AWS::SecretsManager::Secret"
    service, creation, modification = "secretsmanager", "CreateSecret", "UpdateSecret"
    deletion = "DeleteSecret"
    renamed: ClassVar = {"ReplicaRegions": "AddReplicaRegions"}
    made_with = frozenset({"GenerateSecretString"})
    unsupported = frozenset({"Type"})
    defaults: ClassVar = {"Description": ""}

    def identity(self, request: Request) -> dict[str, Any]:
        return {"SecretId": request.id}

    async def make(self, request: Request) -> Resource:
        params = {"Name": request.generated_name(), **self.given(request)}
        if "GenerateSecretString" in request.properties:
            params["SecretString"] = await self._generated(request)
        arn = (await self.call(request, self.creation, **params))["ARN"]
        return Resource(arn, {"Id": arn})

    async def _generated(self, request: Request) -> str:
        """Return a generated value: a password, alone or in an object with other members."""
        wanted = dict(request.properties["GenerateSecretString"])
        template, key = wanted.pop("SecretStringTemplate", None), wanted.pop("GenerateStringKey", None)
        params = shapes.parameters(self.service, "GetRandomPassword", wanted)
        password = (await self.call(request, "GetRandomPassword", **params))["RandomPassword"]
        if template is None:
            return str(password)
        try:
            return json.dumps({**json.loads(template), key: password})
        except (TypeError, ValueError):
            raise AwsError(
                "InvalidRequest", "Could not parse SecretStringTemplate JSON: it must be a JSON object."
            ) from None

    @puts("GenerateSecretString")
    async def put_generated(self, request: Request) -> None:
        """Generate another value, as the way in which it is generated changes."""
        if "GenerateSecretString" in request.properties:
            await self.call(
                request, "PutSecretValue", SecretId=request.id, SecretString=await self._generated(request)
            )

    @puts("ReplicaRegions")
    async def put_replicas(self, request: Request) -> None:
        wanted, before = (
            {each["Region"]: each for each in properties.get("ReplicaRegions") or ()}
            for properties in (request.properties, request.previous)
        )
        if added := [each for region, each in wanted.items() if each != before.get(region)]:
            await self.call(request, "ReplicateSecretToRegions", SecretId=request.id, AddReplicaRegions=added)
        if removed := sorted(before.keys() - wanted.keys()):
            await self.call(
                request, "RemoveRegionsFromReplication", SecretId=request.id, RemoveReplicaRegions=removed
            )

    async def put_tags(self, request: Request) -> None:
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", SecretId=request.id, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", SecretId=request.id, Tags=tag_list(found))

    async def remove(self, request: Request) -> None:
        """Delete the secret at once, as CloudFormation does: its name is free again."""
        await self.call(request, self.deletion, SecretId=request.id, ForceDeleteWithoutRecovery=True)

    async def describe(self, request: Request) -> Properties | None:
        secret = await self.call(request, "DescribeSecret", SecretId=request.id)
        return None if secret.get("DeletedDate") else secret


class SecretTargetAttachment(ApiType):
    """What completes a database's secret: where the database is."""

    name = "AWS::SecretsManager::SecretTargetAttachment"
    service, creation, deletion = "secretsmanager", "PutSecretValue", "PutSecretValue"
    made_with = frozenset({"TargetId", "TargetType"})

    def check(self, properties: Properties) -> None:
        super().check(properties)
        kind = properties.get("TargetType")
        if isinstance(kind, str) and kind != _INSTANCE:
            raise not_implemented(f"The emulator does not support TargetType {kind} of {self.name}.")

    def identity(self, request: Request) -> dict[str, Any]:
        return {"SecretId": request.properties["SecretId"]}

    async def make(self, request: Request) -> Resource:
        await self.put_target(request)
        return Resource(request.properties["SecretId"], {"Id": request.properties["SecretId"]})

    @puts("TargetId", "TargetType")
    async def put_target(self, request: Request) -> None:
        answer = await request.aws.call(
            "rds", "DescribeDBInstances", DBInstanceIdentifier=request.properties["TargetId"]
        )
        instance = answer["DBInstances"][0]
        endpoint = instance["Endpoint"]
        connection = {
            "engine": instance["Engine"],
            "host": endpoint["Address"],
            "port": endpoint["Port"],
            "dbInstanceIdentifier": instance["DBInstanceIdentifier"],
        }
        if instance.get("DBName"):
            connection["dbname"] = instance["DBName"]
        await self._put(request, {**_without_connection(await self._value(request)), **connection})

    async def remove(self, request: Request) -> None:
        """Take from the secret what the attachment added."""
        await self._put(request, _without_connection(await self._value(request)))

    async def _value(self, request: Request) -> dict[str, Any]:
        answer = await self.call(request, "GetSecretValue", **self.identity(request))
        try:
            value = json.loads(answer["SecretString"])
        except (KeyError, ValueError):
            value = None
        if not isinstance(value, dict):
            raise AwsError("InvalidRequest", "The secret's value must be a JSON object to have a target.")
        return value

    async def _put(self, request: Request, value: dict[str, Any]) -> None:
        await self.call(request, self.creation, **self.identity(request), SecretString=json.dumps(value))

    async def describe(self, request: Request) -> Properties | None:
        value = await self._value(request)
        if not value.get("dbInstanceIdentifier"):
            return None
        return {"TargetId": value["dbInstanceIdentifier"], "TargetType": _INSTANCE, **_secret(request)}


class ResourcePolicy(ApiType):
    """The policy of a secret."""

    name = "AWS::SecretsManager::ResourcePolicy"
    service, creation, deletion = "secretsmanager", "PutResourcePolicy", "DeleteResourcePolicy"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"SecretId": request.properties["SecretId"]}

    async def make(self, request: Request) -> Resource:
        await self.put_policy(request)
        return Resource(request.properties["SecretId"], {"Id": request.properties["SecretId"]})

    @puts("BlockPublicPolicy", "ResourcePolicy")
    async def put_policy(self, request: Request) -> None:
        await self.call(request, self.creation, **self.given(request))

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetResourcePolicy", **self.identity(request))
        text = answer.get("ResourcePolicy")
        return {"ResourcePolicy": shapes.from_text(text), **_secret(request)} if text else None


def _secret(request: Request) -> Properties:
    return {"SecretId": request.properties["SecretId"]}


def _without_connection(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in _CONNECTION}


TYPES = (Secret(), SecretTargetAttachment(), ResourcePolicy())
