"""Parameters are made, changed, read and deleted by the API of Systems Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.resources.ssm import TYPES

if TYPE_CHECKING:
    from conftest import Desk

SSM = {kind.name.rpartition("::")[2]: kind for kind in TYPES}


def test_a_parameter_has_its_value_as_an_attribute(desk: Desk) -> None:
    made = desk.create(
        SSM["Parameter"], Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="30", Tags={"a": "b"}
    )
    assert made.id == "/cdk-bootstrap/hnb659fds/version"
    assert made.attributes == {"Type": "String", "Value": "30"}
    assert made.drifted() == {}
    made.update(Value="31", Tags={"c": "d"})
    assert made.attributes["Value"] == "31"
    assert made.drifted() == {}
    listed = desk.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=made.id)
    assert {each["Key"]: each["Value"] for each in listed["TagList"]} == {"c": "d", "Environment": "test"}
    made.delete()
    assert made.read() is None
    made.delete()
