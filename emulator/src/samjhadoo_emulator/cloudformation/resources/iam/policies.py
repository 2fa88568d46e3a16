"""Policies that are resources of their own: inline ones of principals, and managed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import in_order, puts
from samjhadoo_emulator.cloudformation.resources.iam.iam_type import (
    IamType,
    changes,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

PRINCIPALS = {"Groups": "Group", "Roles": "Role", "Users": "User"}
"""The properties that name principals, and what IAM calls each of these."""
MOST_VERSIONS = 5


class InlinePolicy(IamType):
    """An inline policy of several principals."""

    name = "AWS::IAM::Policy"
    thing, id_parameter, tagged = "Policy", "PolicyName", False
    creation, deletion = "PutRolePolicy", "DeleteRolePolicy"
    made_with = frozenset({"Groups", "Roles", "Users", "PolicyDocument", "PolicyName"})

    async def make(self, request: Request) -> Resource:
        name = request.generated_name(longest=128)
        request.created(Resource(name, {"Id": name}))  # from the first of several principals on
        await self._put(request, {})
        return Resource(name, {"Id": name})

    @puts("Groups", "PolicyDocument", "PolicyName", "Roles", "Users")
    async def put_policy(self, request: Request) -> None:
        """Put the policy where it shall be, then delete it where it was and is not any more."""
        await self._put(request, request.previous)
        wanted = _places(request.properties)
        await self._delete(request, [each for each in _places(request.previous) if each not in wanted])

    async def _put(self, request: Request, previous: Properties) -> None:
        text = shapes.as_text(request.properties["PolicyDocument"])
        same = request.properties["PolicyDocument"] == previous.get("PolicyDocument")
        already = _places(previous) if same else []
        for kind, principal, name in _places(request.properties):
            if (kind, principal, name) not in already:
                params = {f"{kind}Name": principal, "PolicyName": name, "PolicyDocument": text}
                await self.call(request, f"Put{kind}Policy", **params)

    async def _delete(self, request: Request, places: list[tuple[str, str, str]]) -> None:
        for kind, principal, name in places:
            params = {f"{kind}Name": principal, "PolicyName": name}
            await self.call_if_there(request, f"Delete{kind}Policy", **params)

    async def remove(self, request: Request) -> None:
        await self._delete(request, _places(request.properties))

    async def describe(self, request: Request) -> Properties | None:
        found: Properties = {}
        for kind, principal, name in _places(request.properties):
            params = {f"{kind}Name": principal, "PolicyName": name}
            answer = await self.call_if_there(request, f"Get{kind}Policy", **params)
            if answer is None:
                continue
            found |= {"PolicyName": name, "PolicyDocument": answer["PolicyDocument"]}
            found.setdefault(f"{kind}s", []).append(principal)
        return found or None


class RolePolicy(IamType):
    """An inline policy of one role."""

    name = "AWS::IAM::RolePolicy"
    thing, id_parameter, tagged = "Policy", "PolicyName", False
    creation, deletion = "PutRolePolicy", "DeleteRolePolicy"

    def identity(self, request: Request) -> dict[str, Any]:
        return {name: request.properties[name] for name in ("PolicyName", "RoleName")}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        return Resource("{PolicyName}|{RoleName}".format_map(request.properties))

    @puts("PolicyDocument")
    async def put_document(self, request: Request) -> None:
        await self.call(request, self.creation, **self.given(request))

    async def describe(self, request: Request) -> Properties | None:
        return await self.call(request, "GetRolePolicy", **self.identity(request))


class ManagedPolicy(IamType):
    """A managed policy, with the principals that it is attached to; `Ref` is its ARN."""

    name = "AWS::IAM::ManagedPolicy"
    thing, id_parameter, tagged = "Policy", "PolicyArn", False
    creation, deletion = "CreatePolicy", "DeletePolicy"
    renamed: ClassVar = {"ManagedPolicyName": "PolicyName"}

    async def make(self, request: Request) -> Resource:
        params = {"PolicyName": request.generated_name(longest=128), **self.given(request)}
        made = (await self.call(request, self.creation, **params))["Policy"]
        return Resource(made["Arn"], {"PolicyArn": made["Arn"], "PolicyId": made["PolicyId"]})

    @puts("PolicyDocument")
    async def put_document(self, request: Request) -> None:
        """Make another version the default one; the oldest makes room for it."""
        versions = (await self.call(request, "ListPolicyVersions", PolicyArn=request.id))["Versions"]
        others = [each["VersionId"] for each in versions if not each["IsDefaultVersion"]]
        if len(versions) >= MOST_VERSIONS:
            oldest = min(others, key=lambda version: int(version[1:]))
            await self.call(request, "DeletePolicyVersion", PolicyArn=request.id, VersionId=oldest)
        text = shapes.as_text(request.properties["PolicyDocument"])
        await self.call(
            request, "CreatePolicyVersion", PolicyArn=request.id, PolicyDocument=text, SetAsDefault=True
        )

    @puts(*PRINCIPALS)
    async def put_principals(self, request: Request) -> None:
        for name, kind in PRINCIPALS.items():
            added, removed = changes(request, name)
            for principal in removed:
                await self._detach(request, kind, principal)
            for principal in added:
                params = {f"{kind}Name": principal, "PolicyArn": request.id}
                await self.call(request, f"Attach{kind}Policy", **params)

    async def _detach(self, request: Request, kind: str, principal: str) -> None:
        params = {f"{kind}Name": principal, "PolicyArn": request.id}
        await self.call_if_there(request, f"Detach{kind}Policy", **params)

    async def remove(self, request: Request) -> None:
        for name, kind in PRINCIPALS.items():
            for principal in request.properties.get(name) or ():
                await self._detach(request, kind, principal)
        versions = (await self.call(request, "ListPolicyVersions", PolicyArn=request.id))["Versions"]
        for each in versions:
            if not each["IsDefaultVersion"]:
                named = {"PolicyArn": request.id, "VersionId": each["VersionId"]}
                await self.call(request, "DeletePolicyVersion", **named)
        await super().remove(request)

    async def describe(self, request: Request) -> Properties | None:
        policy = (await self.call(request, "GetPolicy", PolicyArn=request.id))["Policy"]
        version = await self.call(
            request, "GetPolicyVersion", PolicyArn=request.id, VersionId=policy["DefaultVersionId"]
        )
        attached = await self.call(request, "ListEntitiesForPolicy", PolicyArn=request.id)
        found = {
            name: in_order(
                [each[f"{kind}Name"] for each in attached[f"Policy{name}"]],
                request.properties.get(name) or [],
            )
            for name, kind in PRINCIPALS.items()
        }
        document = version["PolicyVersion"]["Document"]
        named = {"ManagedPolicyName": policy["PolicyName"], "PolicyDocument": document}
        return {**policy, **named, **found}


def _places(properties: Properties) -> list[tuple[str, str, str]]:
    """Return where an inline policy is: the kind of each principal, its name, and the policy's."""
    return [
        (kind, principal, properties["PolicyName"])
        for name, kind in PRINCIPALS.items()
        for principal in properties.get(name) or ()
    ]


TYPES = (InlinePolicy(), RolePolicy(), ManagedPolicy())
