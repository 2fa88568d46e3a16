"""The key pairs of certificates that AWS names by ARN, as files that Envoy reads.

ACM never gives away the key of a certificate, so the edge keeps those that are imported (`imported`). For any
other certificate, the local authority issues one with the same names.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.certificates.authority import Authority, write_private
from samjhadoo_emulator.certificates.key_pairs import KeyPair, is_supported, names_of
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from samjhadoo_emulator.service import AwsApi, Host

OPTION = "certificates"
_IAM = ":server-certificate/"
_DIGITS = 24
_UNKNOWN = frozenset(
    {"InvalidArnException", "NoSuchEntity", "ResourceNotFoundException", "ValidationException"}
)
"""What ACM and IAM answer for an ARN that names no certificate of theirs."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyPairFiles:
    """Where a certificate with its issuers, and its key, are; other content has other names."""

    chain: Path
    key: Path


class CertificateStore:
    """The key pairs that load balancers use, and those that were imported.

    Attributes:
        authority: Issues certificates whose keys are not known.
        on_change: Called when a certificate that is in use was imported again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._imported: dict[str, KeyPair] = {}
        self._files: dict[str, KeyPairFiles] = {}
        self.authority = Authority(folder)
        self.on_change: Callable[[], Awaitable[None]] | None = None

    @classmethod
    def of(cls, host: Host) -> CertificateStore:
        """Return the host's store."""
        store: CertificateStore = host.options.setdefault(OPTION, cls(host.data_dir / "certificates"))
        return store

    def files(self, arn: str) -> KeyPairFiles:
        """Return the files of a certificate that was obtained."""
        return self._files[arn]

    def forget(self) -> None:
        """Forget all certificates; the authority stays, as clients may trust it."""
        self._imported.clear()
        self._files.clear()

    async def keep(self, arn: str, pair: KeyPair) -> None:
        """Keep a key pair that was imported, perhaps in place of another one that is in use."""
        self._imported[arn] = pair
        if arn in self._files:
            self._files[arn] = await asyncio.to_thread(self._written, pair)
            if self.on_change:
                await self.on_change()

    async def obtain(self, arn: str, aws: AwsApi) -> None:
        """Have the files of a certificate ready.

        Raises:
            AwsError: In ELB's words: there is no such certificate, or it cannot be used (yet).
        """
        if _IAM in arn:
            names = await _server_certificate(arn, aws)
        else:
            names = await _certificate(arn, aws)
        if arn in self._files:
            return
        pair = self._imported.get(arn)
        if pair is None:
            pair = await asyncio.to_thread(self.authority.issue, names)
        elif not is_supported(pair.chain):
            raise _unsupported(arn)
        self._files[arn] = await asyncio.to_thread(self._written, pair)

    def _written(self, pair: KeyPair) -> KeyPairFiles:
        name = hashlib.sha256(pair.chain + pair.key).hexdigest()[:_DIGITS]
        files = KeyPairFiles(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        self._folder.mkdir(parents=True, exist_ok=True)
        write_private(files.key, pair.key)
        files.chain.write_bytes(pair.chain)
        return files


async def _certificate(arn: str, aws: AwsApi) -> list[str]:
    """Return the names of a certificate of ACM's that is issued."""
    try:
        answer = await aws.call("acm", "DescribeCertificate", CertificateArn=arn)
    except AwsError as error:
        raise (_not_found(arn) if error.code in _UNKNOWN else error) from error
    found: dict[str, Any] = answer["Certificate"]
    names = [found.get("DomainName", ""), *found.get("SubjectAlternativeNames", ())]
    if found.get("Status") != "ISSUED" or not any(names):
        raise _unsupported(arn)
    return [name for name in dict.fromkeys(names) if name]


async def _server_certificate(arn: str, aws: AwsApi) -> list[str]:
    """Return the names of a server certificate of IAM's."""
    try:
        answer = await aws.call("iam", "GetServerCertificate", ServerCertificateName=arn.rpartition("/")[2])
        names = names_of(answer["ServerCertificate"]["CertificateBody"].encode())
    except AwsError as error:
        raise (_not_found(arn) if error.code in _UNKNOWN else error) from error
    except ValueError as error:
        raise _unsupported(arn) from error
    if not names:
        raise _unsupported(arn)
    return names


def _not_found(arn: str) -> AwsError:
    return AwsError("CertificateNotFound", f"Certificate '{arn}' not found")


def _unsupported(arn: str) -> AwsError:
    return AwsError(
        "UnsupportedCertificate",
        f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a "
        "supported key size.",
    )
