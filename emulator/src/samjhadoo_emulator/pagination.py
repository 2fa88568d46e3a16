"""Pages of a list. A page's token holds its position; every service has its own names for the members."""

from __future__ import annotations

import base64
import binascii
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


@dataclass(frozen=True)
class Pagination:
    """How a service pages its lists.

    Attributes:
        token: The request's member for the page's token.
        size: The request's member for the page's size.
        next_token: The answer's member for the next page's token.
        default: The size of a page, unless the request or the operation says otherwise.
        code: The error's code for a token that was not handed out.
        message: The error's text; `{token}` stands for the token.
        largest: The largest page. Larger sizes are cut to it, or refused with `size_message` if there is one.
    """

    token: str
    size: str
    next_token: str
    default: int
    code: str
    message: str
    largest: int = sys.maxsize
    size_message: str = ""

    def page(
        self, items: Sequence[T], params: dict[str, Any], *, default: int = 0
    ) -> tuple[Sequence[T], dict[str, str]]:
        """Return the requested page, and the answer's member for the next page's token, if any.

        Args:
            items: The whole list.
            default: The operation's page size, where it differs from the service's.

        Raises:
            AwsError: The token was not handed out, or the size is refused.
        """
        start = self.position(params)
        end = start + self._size(params, default or self.default)
        return items[start:end], self.member(end) if end < len(items) else {}

    def answer(
        self, member: str, items: Sequence[Any], params: dict[str, Any], *, default: int = 0
    ) -> dict[str, Any]:
        """Return an answer that consists of the requested page, under `member`; see `page`."""
        shown, more = self.page(items, params, default=default)
        return {member: list(shown), **more}

    def position(self, params: dict[str, Any]) -> int:
        """Return the position that a request's token holds; 0 without one.

        Raises:
            AwsError: The token was not handed out.
        """
        token = params.get(self.token)
        if not token:
            return 0
        try:
            return int(base64.b64decode(token, validate=True).decode().removeprefix("position:"))
        except (binascii.Error, ValueError) as error:
            raise AwsError(self.code, self.message.format(token=token)) from error

    def member(self, position: int) -> dict[str, str]:
        """Return the answer's member with the token of a position."""
        return {self.next_token: base64.b64encode(f"position:{position}".encode()).decode()}

    def _size(self, params: dict[str, Any], default: int) -> int:
        size = params.get(self.size)
        if self.size_message and size is not None and not 1 <= size <= self.largest:
            raise AwsError(self.code, self.size_message)
        return min(int(size or default), self.largest)


AUTOSCALING = Pagination(
    "NextToken", "MaxResults", "NextToken", 50,
    "InvalidNextTokenException", "The next token is invalid.",
    largest=50,
)  # fmt: skip
CLOUDFORMATION = Pagination(
    "NextToken", "MaxResults", "NextToken", 100,
    "ValidationError", "The token {token} is invalid.",
)  # fmt: skip
CLOUDWATCH = Pagination(
    "NextToken", "MaxRecords", "NextToken", 100,
    "InvalidNextToken", "Request parameter NextToken is invalid",
)  # fmt: skip
ECR = Pagination(
    "nextToken", "maxResults", "nextToken", 100,
    "InvalidParameterException", "Invalid parameter at 'NextToken' failed to satisfy constraint",
)  # fmt: skip
ECS = Pagination(
    "nextToken", "maxResults", "nextToken", 100,
    "InvalidParameterException", "Invalid token.",
    largest=100, size_message="maxResults must be between 1 and 100.",
)  # fmt: skip
ELBV2 = Pagination(
    "Marker", "PageSize", "NextMarker", 400,
    "ValidationError", "The marker '{token}' is not valid",
)  # fmt: skip
