"""A listener's rules as Envoy routes: in order of priority, the default rule last."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2 import attributes as keys
from samjhadoo_emulator.elbv2.conditions import expressions, values
from samjhadoo_emulator.elbv2.data_plane.clusters import cluster_name
from samjhadoo_emulator.elbv2.data_plane.documents import ACTIVE, SUBSET, Document, typed
from samjhadoo_emulator.elbv2.names import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.elbv2.model import Listener, Rule, TargetGroup

_SPECIAL = re.compile(r"[^0-9A-Za-z_ -]")
_BITS = 8
_EVERY_OCTET = r"\d{1,3}"


def quote(text: str) -> str:
    """Return an expression that matches `text` literally."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}" if match[0].isascii() else match[0], text)


def wildcard(pattern: str, *, anything: str = ".") -> str:
    """Return an expression for a pattern in which `*` is any characters and `?` exactly one."""
    symbols = {"*": f"{anything}*", "?": anything}
    return "".join(symbols.get(character) or quote(character) for character in pattern)


def either(expressions: list[str]) -> str:
    """Return an expression that matches what one of `expressions` matches."""
    return (
        expressions[0] if len(expressions) == 1 else f"(?:{'|'.join(f'(?:{each})' for each in expressions)})"
    )


def query(pairs: list[dict[str, Any]]) -> str:
    """Return an expression for a path whose query holds one of the pairs; without a key, any key's value.

    Values are compared as they stand in the address, escapes included, without regard to case (as AWS).
    """
    alternatives = []
    for pair in pairs:
        key = wildcard(pair["Key"], anything="[^&=]") if pair.get("Key") else "[^&=]*"
        alternatives.append(f"{key}={wildcard(pair['Value'], anything='[^&]')}")
    return rf"(?i)[^?]*\?(?:.*&)?(?:{either(alternatives)})(?:&.*)?"


def address_block(block: str) -> str:
    """Return an expression for the IPv4 addresses of a block in CIDR notation.

    Everything listens on an IPv4 loopback address, so no client has an address of an IPv6 block.
    """
    network = ipaddress.ip_network(block)
    if network.version != 4:  # noqa: PLR2004
        return r"[^\s\S]"
    octets = []
    for position, octet in enumerate(network.network_address.packed):
        fixed = min(_BITS, max(0, network.prefixlen - position * _BITS))
        if fixed == _BITS:
            octets.append(str(octet))
        elif fixed == 0:
            octets.append(_EVERY_OCTET)
        else:
            octets.append(either([str(octet + each) for each in range(1 << (_BITS - fixed))]))
    return r"\.".join(octets)


CLIENT_ADDRESS = "x-samjhadoo-client-address"
"""A header between the listener and its routes: the client's address; no target ever sees it."""

SERVER = "awselb/2.0"
LUA = "envoy.filters.http.lua"
STATEFUL_SESSION = "envoy.filters.http.stateful_session"
GROUP_COOKIE = "AWSALBTG"
TARGET_COOKIE = "AWSALB"
UNAVAILABLE = "503 Service Temporarily Unavailable"
_IN_SUBSET = {"filter_metadata": {SUBSET: {"state": ACTIVE}}}


def route_configuration(
    name: str, listener: Listener, groups: Mapping[str, TargetGroup], ports: Mapping[int, int]
) -> Document:
    """Return the routes of a listener.

    Args:
        groups: The target groups by ARN.
        ports: Where the load balancer's listeners really listen, by their ports.
    """
    routes = [route for rule in listener.in_order() for route in _routes(rule, listener, groups, ports)]
    document = typed(
        "config.route.v3.RouteConfiguration",
        name=name,
        virtual_hosts=[{"name": "all", "domains": ["*"], "routes": routes}],
        request_headers_to_remove=[CLIENT_ADDRESS],
    )
    wanted = {name: listener.attributes[key] for key, name in keys.RESPONSE_HEADERS.items()}
    document["response_headers_to_add"] = _set_headers(
        {name: value.replace("%", "%%") for name, value in wanted.items() if value}
    )
    if listener.attributes["routing.http.response.server.enabled"] == "false":
        document["response_headers_to_remove"] = ["server"]
    return document


def _routes(
    rule: Rule, listener: Listener, groups: Mapping[str, TargetGroup], ports: Mapping[int, int]
) -> Iterator[Document]:
    match = _match(rule.conditions)
    action = rule.actions[0]
    if action["Type"] == "forward":
        yield from _forward(match, action["ForwardConfig"], groups)
    elif action["Type"] == "redirect":
        yield {"match": match, **_redirect(action["RedirectConfig"], listener, ports)}
    else:
        yield {"match": match, **_fixed_response(action["FixedResponseConfig"])}


# --- conditions


def _match(conditions: list[dict[str, Any]]) -> Document:
    match: Document = {"headers": []}
    for condition in conditions:
        if condition["Field"] == "path-pattern":
            match["safe_regex"] = {"regex": _texts(condition)}
        else:
            match["headers"].append(_header(condition))
    return match if "safe_regex" in match else {"prefix": "/", **match}


