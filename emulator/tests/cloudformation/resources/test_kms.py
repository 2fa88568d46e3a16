"""Keys and aliases are made, changed, read and deleted by KMS's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.resources.kms import TYPES

if TYPE_CHECKING:
    from conftest import Desk

KMS = {kind.name.rpartition("::")[2]: kind for kind in TYPES}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}


def test_a_key_rotates_and_goes_after_its_waiting_period(desk: Desk) -> None:
    made = desk.create(
        KMS["Key"], Description="data", EnableKeyRotation=True, KeyPolicy=POLICY, PendingWindowInDays=7
    )
    assert made.attributes["Arn"].endswith(f":key/{made.id}")
    assert made.drifted() == {}
    tags = desk.client("kms").list_resource_tags(KeyId=made.id)["Tags"]
    assert tags == [{"TagKey": "Environment", "TagValue": "test"}]
    made.update(
        EnableKeyRotation=False,
        Description="all data",
        Enabled=False,
        Tags=[{"Key": "Owner", "Value": "ops"}],
        KeyPolicy={**POLICY, "Id": "ours"},
    )
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()


def test_an_alias_follows_its_key(desk: Desk) -> None:
    first, second = desk.create(KMS["Key"]), desk.create(KMS["Key"])
    alias = desk.create(KMS["Alias"], AliasName="alias/data", TargetKeyId=first.id)
    assert alias.id == "alias/data"
    assert alias.drifted() == {}
    alias.update(TargetKeyId=second.attributes["Arn"])
    assert alias.drifted() == {}
    alias.delete()
    assert alias.read() is None
    alias.delete()
