"""Operations on tags, and what an account may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2.base import LIMITS, Elbv2Base
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

MOST_TAGS = 50
RESERVED = "aws:"


def checked(tags: list[dict[str, str]]) -> dict[str, str]:
    """Return tags by key.

    Raises:
        AwsError: A key is given twice or reserved.
    """
    result: dict[str, str] = {}
    for tag in tags:
        key = tag["Key"]
        if key in result:
            raise AwsError("DuplicateTagKeys", f"Tag key was specified more than once: {key}")
        if key.lower().startswith(RESERVED):
            raise validation_error(f"Tag keys cannot begin with '{RESERVED}'")
        result[key] = tag.get("Value", "")
    return result


class Tags(Elbv2Base):
    """Tags of everything that has an ARN."""

    @operation("AddTags")
    async def add_tags(self, params: Params) -> Result:
        added = checked(params["Tags"])
        for arn in params["ResourceArns"]:
            self._check_exists(arn)
            if len({**self.state.tags.get(arn, {}), **added}) > MOST_TAGS:
                raise AwsError("TooManyTags", "The maximum number of tags has been reached")
        for arn in params["ResourceArns"]:
            self.state.tags.setdefault(arn, {}).update(added)
        return {}

    @operation("RemoveTags")
    async def remove_tags(self, params: Params) -> Result:
        for arn in params["ResourceArns"]:
            self._check_exists(arn)
        for arn in params["ResourceArns"]:
            for key in params["TagKeys"]:
                self.state.tags.get(arn, {}).pop(key, None)
        return {}

    @operation("DescribeTags")
    async def describe_tags(self, params: Params) -> Result:
        descriptions = []
        for arn in params["ResourceArns"]:
            self._check_exists(arn)
            tags = self.state.tags.get(arn, {})
            descriptions.append(
                {"ResourceArn": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            )
        return {"TagDescriptions": descriptions}

    @operation("DescribeAccountLimits")
    async def describe_account_limits(self, params: Params) -> Result:
        limits = [{"Name": name, "Max": str(value)} for name, value in LIMITS.items()]
        return ELBV2.answer("Limits", limits, params)

    def _check_exists(self, arn: str) -> None:
        kind = arn.rpartition(":")[2].partition("/")[0]
        if kind == "loadbalancer":
            self.load_balancer(arn)
        elif kind == "targetgroup":
            self.target_group(arn)
        elif kind == "listener":
            self.listener(arn)
        elif kind == "listener-rule":
            self.rule(arn)
        else:
            raise validation_error(
                f"'{arn}' is not a valid load balancer, target group, listener or rule ARN"
            )
