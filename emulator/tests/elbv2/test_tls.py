"""HTTPS listeners speak TLS with the certificates that ACM has, as clients see it."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable

OK = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "ok"}}
UNKNOWN = "arn:aws:acm:ap-south-1:000000000000:certificate/00000000-0000-0000-0000-000000000000"


@dataclass
class Session:
    """What a TLS client has negotiated."""

    certificate: x509.Certificate
    version: str
    protocol: str | None

    @property
    def names(self) -> list[str]:
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return list(extension.value.get_values_for_type(x509.DNSName))


@pytest.fixture(scope="module")
def authority(noop_emulator: Any) -> str:
    """The certificate of the emulator's authority, in PEM."""
    with urllib.request.urlopen(f"{noop_emulator.url}/_emulator/ca.pem", timeout=30) as answer:
        assert answer.headers["content-type"] == "application/x-pem-file"
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def acm(noop_emulator: Any) -> Any:
    return noop_emulator.client("acm")


@pytest.fixture(scope="module")
def requested(acm: Any) -> Callable[..., str]:
    """Request certificates, which are issued at once."""

    def request(name: str, *others: str) -> str:
        more = {"SubjectAlternativeNames": [name, *others]} if others else {}
        arn = str(acm.request_certificate(DomainName=name, ValidationMethod="DNS", **more)["CertificateArn"])
        assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"
        return arn

    return request


def self_signed(name: str, key: Any = None) -> tuple[bytes, bytes]:
    """Return a certificate for a name, signed by its own key, and the key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), pem


def https(certificate: str, **settings: Any) -> dict[str, Any]:
    """Return the settings of an HTTPS listener."""
    return {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}], **settings}


def connect(
    port: int, name: str = "", *, version: ssl.TLSVersion | None = None, offers: tuple[str, ...] = ()
) -> Session:
    """Shake hands without verifying anything."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    if offers:
        context.set_alpn_protocols(list(offers))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name or None) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
        assert shown
        return Session(
            x509.load_der_x509_certificate(shown), str(secure.version()), secure.selected_alpn_protocol()
        )


def get(port: int, name: str, authority: str, path: str = "/") -> urllib3.BaseHTTPResponse:
    """Get a page as a client that verifies the certificate by an authority."""
    pool = urllib3.HTTPSConnectionPool(
        "127.0.0.1",
        port,
        ca_certs=None,
        ca_cert_data=authority,
        server_hostname=name,
        assert_hostname=name,
        retries=False,
        timeout=30,
    )
    return pool.request("GET", path, headers={"host": name})


def shown(port: int, name: str = "") -> list[str]:
    """Return the names in the certificate that a listener shows; none while it speaks no TLS."""
    try:
        return connect(port, name).names
    except (OSError, ssl.SSLError):
        return []


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_requested_certificate_is_verified_by_the_emulators_authority(
    balancing: Any, backends: Any, to: Any, requested: Any, authority: str
) -> None:
    group = balancing.group(backends())
    arn = requested("shop.example", "*.shop.example")
    listener, port = balancing.listener(to(group), **https(arn))
    balancing.wait_healthy(group)
    for name in ("shop.example", "www.shop.example", "localhost"):
        answer = get(port, name, authority)
        assert answer.status == 200
        assert answer.json()["headers"]["x-forwarded-proto"] == "https"
        assert answer.json()["headers"]["x-forwarded-port"] == str(port)
    with pytest.raises(urllib3.exceptions.SSLError):
        get(port, "other.example", authority)
    described = balancing.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    assert described["Certificates"] == [{"CertificateArn": arn}]
    assert described["SslPolicy"] == "ELBSecurityPolicy-2016-08"


def test_an_imported_certificate_is_shown_as_it_is(balancing: Any, acm: Any, eventually: Any) -> None:
    certificate, key = self_signed("imported.example")
    arn = acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
    _, port = balancing.listener(OK, **https(arn))
    assert get(port, "imported.example", certificate.decode()).data == b"ok"
    again, key = self_signed("imported.example")
    acm.import_certificate(CertificateArn=arn, Certificate=again, PrivateKey=key)
    # As at AWS, the load balancer takes the new one a moment later.
    assert eventually(lambda: connect(port).certificate == x509.load_pem_x509_certificate(again))
    assert get(port, "imported.example", again.decode()).data == b"ok"


