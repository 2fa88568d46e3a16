"""Amazon SNS: topics, their policies and subscriptions."""

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
from samjhadoo_emulator.internal import in_region

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 256
_FIFO = ".fifo"
_DOCUMENTS = frozenset({"ArchivePolicy", "DeliveryPolicy", "FilterPolicy", "RedrivePolicy", "ReplayPolicy"})
"""Attributes that are JSON documents."""


class AttributeType(ApiType):
    """A resource type whose properties are attributes, all of them text.

    Attributes:
        attributes: The properties that are attributes.
    """

    service = "sns"
    attributes: ClassVar[frozenset[str]]

    def attribute_values(self, properties: Properties) -> dict[str, str]:
        """Return the attributes among properties."""
        return {name: shapes.as_text(value) for name, value in properties.items() if name in self.attributes}

    async def put_attributes(self, request: Request, operation: str) -> None:
        """Set the attributes that an update changes; those that are no more become empty."""
        wanted, before = (self.attribute_values(each) for each in (request.properties, request.previous))
        for name in sorted(wanted.keys() | before.keys()):
            if wanted.get(name) != before.get(name):
                value = wanted.get(name, "{}" if name in _DOCUMENTS else "")
                params = {"AttributeName": name, "AttributeValue": value}
                await self.call(request, operation, **self.identity(request), **params)


def as_values(found: dict[str, str]) -> Properties:
    """Return attributes as properties: documents as objects, truth values as such."""
    return {name: _as_value(name, text) for name, text in found.items() if text != ""}


def _as_value(name: str, text: str) -> Any:
    if name in _DOCUMENTS:
        return json.loads(text)
    return text == "true" if text in ("true", "false") else text


_TOPIC_ATTRIBUTES = (
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
)
_SUBSCRIPTION_ATTRIBUTES = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
)


class Topic(AttributeType):
    """A topic with subscriptions of its own; `Ref` is its ARN."""

    name = "AWS::SNS::Topic"
    creation, deletion = "CreateTopic", "DeleteTopic"
    renamed: ClassVar = {"TopicName": "Name"}
    attributes = frozenset(_TOPIC_ATTRIBUTES)
    made_with = attributes | {"FifoTopic"}
    unsupported = frozenset({"DataProtectionPolicy", "DeliveryStatusLogging", "MaximumMessageSize"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"TopicArn": request.id}

    async def make(self, request: Request) -> Resource:
        fifo = request.properties.get("FifoTopic") is True
        name = request.generated_name(longest=LONGEST_NAME - len(_FIFO)) + (_FIFO if fifo else "")
        params = {"Name": name, **self.given(request)}
        params["Attributes"] = self.attribute_values(request.properties)
        if fifo:
            params["Attributes"]["FifoTopic"] = "true"
        arn = (await self.call(request, self.creation, **params))["TopicArn"]
        return Resource(arn, {"TopicArn": arn, "TopicName": params["Name"]})

    @puts(*_TOPIC_ATTRIBUTES)
    async def put_own_attributes(self, request: Request) -> None:
        await self.put_attributes(request, "SetTopicAttributes")

    @puts("Subscription")
    async def put_subscriptions(self, request: Request) -> None:
        wanted, before = (
            [(each["Protocol"], each["Endpoint"]) for each in properties.get("Subscription") or ()]
            for properties in (request.properties, request.previous)
        )
        for protocol, endpoint in wanted:
            if (protocol, endpoint) not in before:
                params = {"Protocol": protocol, "Endpoint": endpoint}
                await self.call(request, "Subscribe", TopicArn=request.id, **params)
        removed = [each for each in before if each not in wanted]
        for each in await self._subscriptions(request) if removed else ():
            if (each["Protocol"], each["Endpoint"]) in removed:
                await self.call(request, "Unsubscribe", SubscriptionArn=each["SubscriptionArn"])

    async def _subscriptions(self, request: Request) -> list[dict[str, str]]:
        answer = await self.call(request, "ListSubscriptionsByTopic", TopicArn=request.id)
        found: list[dict[str, str]] = answer["Subscriptions"]
        return found

    async def remove(self, request: Request) -> None:
        """Delete the topic with the subscriptions of its own."""
        own = [(each["Protocol"], each["Endpoint"]) for each in request.properties.get("Subscription") or ()]
        for each in await self._subscriptions(request) if own else ():
            if (each["Protocol"], each["Endpoint"]) in own:
                await self.call(request, "Unsubscribe", SubscriptionArn=each["SubscriptionArn"])
        await super().remove(request)

    async def put_tags(self, request: Request) -> None:
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", ResourceArn=request.id, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", ResourceArn=request.id, Tags=tag_list(found))

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetTopicAttributes", TopicArn=request.id)
        found = as_values(answer["Attributes"])
        if "Subscription" in request.properties:
            wanted = request.properties["Subscription"]
            existing = [
                {"Endpoint": each["Endpoint"], "Protocol": each["Protocol"]}
                for each in await self._subscriptions(request)
            ]
            found["Subscription"] = [each for each in wanted if each in existing]
        return found | {"TopicName": request.id.rpartition(":")[2]}


