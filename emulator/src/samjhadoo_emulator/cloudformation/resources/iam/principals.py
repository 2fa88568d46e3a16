"""Roles, users and groups, with what belongs to them: policies, instance profiles, access keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import in_order, puts
from samjhadoo_emulator.cloudformation.resources.iam.iam_type import (
    IamType,
    changes,
    inline,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 64
LONGEST_GROUP = 128


class Principal(IamType):
    """A role, user or group: it may have inline policies and managed ones."""

    def given(self, request: Request) -> dict[str, Any]:
        longest = LONGEST_GROUP if self.thing == "Group" else LONGEST_NAME
        return {self.id_parameter: request.generated_name(longest=longest), **super().given(request)}

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))[self.thing]
        return Resource(made[self.id_parameter], {"Arn": made["Arn"]})

    @puts("ManagedPolicyArns")
    async def put_managed_policies(self, request: Request) -> None:
        added, removed = changes(request, "ManagedPolicyArns")
        for arn in removed:
            await self.call_if_there(
                request, f"Detach{self.thing}Policy", **self.identity(request), PolicyArn=arn
            )
        for arn in added:
            await self.call(request, f"Attach{self.thing}Policy", **self.identity(request), PolicyArn=arn)

    @puts("Policies")
    async def put_inline_policies(self, request: Request) -> None:
        wanted, before = inline(request.properties), inline(request.previous)
        named = self.identity(request)
        for name in before.keys() - wanted.keys():
            await self.call_if_there(request, f"Delete{self.thing}Policy", **named, PolicyName=name)
        for name, document in wanted.items():
            if document != before.get(name):
                text = shapes.as_text(document)
                await self.call(
                    request, f"Put{self.thing}Policy", **named, PolicyName=name, PolicyDocument=text
                )

    async def remove(self, request: Request) -> None:
        """Delete the principal after what the template gave it."""
        await self.take_away(request, "ManagedPolicyArns", f"Detach{self.thing}Policy", "PolicyArn")
        for name in inline(request.properties):
            await self.call_if_there(
                request, f"Delete{self.thing}Policy", **self.identity(request), PolicyName=name
            )
        await super().remove(request)

    async def take_away(self, request: Request, name: str, operation: str, parameter: str) -> None:
        """Call an operation for each value of a list property."""
        for value in request.properties.get(name) or ():
            await self.call_if_there(request, operation, **self.identity(request), **{parameter: value})

    async def policies(self, request: Request) -> Properties:
        """Return all managed policies, and the inline ones that the template names, as properties."""
        named = self.identity(request)
        attached = await self.call(request, f"ListAttached{self.thing}Policies", **named)
        arns = [each["PolicyArn"] for each in attached["AttachedPolicies"]]
        found: Properties = {
            "ManagedPolicyArns": in_order(arns, request.properties.get("ManagedPolicyArns") or [])
        }
        listed = (await self.call(request, f"List{self.thing}Policies", **named))["PolicyNames"]
        found["Policies"] = [
            {
                "PolicyName": name,
                "PolicyDocument": (
                    await self.call(request, f"Get{self.thing}Policy", **named, PolicyName=name)
                )["PolicyDocument"],
            }
            for name in inline(request.properties)
            if name in listed
        ]
        return found

    async def describe(self, request: Request) -> Properties | None:
        found = (await self.call(request, f"Get{self.thing}", **self.identity(request)))[self.thing]
        boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        shown = {"Description": None, **found, "PermissionsBoundary": boundary}
        return {**shown, **await self.policies(request)}


class Role(Principal):
    """A role."""

    name = "AWS::IAM::Role"
    thing, id_parameter = "Role", "RoleName"
    creation, deletion = "CreateRole", "DeleteRole"

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["Role"]
        return Resource(made["RoleName"], {"Arn": made["Arn"], "RoleId": made["RoleId"]})

    @puts("AssumeRolePolicyDocument")
    async def put_trust(self, request: Request) -> None:
        text = shapes.as_text(request.properties["AssumeRolePolicyDocument"])
        await self.call(request, "UpdateAssumeRolePolicy", RoleName=request.id, PolicyDocument=text)

    @puts("Description", "MaxSessionDuration")
    async def put_description(self, request: Request) -> None:
        await self.call(
            request,
            "UpdateRole",
            RoleName=request.id,
            Description=request.properties.get("Description", ""),
            MaxSessionDuration=int(request.properties.get("MaxSessionDuration", 3600)),
        )

    @puts("PermissionsBoundary")
    async def put_boundary(self, request: Request) -> None:
        if boundary := request.properties.get("PermissionsBoundary"):
            await self.call(
                request, "PutRolePermissionsBoundary", RoleName=request.id, PermissionsBoundary=boundary
            )
        else:
            await self.call(request, "DeleteRolePermissionsBoundary", RoleName=request.id)


class User(Principal):
    """A user."""

    name = "AWS::IAM::User"
    thing, id_parameter = "User", "UserName"
    creation, deletion = "CreateUser", "DeleteUser"
    unsupported = frozenset({"LoginProfile"})
    fixed = frozenset({"PermissionsBoundary"})

    @puts("Path")
    async def put_path(self, request: Request) -> None:
        path = request.properties.get("Path", "/")
        await self.call(request, "UpdateUser", UserName=request.id, NewPath=path)

    @puts("Groups")
    async def put_groups(self, request: Request) -> None:
        added, removed = changes(request, "Groups")
        for group in removed:
            await self.call_if_there(request, "RemoveUserFromGroup", UserName=request.id, GroupName=group)
        for group in added:
            await self.call(request, "AddUserToGroup", UserName=request.id, GroupName=group)

    async def remove(self, request: Request) -> None:
        await self.take_away(request, "Groups", "RemoveUserFromGroup", "GroupName")
        await super().remove(request)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "ListGroupsForUser", UserName=request.id)
        groups = [each["GroupName"] for each in answer["Groups"]]
        wanted = request.properties.get("Groups") or []
        return {**(await super().describe(request) or {}), "Groups": in_order(groups, wanted)}


class Group(Principal):
    """A group of users."""

    name = "AWS::IAM::Group"
    thing, id_parameter, tagged = "Group", "GroupName", False
    creation, deletion = "CreateGroup", "DeleteGroup"

    @puts("Path")
    async def put_path(self, request: Request) -> None:
        path = request.properties.get("Path", "/")
        await self.call(request, "UpdateGroup", GroupName=request.id, NewPath=path)


class InstanceProfile(IamType):
    """What gives an EC2 instance a role."""

    name = "AWS::IAM::InstanceProfile"
    thing, id_parameter, tagged = "InstanceProfile", "InstanceProfileName", False
    creation, deletion = "CreateInstanceProfile", "DeleteInstanceProfile"

    def given(self, request: Request) -> dict[str, Any]:
        return {"InstanceProfileName": request.generated_name(), **super().given(request)}

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["InstanceProfile"]
        return Resource(made["InstanceProfileName"], {"Arn": made["Arn"]})

    @puts("Roles")
    async def put_roles(self, request: Request) -> None:
        """Give the profile its role; it can only have one at a time."""
        profile = await self.describe(request)
        existing = profile["Roles"] if profile else []
        for role in existing:
            if role not in request.properties["Roles"]:
                named = self.identity(request)
                await self.call(request, "RemoveRoleFromInstanceProfile", **named, RoleName=role)
        for role in request.properties["Roles"]:
            if role not in existing:
                await self.call(request, "AddRoleToInstanceProfile", **self.identity(request), RoleName=role)

    async def remove(self, request: Request) -> None:
        for role in request.properties.get("Roles") or ():
            named = self.identity(request)
            await self.call_if_there(request, "RemoveRoleFromInstanceProfile", **named, RoleName=role)
        await super().remove(request)

    async def describe(self, request: Request) -> Properties | None:
        found = (await self.call(request, "GetInstanceProfile", **self.identity(request)))["InstanceProfile"]
        return {**found, "Roles": [each["RoleName"] for each in found["Roles"]]}


class AccessKey(IamType):
    """A user's access key; its secret is an attribute."""

    name = "AWS::IAM::AccessKey"
    thing, id_parameter, tagged = "AccessKey", "AccessKeyId", False
    creation, deletion = "CreateAccessKey", "DeleteAccessKey"
    made_with = frozenset({"Serial"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"AccessKeyId": request.id, "UserName": request.properties["UserName"]}

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["AccessKey"]
        return Resource(made["AccessKeyId"], {"SecretAccessKey": made["SecretAccessKey"]})

    @puts("Status")
    async def put_status(self, request: Request) -> None:
        status = request.properties.get("Status", "Active")
        await self.call(request, "UpdateAccessKey", **self.identity(request), Status=status)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "ListAccessKeys", UserName=request.properties["UserName"])
        keys = [each for each in answer["AccessKeyMetadata"] if each["AccessKeyId"] == request.id]
        return keys[0] if keys else None


TYPES = (Role(), User(), Group(), InstanceProfile(), AccessKey())
