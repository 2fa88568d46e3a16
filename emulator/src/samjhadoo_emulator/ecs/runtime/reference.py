"""Image references: which repository of the emulated registry one means.

`<account>.dkr.ecr.<region>.amazonaws.com/<repository>`, `localhost:<port>/<repository>` and
`127.0.0.1:<port>/<repository>` all mean the emulated registry; nothing else is reachable from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from samjhadoo_emulator.ecs.runtime.contract import CannotPullError

_HOST = re.compile(
    r"(?P<ecr>[\w-]+\.dkr[.-]ecr\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|localhost[\w.]*)(?::\d+)?)"
    r"|(?:localhost|127\.0\.0\.1)(?::\d+)?"
)
_NAME = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """A repository of the emulated registry and a manifest in it.

    Attributes:
        host: The registry's host as the reference names it.
        region: The region the host names; empty if it names none.
        repository: The repository's name.
        tag: The tag; `latest` if the reference has neither tag nor digest.
        digest: The digest, empty if the reference has none; goes before the tag.
    """

    host: str
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def version(self) -> str:
        """The tag or digest in the registry."""
        return self.digest or self.tag

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def emulated(text: str) -> bool:
    """Return whether an image reference means the emulated registry."""
    host, slash, _ = text.partition("/")
    return bool(slash) and _HOST.fullmatch(host) is not None


def parse_reference(text: str) -> Reference:
    """Return what an image reference means.

    Raises:
        CannotPullError: It is malformed or names another registry.
    """
    host, slash, rest = text.partition("/")
    match = _HOST.fullmatch(host)
    if not slash or match is None:
        raise CannotPullError(
            f"failed to resolve ref {text}: the registry is not emulated here; push the image to the "
            "emulated ECR and name it <account>.dkr.ecr.<region>.amazonaws.com/<repository>"
        )
    rest, _, digest = rest.partition("@")
    name, _, tag = rest.partition(":")
    if (
        not _NAME.fullmatch(name)
        or (tag and not _TAG.fullmatch(tag))
        or (digest and not _DIGEST.fullmatch(digest))
    ):
        raise CannotPullError(f"failed to resolve ref {text}: invalid reference format")
    return Reference(host, match["region"] or "", name, tag or ("" if digest else "latest"), digest)