def test_the_name_that_a_client_asks_for_chooses_the_certificate(
    balancing: Any, requested: Any, eventually: Any
) -> None:
    default, first, second = (requested(f"{name}.example") for name in ("default", "first", "second"))
    listener, port = balancing.listener(OK, **https(default))
    added = balancing.elbv2.add_listener_certificates(
        ListenerArn=listener, Certificates=[{"CertificateArn": first}, {"CertificateArn": second}]
    )
    assert [each["IsDefault"] for each in added["Certificates"]] == [False, False]
    eventually(lambda: "second.example" in shown(port, "second.example"))
    for asked, found in (("first", "first"), ("second", "second"), ("other", "default")):
        assert f"{found}.example" in shown(port, f"{asked}.example")
    assert "default.example" in shown(port)
    listed = balancing.elbv2.describe_listener_certificates(ListenerArn=listener)["Certificates"]
    assert listed == [
        {"CertificateArn": default, "IsDefault": True},
        {"CertificateArn": first, "IsDefault": False},
        {"CertificateArn": second, "IsDefault": False},
    ]
    balancing.elbv2.remove_listener_certificates(
        ListenerArn=listener, Certificates=[{"CertificateArn": first}]
    )
    assert eventually(lambda: "default.example" in shown(port, "first.example"))
    with pytest.raises(ClientError) as refused:
        balancing.elbv2.remove_listener_certificates(
            ListenerArn=listener, Certificates=[{"CertificateArn": default}]
        )
    assert code(refused) == "OperationNotPermitted"


def test_another_default_certificate_takes_effect(balancing: Any, requested: Any, eventually: Any) -> None:
    listener, port = balancing.listener(OK, **https(requested("before.example")))
    after = requested("after.example")
    balancing.elbv2.modify_listener(ListenerArn=listener, Certificates=[{"CertificateArn": after}])
    assert eventually(lambda: "after.example" in shown(port))


@pytest.mark.parametrize(
    ("policy", "spoken", "refused"),
    [
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", ["TLSv1_3"], ["TLSv1_2"]),
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", ["TLSv1_3", "TLSv1_2"], ["TLSv1_1"]),
        ("ELBSecurityPolicy-2016-08", ["TLSv1_2"], ["TLSv1_3"]),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_a_security_policy_decides_on_the_versions_of_tls(
    balancing: Any, requested: Any, policy: str, spoken: list[str], refused: list[str]
) -> None:
    _, port = balancing.listener(OK, **https(requested("policy.example"), SslPolicy=policy))
    for version in spoken:
        assert connect(port, version=ssl.TLSVersion[version]).version == version.replace("_", ".")
    for version in refused:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(port, version=ssl.TLSVersion[version])


def test_http2_is_offered_unless_it_is_off(balancing: Any, requested: Any, eventually: Any) -> None:
    _, port = balancing.listener(OK, **https(requested("h2.example")))
    assert connect(port, offers=("h2", "http/1.1")).protocol == "h2"
    off = {"Key": "routing.http2.enabled", "Value": "false"}
    balancing.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancing.arn, Attributes=[off])
    try:
        assert eventually(lambda: connect(port, offers=("h2", "http/1.1")).protocol == "http/1.1")
    finally:
        balancing.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=balancing.arn, Attributes=[{**off, "Value": "true"}]
        )


def test_a_redirect_leads_to_the_https_listener(balancing: Any, requested: Any, authority: str) -> None:
    _, secure = balancing.listener(OK, port=443, **https(requested("redirect.example")))
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    _, plain = balancing.listener({"Type": "redirect", "RedirectConfig": redirect})
    answer = urllib3.request(
        "GET", f"http://127.0.0.1:{plain}/a?b=c", headers={"host": "redirect.example"}, redirect=False
    )
    assert answer.status == 301
    assert answer.headers["location"] == f"https://redirect.example:{secure}/a?b=c"
    assert get(secure, "redirect.example", authority).data == b"ok"


def test_a_listener_changes_between_http_and_https(
    balancing: Any, requested: Any, authority: str, eventually: Any
) -> None:
    listener, port = balancing.listener(OK)
    assert urllib3.request("GET", f"http://127.0.0.1:{port}/").status == 200
    balancing.elbv2.modify_listener(ListenerArn=listener, **https(requested("changed.example")))
    eventually(lambda: shown(port))
    assert get(port, "changed.example", authority).status == 200
    balancing.elbv2.modify_listener(ListenerArn=listener, Protocol="HTTP")
    eventually(lambda: not shown(port))
    assert urllib3.request("GET", f"http://127.0.0.1:{port}/").status == 200
    described = balancing.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    assert not {"Certificates", "SslPolicy"} & described.keys()


def test_plain_http_is_refused(balancing: Any, requested: Any) -> None:
    _, port = balancing.listener(OK, **https(requested("secure.example")))
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}/", retries=False)
    assert (answer.status, answer.headers["server"]) == (400, "awselb/2.0")
    assert b"The plain HTTP request was sent to HTTPS port" in answer.data


