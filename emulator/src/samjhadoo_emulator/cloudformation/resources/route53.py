"""Amazon Route 53: hosted zones and the records in them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Final

from samjhadoo_emulator import wire
from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import ApiType, puts
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_ZONE: Final = ("HostedZoneId", "HostedZoneName")
_OF_RECORDS: Final = (
    "AliasTarget", "CidrRoutingConfig", "Failover", "GeoLocation", "GeoProximityLocation", "HealthCheckId",
    "MultiValueAnswer", "Name", "Region", "ResourceRecords", "SetIdentifier", "TTL", "Type", "Weight",
)  # fmt: skip


class Route53Type(ApiType):
    """A resource type of Route 53."""

    service = "route53"


class HostedZone(Route53Type):
    """A zone; `Ref` is its id."""

    name = "AWS::Route53::HostedZone"
    creation, deletion = "CreateHostedZone", "DeleteHostedZone"
    unsupported = frozenset({"HostedZoneFeatures"})
    made_with = frozenset({"HostedZoneConfig"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Id": request.id}

    async def make(self, request: Request) -> Resource:
        params = {**self.given(request), "CallerReference": str(uuid.uuid4())}
        vpcs = request.properties.get("VPCs") or []
        if vpcs:
            params["VPC"] = dict(vpcs[0])
            params["HostedZoneConfig"] = {**params.get("HostedZoneConfig", {}), "PrivateZone": True}
        answer = await self.call(request, self.creation, **params)
        zone = answer["HostedZone"]["Id"].rpartition("/")[2]
        servers = (answer.get("DelegationSet") or {}).get("NameServers") or []
        request.id = zone
        for vpc in vpcs[1:]:
            await self.call(request, "AssociateVPCWithHostedZone", HostedZoneId=zone, VPC=dict(vpc))
        await self.put_tags(request)
        return Resource(zone, {"Id": zone, "NameServers": servers})

    @puts("HostedZoneConfig")
    async def put_comment(self, request: Request) -> None:
        comment = (request.properties.get("HostedZoneConfig") or {}).get("Comment", "")
        await self.call(request, "UpdateHostedZoneComment", **self.identity(request), Comment=comment)

    @puts("QueryLoggingConfig")
    async def put_query_logging(self, request: Request) -> None:
        answer = await self.call(request, "ListQueryLoggingConfigs", HostedZoneId=request.id)
        for each in answer["QueryLoggingConfigs"]:
            await self.call(request, "DeleteQueryLoggingConfig", Id=each["Id"])
        if wanted := request.properties.get("QueryLoggingConfig"):
            await self.call(request, "CreateQueryLoggingConfig", HostedZoneId=request.id, **wanted)

    @puts("VPCs")
    async def put_networks(self, request: Request) -> None:
        """Associate networks that an update adds; a creation has done that already."""
        wanted, before = (each.get("VPCs") or [] for each in (request.properties, request.previous))
        if request.previous:
            for vpc in wanted:
                if vpc not in before:
                    await self.call(request, "AssociateVPCWithHostedZone", HostedZoneId=request.id, VPC=vpc)
        for vpc in before:
            if vpc not in wanted:
                await self.call(request, "DisassociateVPCFromHostedZone", HostedZoneId=request.id, VPC=vpc)

    @puts("HostedZoneTags")
    async def put_zone_tags(self, request: Request) -> None:
        await self.put_tags(request)

    async def put_tags(self, request: Request) -> None:
        wanted, before = (
            tags | {each["Key"]: each["Value"] for each in properties.get("HostedZoneTags") or ()}
            for tags, properties in (
                (request.tags, request.properties),
                (request.previous_tags, request.previous),
            )
        )
        params: dict[str, Any] = {}
        if wanted:
            params["AddTags"] = [{"Key": key, "Value": value} for key, value in wanted.items()]
        if removed := sorted(before.keys() - wanted.keys()):
            params["RemoveTagKeys"] = removed
        if params:
            named = {"ResourceType": "hostedzone", "ResourceId": request.id}
            await self.call(request, "ChangeTagsForResource", **named, **params)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetHostedZone", **self.identity(request))
        zone = answer["HostedZone"]
        shown = {**zone, "HostedZoneConfig": zone.get("Config") or {}, "VPCs": answer.get("VPCs") or []}
        found = in_schema(self.name, shown)
        if _same_name(found["Name"], request.properties.get("Name", "")):
            found["Name"] = request.properties["Name"]
        return found


class RecordsType(Route53Type):
    """A type of records; changes of all of them are one batch."""

    creation, deletion = "ChangeResourceRecordSets", "ChangeResourceRecordSets"

    def identity(self, request: Request) -> dict[str, Any]:
        """Return the parameter that names the zone, which is not known yet if the template names it."""
        return {name: value for name, value in request.properties.items() if name == "HostedZoneId"}

    def records(self, properties: Properties) -> list[dict[str, Any]]:
        """Return the records in properties, as the API takes them."""
        raise NotImplementedError

    async def change(self, request: Request, *changes: tuple[str, list[dict[str, Any]]]) -> None:
        """Perform actions with records, all or none of them."""
        batch: dict[str, Any] = {
            "Changes": [
                {"Action": action, "ResourceRecordSet": each}
                for action, records in changes
                for each in records
            ]
        }
        if comment := request.properties.get("Comment"):
            batch["Comment"] = comment
        zone = await self.zone(request)
        await self.call(request, self.creation, HostedZoneId=zone, ChangeBatch=batch)

    async def zone(self, request: Request) -> str:
        """Return the id of the zone that the records are in, which a template may name instead."""
        given = request.properties
        if "HostedZoneId" in given:
            return str(given["HostedZoneId"])
        name = given.get("HostedZoneName", "")
        answer = await self.call(request, "ListHostedZonesByName", DNSName=name)
        found = [
            each["Id"].rpartition("/")[2] for each in answer["HostedZones"] if _same_name(each["Name"], name)
        ]
        if len(found) != 1:
            raise AwsError("NoSuchHostedZone", f"Found {len(found)} hosted zones with the name {name}")
        return str(found[0])

    async def create_records(self, request: Request) -> None:
        """Create the records; none of them may exist."""
        if taken := await self.existing(request):
            name, kind = taken[0]["Name"], taken[0]["Type"]
            raise AwsError(
                "InvalidChangeBatch",
                f"[Tried to create resource record set [name='{name}', type='{kind}'] but it already exists]",
            )
        await self.change(request, ("CREATE", self.records(request.properties)))

    async def put_records(self, request: Request) -> None:
        """Change records to those that an update wants."""
        wanted, before = self.records(request.properties), self.records(request.previous)
        named = [_key(each) for each in wanted]
        gone = [each for each in before if _key(each) not in named]
        await self.change(request, ("DELETE", gone), ("UPSERT", wanted))

    async def remove(self, request: Request) -> None:
        """Delete those of the records that are there."""
        if there := await self.existing(request):
            await self.change(request, ("DELETE", there))

    async def existing(self, request: Request) -> list[dict[str, Any]]:
        """Return the records as they are now."""
        zone, found = await self.zone(request), []
        for wanted in self.records(request.properties):
            start = {"StartRecordName": wanted["Name"], "StartRecordType": wanted["Type"]}
            answer = await self.call(request, "ListResourceRecordSets", HostedZoneId=zone, **start)
            found += [each for each in answer["ResourceRecordSets"] if _key(each) == _key(wanted)]
        return found


class RecordSet(RecordsType):
    """Records of one name and type; `Ref` is the name."""

    name = "AWS::Route53::RecordSet"
    made_with = frozenset({*_OF_RECORDS, *_ZONE, "Comment"})
    instructions: ClassVar = frozenset({"Comment"})

    def records(self, properties: Properties) -> list[dict[str, Any]]:
        return [_record(properties)] if properties else []

    async def make(self, request: Request) -> Resource:
        await self.create_records(request)
        return Resource(request.properties["Name"])

    @puts(*_OF_RECORDS)
    async def put_own_records(self, request: Request) -> None:
        await self.put_records(request)

    async def settle(self, request: Request) -> Resource:
        return Resource(request.properties["Name"])

    async def describe(self, request: Request) -> Properties | None:
        found = await self.existing(request)
        if not found:
            return None
        shown = _shown(self.name, found[0])
        return shown | {"Name": request.properties["Name"], "HostedZoneId": await self.zone(request)}


class RecordSetGroup(RecordsType):
    """Records of several names in one zone."""

    name = "AWS::Route53::RecordSetGroup"
    made_with = frozenset({*_ZONE, "Comment", "RecordSets"})
    instructions: ClassVar = frozenset({"Comment"})

    def records(self, properties: Properties) -> list[dict[str, Any]]:
        return [_record(each) for each in properties.get("RecordSets") or ()]

    async def make(self, request: Request) -> Resource:
        await self.create_records(request)
        name = request.generated_name()
        return Resource(name, {"Id": name})

    @puts("RecordSets")
    async def put_own_records(self, request: Request) -> None:
        await self.put_records(request)

    async def describe(self, request: Request) -> Properties | None:
        found = {_key(each): each for each in await self.existing(request)}
        shown = [
            _shown(RecordSet.name, found[key]) | {"Name": each["Name"]}
            for each in request.properties.get("RecordSets") or ()
            if (key := _key(each)) in found
        ]
        return {"RecordSets": shown, "HostedZoneId": await self.zone(request)} if shown else None


def _record(properties: Properties) -> dict[str, Any]:
    """Return a record of a template as the API's ResourceRecordSet."""
    own = {name: properties[name] for name in _OF_RECORDS if name in properties}
    if "ResourceRecords" in own:
        own["ResourceRecords"] = [{"Value": each} for each in own["ResourceRecords"]]
    if "AliasTarget" in own:
        own["AliasTarget"] = {"EvaluateTargetHealth": False, **own["AliasTarget"]}
    batch = wire.operation_model("route53", "ChangeResourceRecordSets").input_shape.members["ChangeBatch"]
    shape = batch.members["Changes"].member.members["ResourceRecordSet"]
    fitted: dict[str, Any] = shapes.fit(own, shape, "RecordSet")
    return fitted


def _shown(type_name: str, record: dict[str, Any]) -> Properties:
    """Return a ResourceRecordSet in the template's form."""
    values = [each["Value"] for each in record.get("ResourceRecords") or ()]
    return in_schema(type_name, {**record, "ResourceRecords": values} if values else record)


def _key(record: dict[str, Any]) -> tuple[str, str, str]:
    """Return what distinguishes a record from others in its zone."""
    return (_plain(record["Name"]), record["Type"], record.get("SetIdentifier", ""))


def _same_name(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return name.removesuffix(".").lower().replace("\\052", "*")


TYPES = (HostedZone(), RecordSet(), RecordSetGroup())
