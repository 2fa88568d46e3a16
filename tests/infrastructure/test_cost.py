from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.infrastructure.cost import estimate, price, prices

if TYPE_CHECKING:
    from conftest import StackProject


@pytest.mark.parametrize(
    ("kind", "properties", "dollars"),
    [
        ("AWS::EC2::NatGateway", {}, 0.056 * 730),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"}, 0),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}, 2 * 0.013 * 730),
        (
            "AWS::RDS::DBInstance",
            {"DBInstanceClass": "db.r6g.large", "AllocatedStorage": "100", "MultiAZ": "true"},
            2 * (0.295 * 730 + 13.1),
        ),
        ("AWS::RDS::DBInstance", {"DBInstanceClass": "db.unknown"}, None),
        ("AWS::CloudWatch::Alarm", {}, 0.1),
    ],
)
def test_a_resource_costs_what_the_table_says(
    kind: str, properties: dict[str, Any], dollars: float | None
) -> None:
    assert price(prices()[kind], properties, hours=730) == (
        None if dollars is None else pytest.approx(dollars)
    )


TEMPLATE = """
Parameters: {Class: {Type: String}, MultiAz: {Type: String}}
Metadata: {Settings: {Class: database.instance, MultiAz: infrastructure.multi_az}}
Conditions: {Both: !Equals [!Ref MultiAz, "true"], One: !Not [!Condition Both]}
Resources:
  Database: {Type: AWS::RDS::DBInstance, Properties: {DBInstanceClass: !Ref Class, AllocatedStorage: 500}}
  Nat: {Type: AWS::EC2::NatGateway, Condition: Both}
  OnlyOne: {Type: AWS::EC2::NatGateway, Condition: One}
  Cache:
    Type: AWS::ElastiCache::ReplicationGroup
    Properties: {CacheNodeType: cache.t4g.micro, NumCacheClusters: !If [Both, 2, 1]}
"""


def test_an_environment_costs_what_its_templates_make_and_its_tasks(project: StackProject) -> None:
    project.template("data", TEMPLATE)
    stacks = project.stacks("data")
    found = {cost.title: cost.dollars for cost in estimate(project.load(), stacks).costs}
    assert found == {
        "4 tasks of samjhadoo-service": pytest.approx(4 * 730 * (4 * 0.04256 + 16 * 0.00445)),
        "RDS DBInstance": pytest.approx(0.59 * 730 + 500 * 0.131),
        "EC2 NatGateway": pytest.approx(0.056 * 730),
        "ElastiCache ReplicationGroup": pytest.approx(2 * 0.0205 * 730),
    }


def test_the_estimate_names_its_date_and_what_it_does_not_know(project: StackProject) -> None:
    project.edit("production", r'^instance = "db.*', 'instance = "db.x2idn.16xlarge"')
    project.template("data", TEMPLATE)
    stacks = project.stacks("data")
    text = str(estimate(project.load(), stacks))
    assert (
        "without RDS DBInstance db.x2idn.16xlarge: an estimate from the prices of 2026-09-16 in ap-south-1"
        in text
    )
