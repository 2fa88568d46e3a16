from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.infrastructure.changes import Impact, ResourceChange
from samjhadoo_ops.infrastructure.proposals import Proposal
from samjhadoo_ops.infrastructure.protection import DataAtRisk, policy, require_named

if TYPE_CHECKING:
    from conftest import StackProject


@pytest.fixture
def proposal(project: StackProject) -> Proposal:
    project.template("data", "Resources: {Store: {Type: AWS::S3::Bucket}}\n")
    lost = ResourceChange("Store", "AWS::S3::Bucket", "bucket-1", Impact.REPLACE)
    return Proposal(project.stacks("data").find("data"), None, changes=(lost,))


def test_the_loss_of_data_is_refused_with_the_option_that_names_it(proposal: Proposal) -> None:
    with pytest.raises(DataAtRisk, match="1 data store would be lost") as caught:
        require_named([proposal], [], env="production")
    assert caught.value.hint.endswith("invoke infra.apply --env production --replace data.Store")
    assert caught.value.details == ("data: Store (AWS::S3::Bucket) bucket-1: replaced",)


@pytest.mark.parametrize("name", ["Store", "data.Store"])
def test_a_data_store_that_is_named_may_be_lost(proposal: Proposal, name: str) -> None:
    require_named([proposal], [name], env="production")


def test_another_name_does_not_help(proposal: Proposal) -> None:
    with pytest.raises(DataAtRisk):
        require_named([proposal], ["cluster.Store"], env="production")


def test_the_stack_policy_denies_the_loss_of_data_stores_but_those_named() -> None:
    allow, deny = json.loads(policy())["Statement"]
    assert (allow["Impact"], allow["Action"]) == ("Allow", "Update:*")
    assert (deny["Impact"], deny["Resource"]) == ("Deny", "*")
    assert "AWS::RDS::DBInstance" in deny["Condition"]["StringEquals"]["ResourceType"]
    assert json.loads(policy(["Store"]))["Statement"][1]["NotResource"] == ["LogicalResourceId/Store"]
