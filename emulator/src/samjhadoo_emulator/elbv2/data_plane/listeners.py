"""Listeners as Envoy listeners: ports, time-outs, the headers and error pages of an ALB."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2 import attributes as keys
from samjhadoo_emulator.elbv2.data_plane.documents import (
    MOST_HEADERS,
    SOURCE,
    Document,
    extension,
    seconds,
    typed,
)
from samjhadoo_emulator.elbv2.data_plane.encryption import plain_http, tls_inspector, transport
from samjhadoo_emulator.elbv2.data_plane.routes import (
    CLIENT_ADDRESS,
    LUA,
    SERVER,
    STATEFUL_SESSION,
    UNAVAILABLE,
    page,
)
from samjhadoo_emulator.elbv2.data_plane.traffic import access_loggers
from samjhadoo_emulator.elbv2.model import LOOPBACK
from samjhadoo_emulator.elbv2.names import slug

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.certificates.store import KeyPairFiles
    from samjhadoo_emulator.elbv2.model import Listener, LoadBalancer

MOST_REQUEST_HEADERS = 64
"""KiB of a request's line and headers [AWS: quotas of application load balancers]."""
ERRORS = {
    # Envoy's response flags, and what an ALB answers then.
    "502 Bad Gateway": ["UF", "UC", "UR", "UPE", "LR"],
    UNAVAILABLE: ["UH", "NC", "NR", "UO"],
    "504 Gateway Time-out": ["UT", "SI"],
}


def listener_name(listener_arn: str) -> str:
    """Return the name of a listener, of its routes and of its statistics."""
    return slug(listener_arn)


def listener(balancer: LoadBalancer, wanted: Listener, files: Callable[[str], KeyPairFiles]) -> Document:
    """Return an Envoy listener.

    Args:
        balancer: The load balancer, whose attributes hold time-outs and headers.
        wanted: The listener.
        files: Returns the files of a certificate, by its ARN.
    """
    name = listener_name(wanted.arn)
    chain: Document = {"filters": [_http(name, balancer, wanted)]}
    served: Document = {"filter_chains": [chain]}
    if wanted.protocol == "HTTPS":
        chain["filter_chain_match"] = {"transport_protocol": "tls"}
        chain["transport_socket"] = transport(wanted, files, http2=_has_http2(balancer.attributes))
        served = {"filter_chains": [chain, plain_http(name)], "listener_filters": [tls_inspector()]}
    return typed(
        "config.listener.v3.Listener",
        name=name,
        stat_prefix=name,
        address={"socket_address": {"address": LOOPBACK, "port_value": wanted.bound_port}},
        # With it, another process could bind the port, too, and would silently get some of its connections.
        enable_reuse_port=False,
        **served,
    )


def _http(name: str, balancer: LoadBalancer, wanted: Listener) -> Document:
    attributes = balancer.attributes
    return extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="AUTO" if _has_http2(attributes) else "HTTP1",
        rds={"route_config_name": name, "config_source": SOURCE},
        http_filters=_filters(),
        access_log=access_loggers(name),
        early_header_mutation_extensions=[_request_headers(attributes, wanted)],
        # Headers are made above: Envoy would put this host's own address for a loopback client's.
        use_remote_address=False,
        skip_xff_append=True,
        generate_request_id=False,
        server_header_transformation="PASS_THROUGH",
        max_request_headers_kb=MOST_REQUEST_HEADERS,
        stream_idle_timeout=seconds(int(attributes[keys.IDLE])),
        common_http_protocol_options={
            "idle_timeout": seconds(int(attributes[keys.IDLE])),
            "max_headers_count": MOST_HEADERS,
            "max_connection_duration": seconds(int(attributes[keys.KEEP_ALIVE])),
        },
        http1_safe_max_connection_duration=True,
        http_protocol_options={"accept_http_10": True, "default_host_for_http_10": balancer.dns_name},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        local_reply_config={
            "mappers": [_too_large(), *(_error(status, flags) for status, flags in ERRORS.items())]
        },
    )


def _has_http2(attributes: dict[str, str]) -> bool:
    return attributes["routing.http2.enabled"] == "true"


def _filters() -> list[Document]:
    return [
        extension(
            LUA, "extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": _script()}
        ),
        extension(STATEFUL_SESSION, "extensions.filters.http.stateful_session.v3.StatefulSession"),
        extension(
            "envoy.filters.http.router",
            "extensions.filters.http.router.v3.Router",
            suppress_envoy_headers=True,
        ),
    ]


def _request_headers(attributes: dict[str, str], wanted: Listener) -> Document:
    address = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
    mutations = [
        _overwrite(CLIENT_ADDRESS, address),
        _overwrite("x-forwarded-proto", wanted.protocol.lower()),
        _overwrite("x-forwarded-port", str(wanted.bound_port)),
    ]
    mode = attributes[keys.FORWARDED_FOR]
    if mode == "append":
        with_port = attributes["routing.http.xff_client_port.enabled"] == "true"
        client = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%" if with_port else address
        header = {"key": "x-forwarded-for", "value": client}
        mutations.append({"append": {"header": header, "append_action": "APPEND_IF_EXISTS_OR_ADD"}})
    elif mode == "remove":
        mutations.append({"remove": "x-forwarded-for"})
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=mutations,
    )


def _overwrite(key: str, value: str) -> Document:
    header = {"key": key, "value": value}
    return {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def _too_large() -> Document:
    """Answer 400, as an ALB does, where Envoy answers that headers are too large."""
    status = {"comparison": {"value": {"default_value": 431, "runtime_key": "samjhadoo.too-large"}}}
    return _reply("400 Bad Request", {"status_code_filter": status})


def _error(title: str, flags: list[str]) -> Document:
    filtered: Document = {"response_flag_filter": {"flags": flags}}
    if title.startswith("504"):
        # The idle time-out of a request that was never complete stays a 408.
        status = {"comparison": {"value": {"default_value": 504, "runtime_key": "samjhadoo.timeout"}}}
        filtered = {"and_filter": {"filters": [filtered, {"status_code_filter": status}]}}
    return _reply(title, filtered)


def _reply(title: str, filtered: Document) -> Document:
    return {
        "filter": filtered,
        "status_code": int(title[:3]),
        "body_format_override": {
            "text_format_source": {"inline_string": page(title)},
            "content_type": "text/html",
        },
        "headers_to_add": [
            {
                "header": {"key": "server", "value": SERVER},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }


@cache
def _script() -> str:
    return Path(__file__).with_name("alb.lua").read_text()
