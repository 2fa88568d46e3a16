"""Where a request's template comes from: its body, or an address in S3 of any form."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from samjhadoo_emulator.service import AwsApi

LARGEST_BODY: Final = 51_200
LARGEST_OBJECT: Final = 1 << 20
"""Bytes of a template in a request, and in S3."""
_HOSTED: Final = re.compile(r"(?P<bucket>[^.].*?)\.s3[.-].*")
"""A host that names the bucket: `bucket.s3.region.amazonaws.com`, `bucket.s3.localhost`."""


async def template_text(params: dict[str, Any], aws: AwsApi, *, member: str = "Template") -> str:
    """Return the text of `TemplateBody` or of what `TemplateURL` refers to; empty if there is neither.

    Args:
        aws: The AWS API of the request's region.
        member: What the two members' names begin with, for example `StackPolicy`.

    Raises:
        AwsError: Both are given, the text is too long, or S3 does not give it.
    """
    body, url = params.get(f"{member}Body"), params.get(f"{member}URL")
    if body is not None and url:
        raise validation_error(f"Either {member} URL or {member} Body must be specified.")
    if url:
        return await read(url, aws)
    if body is not None and len(body.encode()) > LARGEST_BODY:
        raise validation_error(
            f"1 validation error detected: Value '{body}' at '{member[:1].lower()}{member[1:]}Body' failed "
            f"to satisfy constraint: Member must have length less than or equal to {LARGEST_BODY}"
        )
    return body or ""


async def read(url: str, aws: AwsApi) -> str:
    """Return an object of S3, whose address names the bucket in its host or in its path.

    Raises:
        AwsError: The address is not one of S3's, or S3 refuses.
    """
    bucket, key = address(url)
    try:
        answer = await aws.call("s3", "GetObject", Bucket=bucket, Key=key)
    except AwsError as error:
        raise validation_error(f"S3 error: {error.message}") from error
    content: bytes = await asyncio.to_thread(answer["Body"].read)  # it may come through this very loop
    if len(content) > LARGEST_OBJECT:
        raise validation_error(f"Template may not exceed {LARGEST_OBJECT} bytes in size.")
    return content.decode(errors="replace")


def address(url: str) -> tuple[str, str]:
    """Return the bucket and the key that an address names.

    Raises:
        AwsError: It is none of S3.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise validation_error(f"S3 error: Domain name specified in {url} is not a valid S3 domain")
    hosted = _HOSTED.fullmatch(parts.hostname or "")
    bucket, _, key = (f"{hosted['bucket']}{parts.path}" if hosted else parts.path[1:]).partition("/")
    if not bucket or not key:
        raise validation_error(f"TemplateURL must be a supported URL: {url}")
    return bucket, unquote(key)
