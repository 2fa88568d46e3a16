"""Attributes of load balancers, target groups and listeners: AWS's defaults and permitted values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOLEAN = ("true", "false")
DRAINING = "deregistration_delay.timeout_seconds"
SLOW_START = "slow_start.duration_seconds"
ALGORITHM = "load_balancing.algorithm.type"
STICKY = "stickiness.enabled"
STICKY_TYPE = "stickiness.type"
STICKY_SECONDS = "stickiness.lb_cookie.duration_seconds"
IDLE = "idle_timeout.timeout_seconds"
KEEP_ALIVE = "client_keep_alive.seconds"
FORWARDED_FOR = "routing.http.xff_header_processing.mode"
PROTECTION = "deletion_protection.enabled"
PRESERVE_HOST = "routing.http.preserve_host_header.enabled"

Permitted = tuple[str, ...] | range | None
Table = dict[str, tuple[str, Permitted]]

_ANY: Permitted = None

LOAD_BALANCER: Table = {
    "access_logs.s3.enabled": ("false", BOOLEAN),
    "access_logs.s3.bucket": ("", _ANY),
    "access_logs.s3.prefix": ("", _ANY),
    "connection_logs.s3.enabled": ("false", BOOLEAN),
    "connection_logs.s3.bucket": ("", _ANY),
    "connection_logs.s3.prefix": ("", _ANY),
    "health_check_logs.s3.enabled": ("false", BOOLEAN),
    "health_check_logs.s3.bucket": ("", _ANY),
    "health_check_logs.s3.prefix": ("", _ANY),
    IDLE: ("60", range(1, 4001)),
    KEEP_ALIVE: ("3600", range(60, 604801)),
    PROTECTION: ("false", BOOLEAN),
    "load_balancing.cross_zone.enabled": ("true", ("true",)),
    "routing.http.desync_mitigation_mode": ("defensive", ("monitor", "defensive", "strictest")),
    "routing.http.drop_invalid_header_fields.enabled": ("false", BOOLEAN),
    PRESERVE_HOST: ("false", BOOLEAN),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": ("false", BOOLEAN),
    "routing.http.xff_client_port.enabled": ("false", BOOLEAN),
    FORWARDED_FOR: ("append", ("append", "preserve", "remove")),
    "routing.http2.enabled": ("true", BOOLEAN),
    "waf.fail_open.enabled": ("false", BOOLEAN),
    "zonal_shift.config.enabled": ("false", BOOLEAN),
}

TARGET_GROUP: Table = {
    DRAINING: ("300", range(3601)),
    STICKY: ("false", BOOLEAN),
    STICKY_TYPE: ("lb_cookie", ("lb_cookie", "app_cookie")),
    STICKY_SECONDS: ("86400", range(1, 604801)),
    "stickiness.app_cookie.cookie_name": ("", _ANY),
    "stickiness.app_cookie.duration_seconds": ("86400", range(1, 604801)),
    SLOW_START: ("0", range(901)),
    ALGORITHM: ("round_robin", ("round_robin", "least_outstanding_requests", "weighted_random")),
    "load_balancing.algorithm.anomaly_mitigation": ("off", ("on", "off")),
    "load_balancing.cross_zone.enabled": (
        "use_load_balancer_configuration",
        ("true", "false", "use_load_balancer_configuration"),
    ),
    "target_group_health.dns_failover.minimum_healthy_targets.count": ("1", _ANY),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": ("off", _ANY),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": ("1", _ANY),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": ("off", _ANY),
}

RESPONSE_HEADERS = {
    f"routing.http.response.{name.replace('-', '_')}.header_value": name
    for name in (
        "strict-transport-security",
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "access-control-max-age",
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
    )
}
"""The response header that each attribute of a listener sets."""
_REQUEST_HEADERS = (
    "x_amzn_mtls_clientcert_serial_number", "x_amzn_mtls_clientcert_issuer",
    "x_amzn_mtls_clientcert_subject", "x_amzn_mtls_clientcert_validity", "x_amzn_mtls_clientcert_leaf",
    "x_amzn_mtls_clientcert", "x_amzn_tls_version", "x_amzn_tls_cipher_suite",
)  # fmt: skip
LISTENER: Table = {
    "routing.http.response.server.enabled": ("true", BOOLEAN),
    **dict.fromkeys(RESPONSE_HEADERS, ("", _ANY)),
    **{f"routing.http.request.{name}.header_name": ("", _ANY) for name in _REQUEST_HEADERS},
}


def defaults(table: Table) -> dict[str, str]:
    """Return every attribute with AWS's default."""
    return {key: value for key, (value, _) in table.items()}


def describe(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return attributes in AWS's form."""
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}


def changes(table: Table, resource: str, wanted: list[dict[str, str]]) -> dict[str, str]:
    """Check the requested changes, and return them.

    Args:
        resource: What they belong to, in AWS's words (`Load balancer`).
        wanted: The request's `Attributes`.

    Raises:
        AwsError: An attribute is unknown, given twice or its value is not permitted.
    """
    result: dict[str, str] = {}
    for attribute in wanted:
        key, value = attribute.get("Key", ""), attribute.get("Value", "")
        if key not in table:
            raise validation_error(f"{resource} attribute key '{key}' is not recognized")
        if key in result:
            raise validation_error(f"{resource} attribute key '{key}' is specified more than once")
        _check(key, value, table[key][1])
        result[key] = value
    return result


def check_slow_start(attributes: Mapping[str, str]) -> None:
    """Refuse a slow start shorter than AWS permits or with an algorithm that has none."""
    seconds = int(attributes[SLOW_START])
    if 0 < seconds < 30:  # noqa: PLR2004 - AWS's lower bound
        raise validation_error(f"'{SLOW_START}' value '{seconds}' must be 0 or between '30-900' inclusive")
    if seconds and attributes[ALGORITHM] != "round_robin":
        raise AwsError(
            "InvalidConfigurationRequest",
            f"You cannot enable slow start when the load balancing algorithm is '{attributes[ALGORITHM]}'",
        )


def _check(key: str, value: str, permitted: Permitted) -> None:
    if isinstance(permitted, range):
        if not value.isdigit() or int(value) not in permitted:
            bounds = f"{permitted.start}-{permitted.stop - 1}"
            raise validation_error(f"'{key}' value '{value}' must be between '{bounds}' inclusive")
    elif isinstance(permitted, tuple) and value not in permitted:
        raise validation_error(f"'{key}' value '{value}' must be one of [{', '.join(permitted)}]")
