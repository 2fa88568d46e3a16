"""Amazon SQS: queues and their policies."""

from __future__ import annotations

import json
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

LONGEST_NAME = 80
_FIFO = ".fifo"
_DOCUMENTS = ("RedriveAllowPolicy", "RedrivePolicy")
_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
"""The attributes that are properties, with what they are in a queue that does not set them."""


class Queue(ApiType):
    """A queue; `Ref` is its URL."""

    name = "AWS::SQS::Queue"
    service, creation, deletion = "sqs", "CreateQueue", "DeleteQueue"
    made_with = frozenset({*_DEFAULTS, "FifoQueue"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"QueueUrl": request.id}

    async def make(self, request: Request) -> Resource:
        fifo = request.properties.get("FifoQueue") is True
        name = request.generated_name(longest=LONGEST_NAME - len(_FIFO)) + (_FIFO if fifo else "")
        params = {"QueueName": name, **self.given(request)}
        params["Attributes"] = _attributes(request.properties) | ({"FifoQueue": "true"} if fifo else {})
        url = (await self.call(request, self.creation, **params))["QueueUrl"]
        request.created(Resource(url, {"QueueUrl": url}))
        answer = await self.call(request, "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        arn = answer["Attributes"]["QueueArn"]
        return Resource(url, {"Arn": arn, "QueueName": params["QueueName"], "QueueUrl": url})

    @puts(*_DEFAULTS)
    async def put_attributes(self, request: Request) -> None:
        wanted, before = _attributes(request.properties), _attributes(request.previous)
        changed = {
            name: wanted.get(name, _DEFAULTS[name])
            for name in wanted.keys() | before.keys()
            if wanted.get(name) != before.get(name)
        }
        await self.call(request, "SetQueueAttributes", QueueUrl=request.id, Attributes=changed)

    async def put_tags(self, request: Request) -> None:
        if removed := removed_tags(request):
            await self.call(request, "UntagQueue", QueueUrl=request.id, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagQueue", QueueUrl=request.id, Tags=found)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetQueueAttributes", QueueUrl=request.id, AttributeNames=["All"])
        found = {name: _value(name, text) for name, text in answer["Attributes"].items() if text}
        return {**found, "QueueName": request.attributes.get("QueueName")}


class QueuePolicy(ApiType):
    """A policy of several queues."""

    name = "AWS::SQS::QueuePolicy"
    service, creation, deletion = "sqs", "SetQueueAttributes", "SetQueueAttributes"
    made_with: ClassVar = frozenset({"PolicyDocument", "Queues"})

    def identity(self, _request: Request) -> dict[str, Any]:
        return {}

    async def make(self, request: Request) -> Resource:
        name = request.generated_name()
        request.created(Resource(name, {"Id": name}))  # from the first of several queues on
        await self.put_policy(request)
        return Resource(name, {"Id": name})

    @puts("PolicyDocument", "Queues")
    async def put_policy(self, request: Request) -> None:
        for queue in request.properties["Queues"]:
            await self._put(request, queue, shapes.as_text(request.properties["PolicyDocument"]))
        for queue in request.previous.get("Queues") or ():
            if queue not in request.properties["Queues"]:
                await self._put(request, queue, "")

    async def _put(self, request: Request, queue: str, policy: str) -> None:
        params = {"QueueUrl": queue, "Attributes": {"Policy": policy}}
        await self.call_if_there(request, self.creation, **params)

    async def remove(self, request: Request) -> None:
        for queue in request.properties["Queues"]:
            await self._put(request, queue, "")

    async def describe(self, request: Request) -> Properties | None:
        queues, document = [], None
        for queue in request.properties["Queues"]:
            params = {"QueueUrl": queue, "AttributeNames": ["Policy"]}
            answer = await self.call_if_there(request, "GetQueueAttributes", **params)
            if text := (answer or {}).get("Attributes", {}).get("Policy"):
                document = json.loads(text)
                queues.append(queue)
        return {"PolicyDocument": document, "Queues": queues} if queues else None


def _attributes(properties: Properties) -> dict[str, str]:
    return {name: shapes.as_text(value) for name, value in properties.items() if name in _DEFAULTS}


def _value(name: str, text: str) -> Any:
    if name in _DOCUMENTS:
        return json.loads(text)
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text


TYPES = (Queue(), QueuePolicy())