def test_handshakes_that_fail_are_counted(
    balancing: Any, requested: Any, noop_emulator: Any, eventually: Any
) -> None:
    _, port = balancing.listener(
        OK, **https(requested("counted.example"), SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
    )
    for _ in range(3):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(port, version=ssl.TLSVersion.TLSv1_2)
    cloudwatch = noop_emulator.client("cloudwatch")
    name = balancing.arn.partition(":loadbalancer/")[2]

    def counted() -> float:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="ClientTLSNegotiationErrorCount",
            Dimensions=[{"Name": "LoadBalancer", "Value": name}],
            StartTime=datetime(2020, 1, 1, tzinfo=UTC),
            EndTime=datetime(2100, 1, 1, tzinfo=UTC),
            Period=86_400 * 365,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in answer["Datapoints"])

    assert eventually(lambda: counted() >= 3)


@pytest.mark.parametrize(
    ("settings", "refused_with", "words"),
    [
        ({"Protocol": "HTTPS"}, "ValidationError", "A certificate must be specified for HTTPS listeners"),
        (https(UNKNOWN), "CertificateNotFound", f"Certificate '{UNKNOWN}' not found"),
        (
            https("arn:aws:iam::000000000000:server-certificate/none"),
            "CertificateNotFound",
            "Certificate 'arn:aws:iam::000000000000:server-certificate/none' not found",
        ),
    ],
    ids=["none", "unknown", "unknown-of-iam"],
)
def test_an_https_listener_needs_a_certificate_that_exists(
    balancing: Any, settings: dict[str, Any], refused_with: str, words: str
) -> None:
    with pytest.raises(ClientError) as refused:
        balancing.listener(OK, **settings)
    assert (code(refused), refused.value.response["Error"]["Message"]) == (refused_with, words)


def test_an_unknown_security_policy_is_refused(balancing: Any, requested: Any) -> None:
    with pytest.raises(ClientError) as refused:
        balancing.listener(OK, **https(requested("x.example"), SslPolicy="ELBSecurityPolicy-None"))
    assert code(refused) == "SSLPolicyNotFound"


def test_a_key_that_is_too_short_is_refused(balancing: Any, acm: Any) -> None:
    certificate, key = self_signed("short.example", rsa.generate_private_key(65537, 1024))
    arn = acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
    with pytest.raises(ClientError) as refused:
        balancing.listener(OK, **https(arn))
    assert code(refused) == "UnsupportedCertificate"
    assert "supported key size" in refused.value.response["Error"]["Message"]


def test_an_http_listener_takes_no_certificates(balancing: Any, requested: Any) -> None:
    listener, _ = balancing.listener(OK)
    with pytest.raises(ClientError) as refused:
        balancing.elbv2.add_listener_certificates(
            ListenerArn=listener, Certificates=[{"CertificateArn": requested("plain.example")}]
        )
    assert code(refused) == "ValidationError"


def test_clients_cannot_be_asked_for_certificates(balancing: Any, requested: Any) -> None:
    with pytest.raises(ClientError) as refused:
        balancing.listener(
            OK, **https(requested("mutual.example"), MutualAuthentication={"Mode": "passthrough"})
        )
    assert "do not verify certificates of clients" in refused.value.response["Error"]["Message"]


def test_a_server_certificate_of_iam_is_one_of_the_same_names(
    balancing: Any, noop_emulator: Any, authority: str
) -> None:
    certificate, key = self_signed("iam.example")
    iam = noop_emulator.client("iam")
    uploaded = iam.upload_server_certificate(
        ServerCertificateName="uploaded", CertificateBody=certificate.decode(), PrivateKey=key.decode()
    )
    _, port = balancing.listener(OK, **https(uploaded["ServerCertificateMetadata"]["Arn"]))
    assert get(port, "iam.example", authority).data == b"ok"


def test_security_policies_show_their_protocols_and_ciphers(balancing: Any) -> None:
    names = ["ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-2016-08"]
    strict, old = balancing.elbv2.describe_ssl_policies(Names=names)["SslPolicies"]
    assert strict["SslProtocols"] == ["TLSv1.3", "TLSv1.2"]
    assert {"Name": "TLS_AES_128_GCM_SHA256", "Priority": 1} in strict["Ciphers"]
    assert "TLSv1" in old["SslProtocols"]
    assert set(names) <= {each["Name"] for each in balancing.elbv2.describe_ssl_policies()["SslPolicies"]}
    with pytest.raises(ClientError) as refused:
        balancing.elbv2.describe_ssl_policies(Names=["ELBSecurityPolicy-None"])
    assert code(refused) == "SSLPolicyNotFound"


def test_only_the_owner_can_read_the_keys(noop_emulator: Any, balancing: Any, requested: Any) -> None:
    balancing.listener(OK, **https(requested("files.example")))
    arguments = noop_emulator.process.args
    folder = Path(arguments[arguments.index("--data-dir") + 1])
    keys = list(folder.rglob("certificates/*.key"))
    assert len(keys) > 1
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