class TopicPolicy(AttributeType):
    """A policy of several topics."""

    name = "AWS::SNS::TopicPolicy"
    creation, deletion = "SetTopicAttributes", "SetTopicAttributes"
    attributes = frozenset({"Policy"})
    made_with = frozenset({"PolicyDocument", "Topics"})

    def identity(self, _request: Request) -> dict[str, Any]:
        return {}

    async def make(self, request: Request) -> Resource:
        name = request.generated_name()
        request.created(Resource(name, {"Id": name}))  # from the first of several topics on
        await self.put_policy(request)
        return Resource(name, {"Id": name})

    @puts("PolicyDocument", "Topics")
    async def put_policy(self, request: Request) -> None:
        for topic in request.properties["Topics"]:
            await self._put(request, topic, request.properties["PolicyDocument"])
        for topic in request.previous.get("Topics") or ():
            if topic not in request.properties["Topics"]:
                await self._put(request, topic, _default_policy(topic, request.account))

    async def _put(self, request: Request, topic: str, document: Any) -> None:
        value = shapes.as_text(document)
        params = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": value}
        await self.call_if_there(request, self.creation, **params)

    async def remove(self, request: Request) -> None:
        """Give the topics the policy again that topics have from the start."""
        for topic in request.properties["Topics"]:
            await self._put(request, topic, _default_policy(topic, request.account))

    async def describe(self, request: Request) -> Properties | None:
        wanted, topics = request.properties["PolicyDocument"], []
        document = None
        for topic in request.properties["Topics"]:
            answer = await self.call_if_there(request, "GetTopicAttributes", TopicArn=topic)
            document = json.loads((answer or {}).get("Attributes", {}).get("Policy", "null"))
            if document not in (None, _default_policy(topic, request.account)):
                topics.append(topic)
        return {"PolicyDocument": document or wanted, "Topics": topics} if topics else None


class Subscription(AttributeType):
    """A subscription of a topic, which may be in another region; `Ref` is its ARN."""

    name = "AWS::SNS::Subscription"
    creation, deletion = "Subscribe", "Unsubscribe"
    attributes = frozenset(_SUBSCRIPTION_ATTRIBUTES)
    made_with = attributes | {"Region"}
    fixed = frozenset({"Region"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"SubscriptionArn": request.id}

    async def call(self, request: Request, operation: str, /, **params: Any) -> dict[str, Any]:
        aws = in_region(request.aws, request.properties.get("Region", ""))
        return await aws.call(self.service, operation, **params)

    async def make(self, request: Request) -> Resource:
        params = self.given(request)
        params["Attributes"] = self.attribute_values(request.properties)
        answer = await self.call(request, self.creation, **params, ReturnSubscriptionArn=True)
        return Resource(answer["SubscriptionArn"], {"Arn": answer["SubscriptionArn"]})

    @puts(*_SUBSCRIPTION_ATTRIBUTES)
    async def put_own_attributes(self, request: Request) -> None:
        await self.put_attributes(request, "SetSubscriptionAttributes")

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetSubscriptionAttributes", SubscriptionArn=request.id)
        return as_values(answer["Attributes"])


def _default_policy(topic: str, account: str) -> dict[str, Any]:
    """Return the policy that a new topic has: its owner may do everything with it."""
    actions = (
        "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe "
        "ListSubscriptionsByTopic Publish"
    )
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Effect": "Allow",
                "Sid": "__default_statement_ID",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in actions.split()],
                "Resource": topic,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }


TYPES = (Topic(), TopicPolicy(), Subscription())
