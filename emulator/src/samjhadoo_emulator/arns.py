"""Amazon Resource Names: which resource of which service, region and account one names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

PARTS = 6


@dataclass(frozen=True)
class Home:
    """Where a service's resources are: what their ARNs begin with."""

    service: str
    region: str
    account: str

    @property
    def prefix(self) -> str:
        return f"arn:{partition(self.region)}:{self.service}:{self.region}:{self.account}:"

    def resource(self, arn: str) -> str:
        """Return what an ARN names here (`cluster/web`); empty if it is elsewhere or no ARN."""
        return arn.removeprefix(self.prefix) if arn.startswith(self.prefix) else ""


def is_arn(text: str) -> bool:
    """Return whether a text is meant as an ARN."""
    return text.startswith("arn:")


@cache
def partition(region: str) -> str:
    """Return the partition of a region, such as `aws-cn`; `aws` for a region that AWS does not have."""
    from botocore.exceptions import UnknownRegionError
    from botocore.session import Session

    try:
        return str(Session().get_partition_for_region(region))
    except UnknownRegionError:
        return "aws"
