"""What stands behind a stack's parameters in the account: SSM parameters, and ids of what must exist."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import parameter_types
from samjhadoo_emulator.cloudformation.language.dynamic_references import read_parameter
from samjhadoo_emulator.cloudformation.language.parameters import ssm_names
from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.language.parameters import Parameter
    from samjhadoo_emulator.cloudformation.language.template import Template
    from samjhadoo_emulator.service import AwsApi

_CALLS: Final[dict[str, tuple[str, str, str, str]]] = {
    "AWS::EC2::AvailabilityZone::Name": (
        "ec2",
        "DescribeAvailabilityZones",
        "ZoneNames",
        "AvailabilityZones",
    ),
    "AWS::EC2::Image::Id": ("ec2", "DescribeImages", "ImageIds", "Images"),
    "AWS::EC2::Instance::Id": ("ec2", "DescribeInstances", "InstanceIds", "Reservations"),
    "AWS::EC2::KeyPair::KeyName": ("ec2", "DescribeKeyPairs", "KeyNames", "KeyPairs"),
    "AWS::EC2::SecurityGroup::GroupName": ("ec2", "DescribeSecurityGroups", "GroupNames", "SecurityGroups"),
    "AWS::EC2::SecurityGroup::Id": ("ec2", "DescribeSecurityGroups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::Subnet::Id": ("ec2", "DescribeSubnets", "SubnetIds", "Subnets"),
    "AWS::EC2::VPC::Id": ("ec2", "DescribeVpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::Volume::Id": ("ec2", "DescribeVolumes", "VolumeIds", "Volumes"),
    "AWS::Route53::HostedZone::Id": ("route53", "GetHostedZone", "Id", "HostedZone"),
    "AWS::SSM::Parameter::Name": ("ssm", "GetParameter", "Name", "Parameter"),
}
"""How to see whether a value exists: service, operation, parameter, and the answer's member."""


async def read_ssm(template: Template, chosen: Mapping[str, str], aws: AwsApi) -> dict[str, str]:
    """Return the values of the SSM parameters that a template's parameters name, for `parameters.resolve`.

    Args:
        chosen: The texts that the caller gives.

    Raises:
        AwsError: An SSM parameter does not exist, or has another type than the template says.
    """
    values = {}
    for name, ssm_name in ssm_names(template, chosen).items():
        found = await read_parameter(ssm_name, aws)
        kind = template.parameters[name]["Type"]
        if found["Type"] == "SecureString":
            raise validation_error(
                f"Parameters [{ssm_name}] referenced by template have types not supported by CloudFormation."
            )
        if parameter_types.is_list(kind) != (found["Type"] == "StringList"):
            raise validation_error(
                f"Types for SSM parameters [{ssm_name}] defined in CFN template and SSM are incompatible"
            )
        values[name] = str(found["Value"])
    return values


async def check_existing(
    template: Template, resolved: Mapping[str, Parameter], aws: AwsApi
) -> dict[str, dict[str, str]]:
    """Check that what parameters of AWS's types name exists, as CloudFormation does first of all.

    Returns:
        The attributes of each, by its id, for `rules.check_rules`: `{"subnet-1": {"VpcId": "vpc-1"}}`.

    Raises:
        AwsError: It does not exist.
    """
    attributes: dict[str, dict[str, str]] = {}
    for name, declared in template.parameters.items():
        call = _CALLS.get(parameter_types.element_type(declared["Type"]))
        value = resolved[name].value
        for each in (value if isinstance(value, list) else [value]) if call else []:
            if call and each not in attributes:
                attributes[each] = await _attributes(call, name, each, aws)
    return attributes


async def _attributes(call: tuple[str, str, str, str], name: str, value: str, aws: AwsApi) -> dict[str, str]:
    service, operation, parameter, member = call
    given: Any = [value] if parameter.endswith("s") else value
    try:
        found = (await aws.call(service, operation, **{parameter: given})).get(member)
    except AwsError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        found = None
    if not found:
        raise validation_error(
            f"Parameter validation failed: parameter value {value} for parameter name {name} does not exist"
        )
    described = found[0] if isinstance(found, list) else found
    tags = {f"Tags.{tag['Key']}": tag["Value"] for tag in described.get("Tags", ())}
    return {key: each for key, each in described.items() if isinstance(each, str)} | tags
