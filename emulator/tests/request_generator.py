"""Random and damaged requests over all operations of AWS, made from botocore's models."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import cbor2
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from answer_shapes import live_operations
from samjhadoo_emulator.registry import LIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel, Shape

UPSTREAM = (
    "acm", "apigateway", "athena", "autoscaling", "batch", "cloudformation", "cloudfront",
    "cloudtrail", "cognito-idp", "dynamodb", "ec2", "efs", "elasticache", "elb", "events",
    "firehose", "glue", "iam", "kinesis", "kms", "lambda", "logs", "opensearch", "organizations",
    "rds", "redshift", "resourcegroupstaggingapi", "route53", "s3", "s3control", "sagemaker",
    "scheduler", "secretsmanager", "service-quotas", "servicediscovery", "ses", "sesv2", "sns",
    "sqs", "ssm", "stepfunctions", "sts", "waf", "wafv2", "xray",
)  # fmt: skip
"""Some services that the upstream has, and some that it does not have."""
WORDS = (
    "", "a", "default", "web", "*", "/", "..", "arn:", "ü", "\x00", "a" * 300, "$LATEST", "0", "-1", "true",
    "{", "null",
    "arn:aws:ecs:ap-south-1:000000000000:cluster/default", "service/default/web", "2026-01-01T00:00:00Z",
    "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b", "subnet-1", "ecs", "dynamodb",
)  # fmt: skip
NUMBERS = (0, 1, -1, 5, 60, 65536, 1 << 31, 1 << 63, 10**30, 0.5, 1e300)
ODD = (None, True, 0, -1, 1.5, "", "x", [], [None], {}, {"a": 1}, [[]], 10**30)
DEEP = b'{"a":' * 2000
DAMAGE = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"',
    b"\xff\xfe",
    b"<a>",
    b"\x00" * 64,
    DEEP,
    b"Action",
    b"Action=&Version=",
)
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/ap-south-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)


@dataclass(frozen=True)
class Request:
    """A request as it is sent; `name` says what it was made from."""

    name: str
    method: str = "POST"
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@cache
def model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def requests(seed: int, count: int) -> Iterator[Request]:
    """Yield requests; the same ones for the same seed. Half of them are for what is live."""
    chance = random.Random(seed)
    live = sorted(each for each in live_operations() if each[1] in model(each[0]).operation_names)
    while count > 0:
        service = chance.choice((*LIVE, *UPSTREAM))
        name = chance.choice(model(service).operation_names)
        if chance.random() < 0.5:
            service, name = chance.choice(live)
        operation = model(service).operation_model(name)
        try:
            yield Maker(chance, operation).request()
        except Exception:  # noqa: BLE001 - botocore's serialisers refuse some of what they are given
            continue
        count -= 1


class Maker:
    """Makes one request of an operation."""

    def __init__(self, chance: random.Random, operation: OperationModel) -> None:
        self.chance = chance
        self.operation = operation
        self.odd = chance.choice((0.0, 0.0, 0.1, 0.5))
        """The part of the values that do not have their type."""

    def request(self) -> Request:
        chance, operation = self.chance, self.operation
        service = operation.service_model
        protocol = service.metadata.get("protocol", "json")
        if "protocols" in service.metadata and chance.random() < 0.7:
            protocol = chance.choice(service.metadata["protocols"])
        shape = operation.input_shape
        params = self.value(shape, 0) if shape is not None and chance.random() < 0.85 else {}
        params = params if isinstance(params, dict) else {}
        made = self.serialised(protocol, params)
        headers = {**made["headers"], "Authorization": SIGNED.format(service.signing_name)}
        body, path = made["body"], made["url_path"]
        if isinstance(body, dict):
            body = urlencode(body, doseq=True)
        body = body.encode() if isinstance(body, str) else bytes(body)
        if made["query_string"]:
            path += f"?{urlencode(made['query_string'], doseq=True)}"
        kind = chance.random()
        if kind < 0.12:
            body = chance.choice(DAMAGE)
        elif kind < 0.2 and body:
            place = chance.randrange(len(body))
            body = body[:place] + chance.randbytes(chance.randrange(4)) + body[place + chance.randrange(3) :]
        elif kind < 0.27:
            self.disturb(headers)
        elif kind < 0.3:
            path = f"/{quote(chance.choice(WORDS))}"
        method = made["method"] if kind < 0.97 else chance.choice(("GET", "PUT", "DELETE", "HEAD"))
        text = {name: str(value).encode("ascii", "ignore").decode() for name, value in headers.items()}
        clean = {name: "".join(filter(str.isprintable, value)) for name, value in text.items()}
        name = f"{service.service_name} {operation.name} ({protocol}) {body[:300]!r}"
        return Request(name, method, path, clean, body)

    def serialised(self, protocol: str, params: dict[str, Any]) -> dict[str, Any]:
        made = create_serializer(protocol).serialize_to_request({}, self.operation) if self.odd else None
        if made is None or protocol not in ("json", "smithy-rpc-v2-cbor"):
            return dict(create_serializer(protocol).serialize_to_request(params, self.operation))
        body = json.dumps(params).encode() if protocol == "json" else cbor2.dumps(params)
        return {**made, "body": body}

    def disturb(self, headers: dict[str, str]) -> None:
        change = self.chance.choice(("target", "type", "none", "unsigned", "service", "encoding", "protocol"))
        if change == "target":
            headers["X-Amz-Target"] = self.chance.choice(
                ("", "a", ".", "AmazonEC2ContainerServiceV20141113.X")
            )
        elif change == "type":
            headers["Content-Type"] = self.chance.choice(
                ("", "text/plain", "application/x-www-form-urlencoded")
            )
        elif change == "none":
            headers.clear()
        elif change == "unsigned":
            headers["Authorization"] = self.chance.choice(("", "x", "AWS4-HMAC-SHA256 Credential=a/b/c"))
        elif change == "service":
            headers["Authorization"] = SIGNED.format(self.chance.choice(("nosuch", "", "ecs", "../..", "s3")))
        elif change == "encoding":
            headers["Content-Encoding"] = "gzip"
        else:
            headers["smithy-protocol"] = self.chance.choice(("rpc-v2-cbor", "x"))

    def value(self, shape: Shape, depth: int) -> Any:
        chance, kind = self.chance, shape.type_name
        if self.odd and chance.random() < self.odd / 3:
            return chance.choice(ODD)
        if kind == "structure":
            members = shape.members.items()
            return {
                name: self.value(member, depth + 1)
                for name, member in members
                if chance.random() < (0.9 if name in shape.required_members else 0.4 / (depth + 1))
            }
        if kind == "list":
            return [self.value(shape.member, depth + 1) for _ in range(chance.choice((0, 1, 1, 2)))]
        if kind == "map":
            return {
                str(chance.choice(WORDS)): self.value(shape.value, depth + 1)
                for _ in range(chance.randrange(3))
            }
        if kind in ("integer", "long"):
            return int(chance.choice(NUMBERS))
        if kind in ("float", "double"):
            return float(chance.choice(NUMBERS))
        if kind == "boolean":
            return chance.random() < 0.5
        if kind == "timestamp":
            return chance.choice((0, 1_700_000_000, 1_900_000_000))
        if kind == "blob":
            return chance.choice(("", "YQ==", "no base64"))
        choices = getattr(shape, "enum", None)
        return chance.choice(choices) if choices and chance.random() < 0.9 else chance.choice(WORDS)
