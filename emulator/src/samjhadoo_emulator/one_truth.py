"""Refuses what the upstream would do with resources of live services: it would know of others, or of none.

CloudFormation would create them where nobody finds them, and the tagging API would not find them.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from samjhadoo_emulator import identify, wire
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_emulator.exchange import Exchange
    from samjhadoo_emulator.service import AwsApi

_RESOURCES = {
    "application-autoscaling": ("AWS::ApplicationAutoScaling::", "application-autoscaling"),
    "cloudwatch": ("AWS::CloudWatch::", "cloudwatch"),
    "ecr": ("AWS::ECR::", "ecr"),
    "ecs": ("AWS::ECS::", "ecs"),
    "elbv2": ("AWS::ElasticLoadBalancingV2::", "elasticloadbalancing"),
}
"""What CloudFormation's types of a live service's resources begin with, and the service's name in ARNs."""
_STACK = "AWS::CloudFormation::Stack"
_TEMPLATES = frozenset({"CreateChangeSet", "CreateStack", "CreateStackSet", "UpdateStack", "UpdateStackSet"})
_TAGGING = "resourcegroupstaggingapi"
_HOSTED = re.compile(r"(?P<bucket>[^.].*?)\.s3[.-].*")
DEEPEST = 5
"""Stacks within stacks that are looked into."""


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's YAML; its short functions (`!Ref`) are of no interest here."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


async def check_upstream(exchange: Exchange, live: Collection[str], aws: AwsApi) -> None:
    """Refuse a request for the upstream that is about resources of live services.

    Args:
        live: The names of the live services.
        aws: The AWS API of the request's region.

    Raises:
        AwsError: It names the resources.
    """
    headers, query, address = exchange.headers, exchange.query, exchange.address
    service = identify.service_of(headers, query=query, path=exchange.scope["path"])
    body = wire.plain(headers, exchange.body)
    protocols = wire.protocols(service) if wire.has_service(service) else []
    protocol = address.protocol if address.protocol in protocols else "".join(protocols[:1])
    if body:
        wire.check_numbers(service, address.operation, headers, body, protocol)
    if service == _TAGGING and wire.has_operation(service, address.operation):
        params = wire.parse(
            service, address.operation, method="POST", path="/", headers=headers, body=body, protocol=protocol
        )
        _check_tagging(address.operation, params, live)
    elif address.operation in _TEMPLATES and service in ("cloudformation", ""):
        fields = parse_qs(query) | parse_qs(body.decode(errors="replace"))
        given = {name: values[0] for name, values in fields.items()}
        await _check_template(given, [_RESOURCES[name][0] for name in live], aws, DEEPEST)


async def _check_template(given: dict[str, Any], prefixes: list[str], aws: AwsApi, deepest: int) -> None:
    """Refuse a template with resources whose types begin with one of `prefixes`; nested stacks, too."""
    url = given.get("TemplateURL")
    template = _parsed(str(given.get("TemplateBody") or (await _read(str(url), aws) if url else "")))
    resources = template.get("Resources")
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if isinstance(kind, str) and kind.startswith(tuple(prefixes)):
            raise validation_error(
                f"Resource {name}: CloudFormation does not create {kind} here, as the live service "
                "would not know it. Create it by the service's own API."
            )
        if kind == _STACK and isinstance(nested := resource.get("Properties"), dict):
            if not isinstance(nested.get("TemplateURL"), str) or not deepest:
                raise validation_error(f"Resource {name}: the emulator cannot look into this nested stack.")
            await _check_template(nested, prefixes, aws, deepest - 1)


def _parsed(text: str) -> dict[str, Any]:
    """Return a template, empty if it is none: the upstream refuses it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        try:
            document = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            document = None
    return document if isinstance(document, dict) else {}


async def _read(url: str, aws: AwsApi) -> str:
    """Return a template from S3, whose address names the bucket in its host or in its path."""
    parts = urlsplit(url)
    hosted = _HOSTED.fullmatch(parts.hostname or "")
    bucket, _, key = (f"{hosted['bucket']}{parts.path}" if hosted else parts.path[1:]).partition("/")
    if not bucket or not key:
        raise validation_error(f"TemplateURL must be a supported URL: {url}")
    try:
        answer = await aws.call("s3", "GetObject", Bucket=bucket, Key=unquote(key))
    except AwsError as error:
        raise validation_error(f"S3 error: {error.message}") from error
    content = await asyncio.to_thread(answer["Body"].read)  # it comes through this very loop
    return str(content.decode(errors="replace"))


def _check_tagging(operation: str, params: dict[str, Any], live: Collection[str]) -> None:
    """Refuse a request about tags that may be those of live services: the upstream does not know these."""
    names = {_RESOURCES[name][1] for name in live}
    kinds = [each.partition(":")[0] for each in params.get("ResourceTypeFilters") or ()]
    arns = [name for each in params.get("ResourceARNList") or () for name in each.split(":")[2:3]]
    asked = {*kinds, *arns}
    if names and (names & asked or not asked):
        about = ", ".join(sorted(names & asked or names))
        raise not_implemented(
            f"{operation}: the emulator's tagging API does not know the tags of {about}. "
            "Ask the service itself, or name other resource types."
        )
