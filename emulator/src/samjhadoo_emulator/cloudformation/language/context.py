"""What a template's functions are evaluated with, and what their values may be beside plain ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Resource


class Special(Enum):
    """Values that no template can write: members of an enumeration are the same object everywhere."""

    UNKNOWN = "known after the change"
    NO_VALUE = "AWS::NoValue"


UNKNOWN: Final = Special.UNKNOWN
"""A value that is known only after resources have been made; a string or list joined with it is it too."""
NO_VALUE: Final = Special.NO_VALUE
"""`AWS::NoValue`: a member with this value is left out."""


@dataclass(frozen=True)
class Context:
    """What functions refer to.

    Attributes:
        parameters: The parameters' values (`Parameter.value`), by name.
        mappings: The template's section Mappings.
        conditions: Each condition's value.
        pseudo: The pseudo parameters' values, by full name (`AWS::Region`); `pseudo_parameters` makes them.
        resources: The resources that exist, by logical id.
        exports: The exported values of the account and region, by name.
        outputs: What `Fn::GetStackOutput` reads: outputs by (region, stack, output).
        zones: The availability zones, by region; another region has none.
        unknown_resources: Whether what does not exist is `UNKNOWN`, as in change sets, rather than an error.
        extensions: Whether the template has the transform `AWS::LanguageExtensions`.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)
    pseudo: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    zones: Mapping[str, list[str]] = field(default_factory=dict)
    unknown_resources: bool = False
    extensions: bool = False

    @property
    def region(self) -> str:
        return str(self.pseudo.get("AWS::Region", ""))


def pseudo_parameters(
    *, region: str, account: str, stack_name: str, stack_id: str, topics: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the pseudo parameters' values; `AWS::NoValue` is no value, so it is not among them."""
    china = region.startswith("cn-")
    return {
        "AWS::AccountId": account,
        "AWS::NotificationARNs": list(topics),
        "AWS::Partition": "aws-cn" if china else "aws-us-gov" if region.startswith("us-gov-") else "aws",
        "AWS::Region": region,
        "AWS::StackId": stack_id,
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com.cn" if china else "amazonaws.com",
    }
