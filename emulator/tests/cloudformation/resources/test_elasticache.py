"""ElastiCache's resources are made, changed, read and deleted by its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.cloudformation.resources.elasticache import TYPES
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from conftest import Desk, Made

CACHE = {kind.name.rpartition("::")[2]: kind for kind in TYPES}


@pytest.fixture(scope="module")
def subnets(desk: Desk) -> list[str]:
    ec2 = desk.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.40.{index}.0/24")["Subnet"]["SubnetId"]
        for index in range(3)
    ]


@pytest.fixture
def group(desk: Desk, subnets: list[str]) -> Made:
    return desk.create(CACHE["SubnetGroup"], Description="private", SubnetIds=subnets[:2])


def test_a_subnet_group_changes_in_place_and_goes(group: Made, subnets: list[str]) -> None:
    assert group.drifted() == {}
    group.update(SubnetIds=subnets[1:], Description="ours", Tags=[{"Key": "a", "Value": "b"}])
    assert group.drifted() == {}
    group.delete()
    assert group.read() is None
    group.delete()


def test_a_parameter_group_has_the_parameters_of_its_template(desk: Desk) -> None:
    made = desk.create(
        CACHE["ParameterGroup"],
        CacheParameterGroupFamily="redis7",
        Description="ours",
        Properties={"maxmemory-policy": "allkeys-lru", "timeout": 30},
    )
    assert made.shows()["Properties"] == {"maxmemory-policy": "allkeys-lru", "timeout": "30"}
    made.update(Properties={"maxmemory-policy": "noeviction"})
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_replication_group_is_as_its_template_says(desk: Desk, group: Made) -> None:
    made = desk.create(
        CACHE["ReplicationGroup"],
        ReplicationGroupDescription="sessions",
        Engine="redis",
        CacheNodeType="cache.t4g.small",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        AtRestEncryptionEnabled=True,
        TransitEncryptionEnabled=True,
        CacheSubnetGroupName=group.id,
        AuthToken="a-token-of-sixteen",
        SnapshotRetentionLimit=7,
    )
    assert made.drifted() == {}
    assert made.attributes["PrimaryEndPoint.Address"].startswith("master.")
    assert made.attributes["ReaderEndPoint.Address"].startswith("replica.")
    assert made.attributes["PrimaryEndPoint.Port"] == "6379"
    assert len(made.attributes["ReadEndPoint.AddressesList"]) == 2
    with pytest.raises(AwsError, match="in use"):
        group.delete()
    made.update(SnapshotRetentionLimit=14, SnapshotWindow="03:00-04:00", NumCacheClusters=3)
    assert made.drifted() == {}
    assert len(made.attributes["ReadEndPoint.AddressesList"]) == 3
    made.delete()
    assert made.read() is None
    made.delete()
    group.delete()
