"""The types that a template's parameters can have."""

from __future__ import annotations

from typing import Final

_SSM: Final = "AWS::SSM::Parameter::Value<"
_LIST: Final = "List<"
_EXISTING: Final = frozenset(
    {
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::EC2::Volume::Id",
        "AWS::Route53::HostedZone::Id",
    }
)
"""Types whose values are ids of what exists in the account."""
_PLAIN: Final = frozenset({"String", "Number"})


def known(kind: str) -> bool:
    """Return whether CloudFormation has a type."""
    inner = value_type(kind)
    if inner in {"CommaDelimitedList", "AWS::SSM::Parameter::Name"}:
        return True
    element = element_type(inner)
    return element in _EXISTING or (element in _PLAIN and not (is_ssm(kind) and element == "Number"))


def is_ssm(kind: str) -> bool:
    """Return whether a parameter's text is the name of an SSM parameter that has the value."""
    return kind.startswith(_SSM) and kind.endswith(">")


def value_type(kind: str) -> str:
    """Return the type of the value: of an SSM parameter's, what its own type says."""
    return kind[len(_SSM) : -1] if is_ssm(kind) else kind


def is_list(kind: str) -> bool:
    """Return whether `Ref` returns a list."""
    inner = value_type(kind)
    return inner == "CommaDelimitedList" or inner.startswith(_LIST)


def element_type(kind: str) -> str:
    """Return the type of a list's elements; of other types, themselves."""
    inner = value_type(kind)
    if inner == "CommaDelimitedList":
        return "String"
    return inner[len(_LIST) : -1] if inner.startswith(_LIST) and inner.endswith(">") else inner


def is_existing(kind: str) -> bool:
    """Return whether values are ids of what exists in the account."""
    return element_type(kind) in _EXISTING
