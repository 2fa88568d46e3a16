"""The local authority issues certificates that clients can verify."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from samjhadoo_emulator.certificates.authority import Authority
from samjhadoo_emulator.certificates.key_pairs import is_supported, names_of

if TYPE_CHECKING:
    from pathlib import Path


def verify(authority: Authority, chain: bytes, name: str) -> None:
    """Verify a certificate as strictly as browsers do."""
    store = Store([x509.load_pem_x509_certificate(authority.certificate())])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name))
    verifier.verify(x509.load_pem_x509_certificate(chain), [])


def test_a_certificate_is_valid_for_its_names_and_this_machine(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue(["shop.example", "*.shop.example"])
    assert names_of(pair.chain) == ["shop.example", "*.shop.example", "localhost"]
    for name in ("shop.example", "www.shop.example", "localhost"):
        verify(authority, pair.chain, name)
    with pytest.raises(x509.verification.VerificationError):
        verify(authority, pair.chain, "other.example")
    assert is_supported(pair.chain)


def test_a_name_longer_than_a_common_name_may_be_is_an_alternative_name(tmp_path: Path) -> None:
    authority, name = Authority(tmp_path), f"{'a' * 40}.{'b' * 40}.example"
    verify(authority, authority.issue([name]).chain, name)


def test_the_authority_stays_the_same_and_its_key_is_its_owners(tmp_path: Path) -> None:
    made = Authority(tmp_path / "folder").certificate()
    assert Authority(tmp_path / "folder").certificate() == made
    assert (tmp_path / "folder/ca.key").stat().st_mode & 0o777 == 0o600
    ssl.create_default_context(cadata=made.decode())
