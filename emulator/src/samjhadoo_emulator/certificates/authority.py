"""A certificate authority of the emulator's own, which signs what ACM has only promised.

Clients that trust its certificate verify local load balancers as they would real ones.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.certificates.key_pairs import KeyPair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMMON_NAME = "samjhadoo-emulator local certificate authority"
YEARS = timedelta(days=3650)
VALID = timedelta(days=395)
"""How long certificates of ACM's are valid: 13 months."""
SLACK = timedelta(hours=1)
"""How long before now they begin to be, for clients whose clock is behind."""
LOCAL = ("localhost", "127.0.0.1")
"""Names that every certificate has besides its own: those of load balancers on this machine."""
LONGEST_COMMON_NAME = 64


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


class Authority:
    """Makes its key and certificate when they are first needed; all methods block, and may run in threads.

    Args:
        folder: Holds both, for as long as the emulator's data.
    """

    def __init__(self, folder: Path) -> None:
        self._certificate_file = folder / "ca.pem"
        self._key_file = folder / "ca.key"
        self._made = threading.Lock()

    def certificate(self) -> bytes:
        """Return its certificate in PEM."""
        with self._made:
            if not self._certificate_file.exists():
                self._make()
            return self._certificate_file.read_bytes()

    def issue(self, names: Sequence[str]) -> KeyPair:
        """Return a new certificate for host names, of which the first is the common name, and its key."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509.oid import ExtendedKeyUsageOID

        own = x509.load_pem_x509_certificate(self.certificate())
        own_key = load_pem_private_key(self._key_file.read_bytes(), None)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        builder = (
            _builder(names[0], VALID)
            .issuer_name(own.subject)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
        )
        return KeyPair(_signed(builder, own_key), _pem(key))

    def _make(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(COMMON_NAME, YEARS)
            .issuer_name(_name(COMMON_NAME))
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        self._key_file.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._key_file, _pem(key))
        self._certificate_file.write_bytes(_signed(builder, key))


def _builder(common_name: str, valid: timedelta) -> Any:
    """Return the beginning of a certificate. It is real clients that look at the times."""
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + valid)
    )


def _name(common_name: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:LONGEST_COMMON_NAME])])


def _alternatives(names: Sequence[str]) -> list[Any]:
    from cryptography import x509

    found: list[Any] = []
    for name in dict.fromkeys((*names, *LOCAL)):
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _signs_certificates() -> Any:
    from cryptography import x509

    others = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(others, False))


def _signed(builder: Any, key: Any) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
