"""The network around load balancers: subnets, networks and security groups, as EC2 knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from samjhadoo_emulator.service import AwsApi
BAD_GROUPS = "One or more security groups are invalid"


async def zones(aws: AwsApi, subnets: list[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the network and availability zones of a load balancer's subnets.

    Raises:
        AwsError: A subnet does not exist, or all are in one zone.
    """
    if not subnets:
        raise validation_error("At least two subnets in two different Availability Zones must be specified")
    try:
        answer = await aws.call("ec2", "DescribeSubnets", SubnetIds=subnets)
    except AwsError as error:
        if error.code == "InvalidSubnetID.NotFound":
            known = {found["SubnetId"] for found in (await aws.call("ec2", "DescribeSubnets"))["Subnets"]}
            missing = next((subnet for subnet in subnets if subnet not in known), subnets[0])
            raise AwsError("SubnetNotFound", f"The subnet ID '{missing}' does not exist") from error
        raise
    found = answer["Subnets"]
    names = {subnet["AvailabilityZone"] for subnet in found}
    if len(names) < len(found):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len(names) < 2:  # noqa: PLR2004 - an ALB's minimum
        raise validation_error("At least two subnets in two different Availability Zones must be specified")
    return found[0]["VpcId"], [
        {"ZoneName": subnet["AvailabilityZone"], "SubnetId": subnet["SubnetId"], "LoadBalancerAddresses": []}
        for subnet in sorted(found, key=lambda subnet: str(subnet["AvailabilityZone"]))
    ]


async def security_groups(aws: AwsApi, vpc_id: str, wanted: list[str]) -> list[str]:
    """Return the wanted security groups once they are known to exist; the network's default one for none.

    Raises:
        AwsError: One does not exist, or belongs to another network.
    """
    if not wanted:
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
        answer = await aws.call("ec2", "DescribeSecurityGroups", Filters=filters)
        return [group["GroupId"] for group in answer["SecurityGroups"]]
    try:
        answer = await aws.call("ec2", "DescribeSecurityGroups", GroupIds=wanted)
    except AwsError as error:
        if error.code in ("InvalidGroup.NotFound", "InvalidGroupId.Malformed"):
            raise AwsError("InvalidConfigurationRequest", BAD_GROUPS) from error
        raise
    if any(group.get("VpcId") != vpc_id for group in answer["SecurityGroups"]):
        raise AwsError("InvalidConfigurationRequest", BAD_GROUPS)
    return wanted


async def check_vpc(aws: AwsApi, vpc_id: str) -> None:
    """Refuse a network that does not exist."""
    try:
        await aws.call("ec2", "DescribeVpcs", VpcIds=[vpc_id])
    except AwsError as error:
        if error.code == "InvalidVpcID.NotFound":
            raise validation_error(f"The VPC ID '{vpc_id}' is not found") from error
        raise