def _texts(condition: dict[str, Any]) -> str:
    return either([*map(wildcard, values(condition)), *expressions(condition)])


def _header(condition: dict[str, Any]) -> Document:
    field = condition["Field"]
    if field == "host-header":
        return _matches(":authority", rf"(?i){_texts(condition)}(?::\d+)?")
    if field == "http-header":
        name = condition["HttpHeaderConfig"]["HttpHeaderName"].lower()
        return _matches(":authority" if name == "host" else name, f"(?i){_texts(condition)}")
    if field == "http-request-method":
        return _matches(":method", either([quote(method) for method in values(condition)]))
    if field == "query-string":
        return _matches(":path", query(values(condition)))
    return _matches(CLIENT_ADDRESS, either([address_block(each) for each in values(condition)]))


def _matches(name: str, expression: str) -> Document:
    return {"name": name, "string_match": {"safe_regex": {"regex": expression}}}


# --- actions


def _forward(
    match: Document, config: dict[str, Any], groups: Mapping[str, TargetGroup]
) -> Iterator[Document]:
    weighted = [group for group in config["TargetGroups"] if group["Weight"]]
    stickiness = config["TargetGroupStickinessConfig"]
    seconds = stickiness["DurationSeconds"] if stickiness["Enabled"] else 0
    if seconds:
        # A client that holds a group's cookie stays there, whatever the weights: as on AWS.
        for group in config["TargetGroups"]:
            yield {
                "match": {**match, "headers": [*match["headers"], _holds_cookie(group["TargetGroupArn"])]},
                **_to_groups([group], groups, seconds),
            }
    if weighted:
        yield {"match": match, **_to_groups(weighted, groups, seconds)}
    else:
        yield {"match": match, **_answer(503, page(UNAVAILABLE), "text/html")}


def _holds_cookie(target_group: str) -> Document:
    return _matches("cookie", rf"(?:.*;\s*)?{GROUP_COOKIE}={quote(slug(target_group))}(?:;.*)?")


def _to_groups(
    wanted: list[dict[str, Any]], groups: Mapping[str, TargetGroup], sticky_seconds: int
) -> Document:
    clusters = []
    for group in wanted:
        arn = group["TargetGroupArn"]
        entry: Document = {
            "name": cluster_name(arn),
            "weight": group["Weight"] or 1,
            "metadata_match": _IN_SUBSET,
            **_sticky_targets(groups[arn]),
        }
        if sticky_seconds:
            cookie = f"{GROUP_COOKIE}={slug(arn)}; Max-Age={sticky_seconds}; Path=/"
            entry["response_headers_to_add"] = [
                {"header": {"key": "set-cookie", "value": cookie}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
            ]
        clusters.append(entry)
    # No time-out of its own: the load balancer's idle time-out bounds a request, as on AWS.
    return {"route": {"timeout": "0s", "weighted_clusters": {"clusters": clusters}}}


def _sticky_targets(group: TargetGroup) -> Document:
    attributes = group.attributes
    if attributes[keys.STICKY] != "true" or attributes[keys.STICKY_TYPE] != "lb_cookie":
        return {}
    state = {
        "name": "envoy.http.stateful_session.cookie",
        "typed_config": typed(
            "extensions.http.stateful_session.cookie.v3.CookieBasedSessionState",
            cookie={"name": TARGET_COOKIE, "path": "/", "ttl": f"{attributes[keys.STICKY_SECONDS]}s"},
        ),
    }
    per_route = typed(
        "extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute",
        stateful_session={"session_state": state},
    )
    return {"typed_per_filter_config": {STATEFUL_SESSION: per_route}}


def _redirect(config: dict[str, Any], listener: Listener, ports: Mapping[int, int]) -> Document:
    status = config["StatusCode"].removeprefix("HTTP_")
    title = f"{status} {'Moved Permanently' if status == '301' else 'Found'}"
    wanted = {
        "scheme": listener.protocol.lower(),
        "listener_port": str(listener.bound_port),
        "status": status,
        "body": page(title),
        **{key.lower(): config[key] for key in ("Protocol", "Port", "Host", "Path", "Query")},
    }
    if config["Port"].isdigit():  # a redirect to another listener leads to where that one listens
        wanted["port"] = str(ports.get(int(config["Port"]), config["Port"]))
    # Answered by alb.lua, which reads this; the direct response only makes the route complete.
    return {"metadata": {"filter_metadata": {LUA: {"redirect": wanted}}}, "direct_response": {"status": 500}}


def _fixed_response(config: dict[str, Any]) -> Document:
    return _answer(
        int(config["StatusCode"]), config.get("MessageBody", ""), config.get("ContentType", "text/plain")
    )


def _set_headers(headers: Mapping[str, str]) -> list[Document]:
    return [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in headers.items()
    ]


def _answer(status: int, body: str, content_type: str) -> Document:
    headers = {"content-type": content_type, "server": SERVER}
    document: Document = {
        "direct_response": {"status": status},
        "response_headers_to_add": _set_headers(headers),
    }
    if body:
        document["direct_response"]["body"] = {"inline_string": body}
    return document


def page(title: str) -> str:
    """Return the page that a load balancer shows for a status of its own."""
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
