"""Listeners, their rules and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import paths
from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.elbv2.elbv2_type import Elbv2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_ACTIONS = frozenset({"forward", "redirect", "fixed-response"})


class RoutingType(Elbv2Type):
    """A type with actions. A change is sent with all other properties, as AWS does: weights, too, are the
    template's again.
    """

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for member in ("Actions", "DefaultActions"):
            for kind in paths.values(properties, f"{member}.*.Type"):
                if isinstance(kind, str) and kind not in _ACTIONS:
                    words = f"The emulator does not support {member}.Type {kind} of {self.name}."
                    raise not_implemented(words)

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        sent = set(request.properties) - self.put_separately()
        return super().modified(request, sent) if changed - {"Tags"} else {}


class Elbv2Listener(RoutingType):
    """A listener; `Ref` is its ARN."""

    name = "AWS::ElasticLoadBalancingV2::Listener"
    creation, modification, deletion = "CreateListener", "ModifyListener", "DeleteListener"
    arn_parameter = "ListenerArn"
    attributes_property = "ListenerAttributes"
    served: ClassVar = {"Protocol": frozenset({"HTTP", "HTTPS"})}
    unsupported = frozenset({"AlpnPolicy", "MutualAuthentication"})

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["Listeners"][0]
        return Resource(made["ListenerArn"], {"ListenerArn": made["ListenerArn"]})

    @puts("ListenerAttributes")
    async def put_own_attributes(self, request: Request) -> None:
        await self.put_attributes(request)

    async def describe(self, request: Request) -> Properties | None:
        found = (await self.call(request, "DescribeListeners", ListenerArns=[request.id]))["Listeners"][0]
        return {**in_schema(self.name, found), **await self.attributes_of(request)}


class ListenerRule(RoutingType):
    """A rule of a listener; `Ref` is its ARN. Where ECS changes the weights, `read` returns the live ones."""

    name = "AWS::ElasticLoadBalancingV2::ListenerRule"
    creation, modification, deletion = "CreateRule", "ModifyRule", "DeleteRule"
    arn_parameter = "RuleArn"
    unsupported = frozenset({"Transforms"})

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["Rules"][0]
        return Resource(made["RuleArn"], {"RuleArn": made["RuleArn"], "IsDefault": made["IsDefault"]})

    @puts("Priority")
    async def put_priority(self, request: Request) -> None:
        wanted = {"RuleArn": request.id, "Priority": int(request.properties["Priority"])}
        await self.call(request, "SetRulePriorities", RulePriorities=[wanted])

    async def describe(self, request: Request) -> Properties | None:
        found = (await self.call(request, "DescribeRules", RuleArns=[request.id]))["Rules"][0]
        shown = in_schema(self.name, found) | {"Priority": int(found["Priority"])}
        return shown | {"Actions": in_order(shown["Actions"], request.properties.get("Actions") or [])}


def in_order(actions: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return actions with their target groups in the order of a template: for ELBv2 it means nothing."""
    arns = [
        group.get("TargetGroupArn")
        for action in wanted
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    ]
    places = {arn: place for place, arn in enumerate(arns)}
    ordered = []
    for action in actions:
        config = action.get("ForwardConfig") or {}
        groups = sorted(
            config.get("TargetGroups") or (),
            key=lambda group: places.get(group["TargetGroupArn"], len(places)),
        )
        ordered.append({**action, "ForwardConfig": {**config, "TargetGroups": groups}} if groups else action)
    return ordered


class ListenerCertificate(Elbv2Type):
    """Certificates that a listener has besides its default one."""

    name = "AWS::ElasticLoadBalancingV2::ListenerCertificate"
    creation, deletion = "AddListenerCertificates", "RemoveListenerCertificates"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"ListenerArn": request.properties["ListenerArn"]}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        name = request.generated_name()
        return Resource(name, {"Id": name})

    @puts("Certificates")
    async def put_certificates(self, request: Request) -> None:
        wanted, before = (each.get("Certificates") or [] for each in (request.properties, request.previous))
        if added := [each for each in wanted if each not in before]:
            await self.call(request, self.creation, **self.identity(request), Certificates=added)
        if removed := [each for each in before if each not in wanted]:
            await self.call(request, self.deletion, **self.identity(request), Certificates=removed)

    async def remove(self, request: Request) -> None:
        params = {"Certificates": request.properties["Certificates"]}
        await self.call(request, self.deletion, **self.identity(request), **params)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeListenerCertificates", **self.identity(request))
        there = {each["CertificateArn"] for each in answer["Certificates"] if not each["IsDefault"]}
        kept = [each for each in request.properties["Certificates"] if each["CertificateArn"] in there]
        return {"ListenerArn": request.properties["ListenerArn"], "Certificates": kept} if kept else None


TYPES = (Elbv2Listener(), ListenerRule(), ListenerCertificate())
