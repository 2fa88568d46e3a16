"""Amazon RDS: database instances, their subnet groups and parameter groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    in_order,
    is_gone,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 63
MOST_PARAMETERS = 20
"""Parameters of a group that one call changes."""
_CREATIONS = {
    "SourceDBInstanceIdentifier": "CreateDBInstanceReadReplica",
    "DBSnapshotIdentifier": "RestoreDBInstanceFromDBSnapshot",
}
"""What creates an instance that has such a property."""
_FAILED = frozenset({"failed", "incompatible-network", "incompatible-parameters", "incompatible-restore"})


class RdsType(ApiType):
    """A resource type of RDS.

    Attributes:
        id_parameter: The parameter, and property, with the resource's name.
        arn_attribute: The attribute with its ARN.
        describing: The operation that describes such resources, and the list in its answer.
    """

    service = "rds"
    id_parameter: ClassVar[str]
    arn_attribute: ClassVar[str]
    describing: ClassVar[tuple[str, str]]

    def identity(self, request: Request) -> dict[str, Any]:
        return {self.id_parameter: request.id}

    def given(self, request: Request) -> dict[str, Any]:
        name = request.generated_name(longest=LONGEST_NAME, lower=True)
        return {self.id_parameter: name, **super().given(request)}

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        made = answer[self.creation.removeprefix("Create")]
        return Resource(made[self.id_parameter], {self.arn_attribute: made[self.arn_attribute]})

    async def put_tags(self, request: Request) -> None:
        named = {"ResourceName": request.attributes[self.arn_attribute]}
        if removed := removed_tags(request):
            await self.call(request, "RemoveTagsFromResource", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "AddTagsToResource", **named, Tags=tag_list(found))

    async def describe(self, request: Request) -> Properties | None:
        operation, member = self.describing
        answer = await self.call(request, operation, **self.identity(request))
        return next(iter(answer[member]), None)


class DbSubnetGroup(RdsType):
    """The subnets that instances may be in."""

    name = "AWS::RDS::DBSubnetGroup"
    creation, modification = "CreateDBSubnetGroup", "ModifyDBSubnetGroup"
    deletion, describing = "DeleteDBSubnetGroup", ("DescribeDBSubnetGroups", "DBSubnetGroups")
    id_parameter, arn_attribute = "DBSubnetGroupName", "DBSubnetGroupArn"

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        both = {"DBSubnetGroupDescription", "SubnetIds"}  # the subnets are required in every change
        return super().modified(request, both) if changed & both else {}

    async def describe(self, request: Request) -> Properties | None:
        if (group := await super().describe(request)) is None:
            return None
        found = [each["SubnetIdentifier"] for each in group["Subnets"]]
        return {**group, "SubnetIds": in_order(found, request.properties["SubnetIds"])}


class DbParameterGroup(RdsType):
    """Parameters of a database engine."""

    name = "AWS::RDS::DBParameterGroup"
    creation, deletion = "CreateDBParameterGroup", "DeleteDBParameterGroup"
    describing = ("DescribeDBParameterGroups", "DBParameterGroups")
    id_parameter, arn_attribute = "DBParameterGroupName", "DBParameterGroupArn"
    renamed: ClassVar = {"Family": "DBParameterGroupFamily"}

    @puts("Parameters")
    async def put_parameters(self, request: Request) -> None:
        wanted, before = (each.get("Parameters") or {} for each in (request.properties, request.previous))
        if removed := sorted(before.keys() - wanted.keys()):
            reset = [{"ParameterName": name, "ApplyMethod": "pending-reboot"} for name in removed]
            await self.call(request, "ResetDBParameterGroup", **self.identity(request), Parameters=reset)
        changed = [(name, value) for name, value in wanted.items() if before.get(name) != value]
        for start in range(0, len(changed), MOST_PARAMETERS):
            parameters = [
                # Static parameters can only change so, and dynamic ones may.
                {
                    "ParameterName": name,
                    "ParameterValue": shapes.as_text(value),
                    "ApplyMethod": "pending-reboot",
                }
                for name, value in changed[start : start + MOST_PARAMETERS]
            ]
            await self.call(
                request, "ModifyDBParameterGroup", **self.identity(request), Parameters=parameters
            )

    async def describe(self, request: Request) -> Properties | None:
        if (group := await super().describe(request)) is None:
            return None
        answer = await self.call(request, "DescribeDBParameters", **self.identity(request), Source="user")
        own = {
            each["ParameterName"]: each["ParameterValue"]
            for each in answer["Parameters"]
            if "ParameterValue" in each
        }
        return {**group, "Family": group["DBParameterGroupFamily"], "Parameters": own}


class DbInstance(RdsType):
    """A database instance: new, a read replica of another, or restored from a snapshot."""

    name = "AWS::RDS::DBInstance"
    creation, modification, deletion = "CreateDBInstance", "ModifyDBInstance", "DeleteDBInstance"
    describing = ("DescribeDBInstances", "DBInstances")
    id_parameter, arn_attribute = "DBInstanceIdentifier", "DBInstanceArn"
    renamed: ClassVar = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
    made_with = frozenset({*_CREATIONS, "MasterUserSecret", "SourceRegion"})
    instructions = frozenset(
        {
            "AllowMajorVersionUpgrade",
            "ApplyImmediately",
            "CertificateRotationRestart",
            "DeleteAutomatedBackups",
            "UseDefaultProcessorFeatures",
        }
    )
    fixed = frozenset({"AvailabilityZone", "DBSnapshotIdentifier"})
    unsupported = frozenset(
        {
            "AdditionalStorageVolumes",
            "AssociatedRoles",
            "AutomaticBackupReplicationKmsKeyId",
            "AutomaticBackupReplicationRegion",
            "AutomaticBackupReplicationRetentionPeriod",
            "BackupTarget",
            "CustomIAMInstanceProfile",
            "DBClusterIdentifier",
            "DBClusterSnapshotIdentifier",
            "DBSecurityGroups",
            "DBSystemId",
            "Domain",
            "DomainAuthSecretArn",
            "DomainDnsIps",
            "DomainFqdn",
            "DomainIAMRoleName",
            "DomainOu",
            "ReplicaMode",
            "RestoreTime",
            "SourceDBClusterIdentifier",
            "SourceDBInstanceAutomatedBackupsArn",
            "SourceDbiResourceId",
            "TdeCredentialArn",
            "TdeCredentialPassword",
            "UseLatestRestorableTime",
        }
    )

    async def make(self, request: Request) -> Resource:
        operation = creation_of(request.properties)
        properties = {
            **request.properties,
            "DBInstanceIdentifier": self.given(request)["DBInstanceIdentifier"],
            "Tags": tag_list(tags(request)),
        }
        params = shapes.parameters(self.service, operation, properties, renamed=self.renamed)
        params |= _secret_key(request.properties)
        made = (await self.call(request, operation, **params))["DBInstance"]
        resource = Resource(made["DBInstanceIdentifier"], _attributes(made))
        if later := self._later(request, operation):
            request.created(resource)
            named = {"DBInstanceIdentifier": resource.id, "ApplyImmediately": True}
            await self.call(request, self.modification, **named, **later)
        return resource

    def _later(self, request: Request, operation: str) -> dict[str, Any]:
        """Return the parameters that a replica or a restored instance gets by a modification."""
        if operation == self.creation:
            return {}
        left = request.properties.keys() - shapes.takes(self.service, operation, self.renamed)
        # It has the version, the engine and the user of its source.
        return self._modification(request, left - {"Engine", "EngineVersion", "AllowMajorVersionUpgrade"})

    async def settle(self, request: Request) -> Resource:
        instance = await wait_until(request, lambda: self._available(request))
        return Resource(request.id, _attributes(instance))

    async def _available(self, request: Request) -> Properties | None:
        instance = await super().describe(request)
        status = instance["DBInstanceStatus"] if instance else "deleted"
        if instance is None or status in _FAILED:
            raise AwsError("NotStabilized", f"DB instance {request.id} is in state {status}")
        return instance if status == "available" else None

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        params = self._modification(request, changed)
        if not params:
            return {}
        how = {name: request.properties[name] for name in self.instructions & request.properties.keys()}
        instructions = shapes.parameters(self.service, self.modification, how)
        return {"ApplyImmediately": True, **instructions, **params}

    def _modification(self, request: Request, changed: set[str]) -> dict[str, Any]:
        params = super().modified(request, changed - self.instructions)
        if "MasterUserSecret" in changed:
            params |= _secret_key(request.properties)
        if "Port" in changed and "Port" in request.properties:
            params["DBPortNumber"] = int(request.properties["Port"])
        if "EnableCloudwatchLogsExports" in changed:
            wanted = request.properties.get("EnableCloudwatchLogsExports") or []
            before = request.previous.get("EnableCloudwatchLogsExports") or []
            params["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": [each for each in wanted if each not in before],
                "DisableLogTypes": [each for each in before if each not in wanted],
            }
        return params

    @puts("SourceDBInstanceIdentifier")
    async def promote(self, request: Request) -> None:
        """Make a read replica whose source the template no longer names an instance of its own."""
        if not request.properties.get("SourceDBInstanceIdentifier"):
            await self.call(request, "PromoteReadReplica", **self.identity(request))

    @classmethod
    def changeable(cls) -> frozenset[str]:
        return super().changeable() | {"EnableCloudwatchLogsExports", "MasterUserSecret", "Port"}

    async def remove(self, request: Request) -> None:
        """Delete the instance, with a last snapshot of it if it shall be kept."""
        params: dict[str, Any] = {"SkipFinalSnapshot": True}
        if request.snapshot and creation_of(request.properties) != _CREATIONS["SourceDBInstanceIdentifier"]:
            name = request.generated_name(longest=LONGEST_NAME, lower=True)
            params = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": f"snapshot-{name}"}
        if "DeleteAutomatedBackups" in request.properties:
            params["DeleteAutomatedBackups"] = request.properties["DeleteAutomatedBackups"]
        await self.call(request, self.deletion, **self.identity(request), **params)
        await wait_until(request, lambda: self._gone(request))

    async def _gone(self, request: Request) -> bool | None:
        try:
            return True if await super().describe(request) is None else None
        except AwsError as error:
            if is_gone(error):
                return True
            raise

    async def describe(self, request: Request) -> Properties | None:
        instance = await super().describe(request)
        return None if instance is None else _as_template(instance)


def creation_of(properties: Properties) -> str:
    """Return the operation that creates an instance with these properties."""
    return next((each for name, each in _CREATIONS.items() if properties.get(name)), DbInstance.creation)


def _secret_key(properties: Properties) -> dict[str, Any]:
    """Return the key of the secret that RDS itself keeps the master password in."""
    key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId")
    return {"MasterUserSecretKmsKeyId": key} if key else {}


def _attributes(instance: Properties) -> dict[str, Any]:
    """Return what `Fn::GetAtt` gives of an instance."""
    endpoint = instance.get("Endpoint", {})
    certificate = instance.get("CertificateDetails", {})
    attributes = {
        "DBInstanceArn": instance["DBInstanceArn"],
        "DBInstanceStatus": instance["DBInstanceStatus"],
        "DbiResourceId": instance.get("DbiResourceId"),
        "Endpoint.Address": endpoint.get("Address"),
        "Endpoint.HostedZoneId": endpoint.get("HostedZoneId"),
        "Endpoint.Port": shapes.as_text(endpoint["Port"]) if "Port" in endpoint else None,
        "MasterUserSecret.SecretArn": instance.get("MasterUserSecret", {}).get("SecretArn"),
        "CertificateDetails.CAIdentifier": certificate.get("CAIdentifier"),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _as_template(instance: Properties) -> Properties:
    """Return an instance's description under the names of the template's properties."""
    groups = instance.get("DBParameterGroups") or [{}]
    options = instance.get("OptionGroupMemberships") or [{}]
    endpoint = instance.get("Endpoint", {})
    shown = {
        **instance,
        "AllocatedStorage": shapes.as_text(instance["AllocatedStorage"]),
        "DBParameterGroupName": groups[0].get("DBParameterGroupName"),
        "DBSubnetGroupName": instance.get("DBSubnetGroup", {}).get("DBSubnetGroupName"),
        "EnableCloudwatchLogsExports": instance.get("EnabledCloudwatchLogsExports"),
        "EnableIAMDatabaseAuthentication": instance.get("IAMDatabaseAuthenticationEnabled"),
        "EnablePerformanceInsights": instance.get("PerformanceInsightsEnabled"),
        "ManageMasterUserPassword": "MasterUserSecret" in instance or None,
        "OptionGroupName": options[0].get("OptionGroupName"),
        "Port": shapes.as_text(endpoint["Port"]) if "Port" in endpoint else None,
        "VPCSecurityGroups": [each["VpcSecurityGroupId"] for each in instance.get("VpcSecurityGroups", ())],
    }
    return {name: value for name, value in shown.items() if value is not None}


TYPES = (DbSubnetGroup(), DbParameterGroup(), DbInstance())
