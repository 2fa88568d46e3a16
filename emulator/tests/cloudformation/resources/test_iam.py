"""IAM's resources are made, changed, read and deleted by its API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.resources.iam import TYPES
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from conftest import Desk, Made

IAM = {kind.name.rpartition("::")[2]: kind for kind in TYPES}
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
INFRASTRUCTURE = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"


def trust(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def allow(action: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def role(desk: Desk) -> Made:
    return desk.create(IAM["Role"], AssumeRolePolicyDocument=trust("ecs.amazonaws.com"))


def test_a_role_is_as_its_template_says(desk: Desk) -> None:
    made = desk.create(
        IAM["Role"],
        AssumeRolePolicyDocument=trust("ecs-tasks.amazonaws.com"),
        Description="runs tasks",
        ManagedPolicyArns=[EXECUTION],
        Policies=[{"PolicyName": "read", "PolicyDocument": allow("s3:GetObject")}],
        MaxSessionDuration=7200,
        Path="/service/",
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert made.id.startswith("samjhadoo-test-Resource")
    assert len(made.id) <= 64
    assert made.attributes["Arn"].endswith(f":role/service/{made.id}")
    assert made.drifted() == {}
    made.update(
        AssumeRolePolicyDocument=trust("ecs.amazonaws.com"),
        Description=None,
        ManagedPolicyArns=[INFRASTRUCTURE],
        Policies=[{"PolicyName": "write", "PolicyDocument": allow("s3:PutObject")}],
        MaxSessionDuration=3600,
        PermissionsBoundary=EXECUTION,
        Tags=None,
    )
    assert made.drifted() == {}
    found = desk.client("iam").get_role(RoleName=made.id)["Role"]
    assert found["Tags"] == [{"Key": "Environment", "Value": "test"}]
    assert desk.client("iam").list_role_policies(RoleName=made.id)["PolicyNames"] == ["write"]
    made.delete()
    assert made.read() is None
    made.delete()


def test_policies_of_aws_are_attached_by_name_and_others_refused(desk: Desk, role: Made) -> None:
    iam = desk.client("iam")
    role.update(ManagedPolicyArns=[INFRASTRUCTURE])
    assert iam.list_entities_for_policy(PolicyArn=INFRASTRUCTURE)["PolicyRoles"][0]["RoleName"] == role.id
    version = iam.get_policy(PolicyArn=EXECUTION)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=EXECUTION, VersionId=version)["PolicyVersion"]["Document"]
    assert "ecr:GetAuthorizationToken" in document["Statement"][0]["Action"]
    with pytest.raises(AwsError, match="arn:aws:iam::aws:policy/NoSuchPolicy does not exist"):
        role.update(ManagedPolicyArns=["arn:aws:iam::aws:policy/NoSuchPolicy"])
    role.delete()


def test_an_inline_policy_follows_its_roles(desk: Desk, role: Made) -> None:
    other = desk.create(IAM["Role"], AssumeRolePolicyDocument=trust("ecs.amazonaws.com"))
    policy = desk.create(IAM["Policy"], PolicyName="logs", PolicyDocument=allow("logs:*"), Roles=[role.id])
    assert policy.drifted() == {}
    policy.update(Roles=[other.id], PolicyDocument=allow("logs:PutLogEvents"))
    assert policy.drifted() == {}
    assert desk.client("iam").list_role_policies(RoleName=role.id)["PolicyNames"] == []
    policy.update(PolicyName="log")
    assert desk.client("iam").list_role_policies(RoleName=other.id)["PolicyNames"] == ["log"]
    policy.delete()
    assert policy.read() is None
    policy.delete()
    single = desk.create(IAM["RolePolicy"], PolicyName="one", RoleName=other.id, PolicyDocument=allow("s3:*"))
    single.update(PolicyDocument=allow("s3:GetObject"))
    assert single.drifted() == {}
    for each in (single, role, other):
        each.delete()
        assert each.read() is None


def test_a_managed_policy_has_versions_and_principals(desk: Desk, role: Made) -> None:
    made = desk.create(
        IAM["ManagedPolicy"], PolicyDocument=allow("s3:GetObject"), Roles=[role.id], Description="ours"
    )
    assert made.id == made.attributes["PolicyArn"]
    assert made.drifted() == {}
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:*", "ecs:*", "ecr:*"):
        made.update(PolicyDocument=allow(action))
    assert made.drifted() == {}
    made.update(Roles=[])
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()
    role.delete()


def test_a_user_has_groups_keys_and_policies(desk: Desk) -> None:
    group = desk.create(IAM["Group"], ManagedPolicyArns=[EXECUTION])
    user = desk.create(
        IAM["User"],
        Groups=[group.id],
        Policies=[{"PolicyName": "read", "PolicyDocument": allow("s3:GetObject")}],
    )
    key = desk.create(IAM["AccessKey"], UserName=user.id)
    assert [each.drifted() for each in (group, user, key)] == [{}, {}, {}]
    assert key.attributes["SecretAccessKey"]
    key.update(Status="Inactive")
    assert key.drifted() == {}
    user.update(Groups=[], Path="/people/")
    assert user.drifted() == {}
    for each in (key, user, group):
        each.delete()
        assert each.read() is None, each.kind.name
        each.delete()


def test_an_instance_profile_has_a_role(desk: Desk, role: Made) -> None:
    made = desk.create(IAM["InstanceProfile"], Roles=[role.id])
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()
    role.delete()


def test_githubs_provider_needs_no_thumbprint(desk: Desk) -> None:
    made = desk.create(
        IAM["OIDCProvider"],
        Url="https://token.actions.githubusercontent.com",
        ClientIdList=["sts.amazonaws.com"],
    )
    assert made.id == made.attributes["Arn"]
    assert made.drifted() == {}
    made.update(ClientIdList=["ops"], ThumbprintList=["a" * 40])
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_service_gets_its_role(desk: Desk) -> None:
    made = desk.create(IAM["ServiceLinkedRole"], AWSServiceName="ecs.amazonaws.com", Description="ECS")
    assert made.id.startswith("AWSServiceRoleFor")
    made.update(Description="of ECS")
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()


def test_what_cloudformation_does_not_tag_has_no_tags_of_the_stack(desk: Desk) -> None:
    made = desk.create(IAM["ManagedPolicy"], PolicyDocument=allow("s3:GetObject"))
    assert desk.client("iam").list_policy_tags(PolicyArn=made.id)["Tags"] == []
    made.delete()


def test_a_role_that_cannot_be_completed_is_known_before_it_fails(desk: Desk) -> None:
    request = desk.request({"AssumeRolePolicyDocument": trust("ecs.amazonaws.com")})
    request.properties["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/NoSuchPolicy"]
    known: list[Any] = []
    request.created = known.append
    with pytest.raises(AwsError, match="NoSuchPolicy does not exist"):
        asyncio.run(IAM["Role"].create(request))
    request.id = known[0].id
    asyncio.run(IAM["Role"].delete(request))
    assert asyncio.run(IAM["Role"].read(request)) is None
