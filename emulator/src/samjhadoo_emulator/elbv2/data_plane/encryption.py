"""An HTTPS listener's TLS as Envoy's: certificates, protocols, ciphers.

Envoy chooses the certificate by the name that the client asks for, and the first one when none fits, as a
load balancer does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2 import ssl_policies
from samjhadoo_emulator.elbv2.data_plane.documents import Document, extension
from samjhadoo_emulator.elbv2.data_plane.routes import SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.certificates.store import KeyPairFiles
    from samjhadoo_emulator.elbv2.model import Listener

_PROTOCOLS = {"TLSv1": "TLSv1_0", "TLSv1.1": "TLSv1_1", "TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
"""In ascending order."""
_CIPHERS = frozenset(
    {
        *(f"ECDHE-{kind}-{cipher}" for kind in ("ECDSA", "RSA") for cipher in ("AES128-SHA", "AES256-SHA")),
        *(f"ECDHE-{kind}-AES128-GCM-SHA256" for kind in ("ECDSA", "RSA")),
        *(f"ECDHE-{kind}-AES256-GCM-SHA384" for kind in ("ECDSA", "RSA")),
        *("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"),
    }
)
"""What BoringSSL has, up to TLS 1.2; it lacks CBC with SHA-256 or SHA-384. TLS 1.3's cannot be chosen."""

_PLAIN_HTTP = (
    "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n"
    "<center><h1>400 Bad Request</h1></center>\r\n"
    "<center>The plain HTTP request was sent to HTTPS port</center>\r\n</body>\r\n</html>\r\n"
)


def transport(listener: Listener, files: Callable[[str], KeyPairFiles], *, http2: bool) -> Document:
    """Return the TLS of a listener.

    Args:
        files: Returns the files of a certificate, by its ARN.
        http2: Whether clients may speak HTTP/2.
    """
    arns = dict.fromkeys(
        (*(each["CertificateArn"] for each in listener.certificates), *listener.more_certificates)
    )
    return extension(
        "envoy.transport_sockets.tls",
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={
            "tls_params": _parameters(listener.ssl_policy),
            "tls_certificates": [_certificate(files(arn)) for arn in arns],
            "alpn_protocols": [*(["h2"] if http2 else []), "http/1.1"],
        },
    )


def tls_inspector() -> Document:
    """Return the filter that detects TLS or plain HTTP, before a listener chooses how to serve it."""
    return extension(
        "envoy.filters.listener.tls_inspector",
        "extensions.filters.listener.tls_inspector.v3.TlsInspector",
    )


def plain_http(name: str) -> Document:
    """Return the chain that answers plain HTTP at an HTTPS listener, which a load balancer refuses.

    Args:
        name: Of its statistics.
    """
    headers = {"content-type": "text/html", "server": SERVER}
    route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 400, "body": {"inline_string": _PLAIN_HTTP}},
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="HTTP1",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[extension("envoy.filters.http.router", "extensions.filters.http.router.v3.Router")],
        server_header_transformation="PASS_THROUGH",
    )
    return {"filter_chain_match": {"transport_protocol": "raw_buffer"}, "filters": [manager]}


def _parameters(policy: str) -> Document:
    settings = ssl_policies.policies()[policy]
    protocols = [name for aws, name in _PROTOCOLS.items() if aws in settings["ssl_protocols"]]
    ciphers = [cipher for cipher in settings["ciphers"] if cipher in _CIPHERS]
    return {
        "tls_minimum_protocol_version": protocols[0],
        "tls_maximum_protocol_version": protocols[-1],
        **({"cipher_suites": ciphers} if ciphers else {}),
    }


def _certificate(files: KeyPairFiles) -> Document:
    return {
        "certificate_chain": {"filename": str(files.chain)},
        "private_key": {"filename": str(files.key)},
    }
