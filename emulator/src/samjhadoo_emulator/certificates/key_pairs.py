"""A certificate with its private key, in PEM, and what can be read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LEAST_RSA = 2048
"""Bits of an RSA key; load balancers support no shorter ones ("SSL certificates", ELB user guide)."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate, the certificates of its issuers, and its private key.

    Attributes:
        chain: The certificate itself comes first.
    """

    chain: bytes
    key: bytes


def names_of(certificate: bytes) -> list[str]:
    """Return the host names for which a certificate is valid; raise `ValueError` if it is none."""
    return _names(_loaded(certificate))


def is_supported(certificate: bytes) -> bool:
    """Return whether a load balancer takes a certificate: by its names and the size of its key.

    Raises:
        ValueError: It is no certificate.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    loaded = _loaded(certificate)
    key = loaded.public_key()
    if isinstance(key, RSAPublicKey):
        return key.key_size >= LEAST_RSA and bool(_names(loaded))
    return isinstance(key, EllipticCurvePublicKey) and bool(_names(loaded))


def _loaded(certificate: bytes) -> Certificate:
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(certificate)


def _names(certificate: Certificate) -> list[str]:
    """Return the alternative names, or else the common name, as browsers once did and ACM does."""
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName
    from cryptography.x509.oid import NameOID

    try:
        extension = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except ExtensionNotFound:
        found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(attribute.value) for attribute in found]
    return list(extension.value.get_values_for_type(DNSName))
