"""Buckets and their policies."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    is_gone,
    puts,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.s3.settings import SETTINGS, Setting
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.api_type import Put
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 63
_WITHOUT_CONSTRAINT = "us-east-1"
"""The region whose buckets name none, and where the same owner may create a bucket again."""
_DASHED = frozenset(
    [
        "ap-northeast-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "eu-west-1",
        "sa-east-1",
        "us-east-1",
        "us-west-1",
        "us-west-2",
    ]
)
"""The oldest regions: a dash comes before them in the addresses of websites."""


def _putter(setting: Setting) -> Put:
    async def put(kind: Bucket, request: Request) -> None:
        value = request.properties.get(setting.name)
        if value is None and setting.deletion:
            await kind.call_if_there(request, setting.deletion, Bucket=request.id)
            return
        wanted = setting.to_api(setting.unset if value is None else value)
        params = shapes.parameters(kind.service, f"Put{setting.operations}", {setting.parameter: wanted})
        await kind.call(request, f"Put{setting.operations}", Bucket=request.id, **params)

    return put


class Bucket(ApiType):
    """A bucket with its settings."""

    name = "AWS::S3::Bucket"
    service, creation, deletion = "s3", "CreateBucket", "DeleteBucket"
    made_with = frozenset({"AccessControl", "BucketName", "ObjectLockEnabled"})
    fixed = frozenset({"ObjectLockEnabled"})
    unsupported = frozenset(
        {
            "AbacStatus",
            "AnalyticsConfigurations",
            "BucketNamePrefix",
            "BucketNamespace",
            "IntelligentTieringConfigurations",
            "InventoryConfigurations",
            "MetadataConfiguration",
            "MetadataTableConfiguration",
            "MetricsConfigurations",
            "ReplicationConfiguration",
        }
    )

    @classmethod
    @cache
    def all_puts(cls) -> tuple[tuple[frozenset[str], Put], ...]:
        settings = tuple((frozenset({each.name}), _putter(each)) for each in SETTINGS)
        return super().all_puts() + settings

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Bucket": request.id}

    async def make(self, request: Request) -> Resource:
        properties = request.properties
        name = properties.get("BucketName") or request.generated_name(longest=LONGEST_NAME, lower=True)
        params: dict[str, Any] = {"Bucket": name}
        if request.region != _WITHOUT_CONSTRAINT:
            params["CreateBucketConfiguration"] = {"LocationConstraint": request.region}
        elif await self.call_if_there(request, "HeadBucket", Bucket=name) is not None:
            raise AwsError("BucketAlreadyOwnedByYou", f"{name} already exists")
        if "AccessControl" in properties:
            params["ACL"] = _canned(properties["AccessControl"])
        if properties.get("ObjectLockEnabled"):
            params["ObjectLockEnabledForBucket"] = True
        # Not checked against the API's model, whose canned access lists lack log-delivery-write.
        await request.aws.call(self.service, self.creation, **params)
        resource = Resource(name, _attributes(request, name))
        request.created(resource)
        if found := tags(request):
            await self.call(request, "PutBucketTagging", Bucket=name, Tagging={"TagSet": tag_list(found)})
        return resource

    @puts("AccessControl")
    async def put_access(self, request: Request) -> None:
        access = _canned(request.properties.get("AccessControl", "Private"))
        await request.aws.call(self.service, "PutBucketAcl", Bucket=request.id, ACL=access)

    async def put_tags(self, request: Request) -> None:
        if found := tags(request):
            tagging = {"TagSet": tag_list(found)}
            await self.call(request, "PutBucketTagging", Bucket=request.id, Tagging=tagging)
        else:
            await self.call(request, "DeleteBucketTagging", Bucket=request.id)

    async def describe(self, request: Request) -> Properties | None:
        await self.call(request, "HeadBucket", Bucket=request.id)
        found: Properties = {"BucketName": request.id}
        for setting in SETTINGS:
            if setting.name in request.properties:
                found[setting.name] = await self._get(request, setting)
        return found

    async def _get(self, request: Request, setting: Setting) -> Any:
        """Return a setting as the template writes it; None if the bucket does not have it."""
        try:
            answer = await self.call(request, f"Get{setting.operations}", Bucket=request.id)
        except AwsError as error:
            if is_gone(error):
                return None
            raise
        answer.pop("ResponseMetadata", None)
        return setting.from_api(answer)


class BucketPolicy(ApiType):
    """The policy of a bucket."""

    name = "AWS::S3::BucketPolicy"
    service, creation, deletion = "s3", "PutBucketPolicy", "DeleteBucketPolicy"
    made_with = frozenset({"PolicyDocument"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Bucket": request.properties["Bucket"]}

    async def make(self, request: Request) -> Resource:
        await self.put_policy(request)
        return Resource(request.properties["Bucket"])

    @puts("PolicyDocument")
    async def put_policy(self, request: Request) -> None:
        text = shapes.as_text(request.properties["PolicyDocument"])
        await self.call(request, self.creation, **self.identity(request), Policy=text)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetBucketPolicy", **self.identity(request))
        return {**self.identity(request), "PolicyDocument": json.loads(answer["Policy"])}


def _canned(access: str) -> str:
    """Return S3's name of a canned access list: `PublicRead` is `public-read`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", access).lower()


def _attributes(request: Request, name: str) -> dict[str, Any]:
    separator = "-" if request.region in _DASHED else "."
    return {
        "Arn": f"arn:{request.partition}:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "DualStackDomainName": f"{name}.s3.dualstack.{request.region}.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{request.region}.amazonaws.com",
        "WebsiteURL": f"http://{name}.s3-website{separator}{request.region}.amazonaws.com",
    }


TYPES = (Bucket(), BucketPolicy())
