"""RDS's resources are made, changed, read and deleted by its API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.resources.rds import TYPES
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from conftest import Desk, Made

RDS = {kind.name.rpartition("::")[2]: kind for kind in TYPES}


@pytest.fixture(scope="module")
def subnets(desk: Desk) -> list[str]:
    ec2 = desk.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.30.{index}.0/24", AvailabilityZone=f"ap-south-1{zone}")[
            "Subnet"
        ]["SubnetId"]
        for index, zone in enumerate("abc")
    ]


@pytest.fixture
def group(desk: Desk, subnets: list[str]) -> Made:
    return desk.create(
        RDS["DBSubnetGroup"], DBSubnetGroupDescription="private", SubnetIds=subnets[:2], Tags=[]
    )


def postgres(desk: Desk, **more: Any) -> Made:
    properties: dict[str, Any] = {
        "Engine": "postgres",
        "EngineVersion": "14.15",
        "DBInstanceClass": "db.t4g.medium",
        "AllocatedStorage": "100",
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "BackupRetentionPeriod": 7,
        "MasterUsername": "samjhadoo",
        "MasterUserPassword": "not-a-real-one",
        "DBName": "app",
        "MultiAZ": True,
        **more,
    }
    return desk.create(RDS["DBInstance"], **properties)


def test_a_subnet_group_changes_its_subnets_in_place(desk: Desk, group: Made, subnets: list[str]) -> None:
    assert group.id == group.id.lower()
    assert group.id.startswith("samjhadoo-test-resource")
    assert group.drifted() == {}
    group.update(SubnetIds=subnets, Tags=[{"Key": "Owner", "Value": "ops"}])
    assert sorted(group.shows()["SubnetIds"]) == sorted(subnets)
    assert group.calls == ["ModifyDBSubnetGroup", "AddTagsToResource"]
    group.delete()
    assert group.read() is None
    group.delete()


def test_a_parameter_group_has_the_parameters_of_its_template(desk: Desk) -> None:
    made = desk.create(
        RDS["DBParameterGroup"],
        Family="postgres14",
        Description="ours",
        Parameters={"log_statement": "ddl", "rds.force_ssl": 1},
    )
    assert made.shows()["Parameters"] == {"log_statement": "ddl", "rds.force_ssl": "1"}
    made.update(Parameters={"log_statement": "all", "rds.force_ssl": 1})
    assert made.read()["Parameters"]["log_statement"] == "all"
    made.update(Parameters={"log_statement": "all"})
    assert made.read()["Parameters"] == {"log_statement": "all"}
    made.delete()
    assert made.read() is None


def test_an_instance_is_as_its_template_says(desk: Desk, group: Made) -> None:
    made = postgres(desk, DBSubnetGroupName=group.id, PreferredMaintenanceWindow="sun:04:00-sun:05:00")
    assert made.drifted() == {}
    assert made.attributes["Endpoint.Port"] == "5432"
    assert made.attributes["Endpoint.Address"].startswith(made.id)
    assert made.calls == ["CreateDBInstance", "DescribeDBInstances"]
    made.update(DBInstanceClass="db.t4g.large", BackupRetentionPeriod=14, MultiAZ=False)
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_protected_instance_is_not_deleted(desk: Desk) -> None:
    made = postgres(desk, DeletionProtection=True)
    with pytest.raises(AwsError, match="Cannot delete protected DB Instance"):
        made.delete()
    made.update(DeletionProtection=False)
    made.delete()


def test_a_deletion_leaves_a_snapshot_if_the_policy_says_so(desk: Desk) -> None:
    made = postgres(desk)
    made.request = replace(made.request, snapshot=True)
    made.delete()
    snapshots = desk.client("rds").describe_db_snapshots(DBInstanceIdentifier=made.id)["DBSnapshots"]
    assert [each["SnapshotType"] for each in snapshots if each["SnapshotType"] == "manual"] == ["manual"]


def test_a_replica_follows_an_instance_of_another_region_until_it_is_promoted(desk: Desk) -> None:
    own = desk.create(RDS["DBParameterGroup"], Family="postgres14", Description="ours")
    source = postgres(desk, DBParameterGroupName=own.id)
    elsewhere = desk.in_region("eu-west-1")
    replica = elsewhere.create(
        RDS["DBInstance"],
        SourceDBInstanceIdentifier=source.attributes["DBInstanceArn"],
        SourceRegion=desk.emulator.region,
        DBInstanceClass="db.t4g.small",
        StorageType="gp3",
        BackupRetentionPeriod=1,
    )
    rds = elsewhere.client("rds")
    assert replica.drifted() == {}
    found = rds.describe_db_instances(DBInstanceIdentifier=replica.id)["DBInstances"][0]
    assert found["ReadReplicaSourceDBInstanceIdentifier"] == source.attributes["DBInstanceArn"]
    assert found["DBInstanceArn"].startswith("arn:aws:rds:eu-west-1:")
    replica.update(SourceDBInstanceIdentifier=None, SourceRegion=None, Engine="postgres")
    found = rds.describe_db_instances(DBInstanceIdentifier=replica.id)["DBInstances"][0]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in found
    for each in (replica, source, own):
        each.delete()
        assert each.read() is None


def test_a_replica_is_deleted_before_its_source(desk: Desk) -> None:
    source = postgres(desk)
    replica = desk.in_region("us-east-1").create(
        RDS["DBInstance"],
        SourceDBInstanceIdentifier=source.attributes["DBInstanceArn"],
        DBInstanceClass="db.t4g.small",
    )
    replica.request = replace(replica.request, snapshot=True)
    replica.delete()
    assert replica.read() is None
    source.delete()


def test_an_instance_of_a_cluster_is_refused_by_name(desk: Desk) -> None:
    with pytest.raises(AwsError, match="does not support DBClusterIdentifier of AWS::RDS::DBInstance"):
        desk.create(RDS["DBInstance"], DBClusterIdentifier="aurora", Engine="aurora-postgresql")
