"""Conditions of rules: checked and brought into the form in which AWS shows them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from samjhadoo_emulator.errors import validation_error

CONFIGS = {
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "path-pattern": "PathPatternConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
SHORTHAND = ("host-header", "path-pattern")
REPEATABLE = ("http-header", "query-string")
LONGEST_VALUE = 128
LONGEST_NAME = 40
MOST_VALUES = 5
MOST_WILDCARDS = 5
_METHOD = re.compile("[A-Z_-]+")
_NOT_IN_RE2 = re.compile(r"\(\?(?:[=!>]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
"""Syntax of Python's regular expressions that RE2, which Envoy uses, lacks."""


def normalise(conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a rule's conditions as AWS shows them.

    Raises:
        AwsError: A condition is malformed, or there are too many.
    """
    if not conditions:
        raise validation_error("A condition must be specified")
    fields = [condition.get("Field", "") for condition in conditions]
    for field in fields:
        if field not in CONFIGS:
            raise validation_error(f"Condition field '{field}' must be one of '[{','.join(CONFIGS)}]'")
        if field not in REPEATABLE and fields.count(field) > 1:
            raise validation_error(f"A rule can only have one '{field}' condition")
    result = [_normalised(condition) for condition in conditions]
    _check_amounts(result)
    return result


def values(condition: dict[str, Any]) -> list[Any]:
    """Return a normalised condition's values, expressions excluded."""
    found: list[Any] = condition[CONFIGS[condition["Field"]]].get("Values", [])
    return found


def expressions(condition: dict[str, Any]) -> list[str]:
    """Return a normalised condition's regular expressions."""
    found: list[str] = condition[CONFIGS[condition["Field"]]].get("RegexValues", [])
    return found


def _normalised(condition: dict[str, Any]) -> dict[str, Any]:
    field = condition["Field"]
    name = CONFIGS[field]
    given = condition.get("Values")
    config = condition.get(name)
    if given and field not in SHORTHAND:
        raise validation_error(f"The 'Values' field is not compatible with '{field}'")
    if given and config:
        raise validation_error(
            f"You cannot provide both Values and '{name}' for a condition of type '{field}'"
        )
    if config is None:
        if field not in SHORTHAND:
            raise validation_error(f"A '{name}' must be specified with '{field}'")
        config = {key: condition[key] for key in ("Values", "RegexValues") if condition.get(key)}
    if not config.get("Values") and not config.get("RegexValues"):
        raise validation_error("A condition value must be specified")
    _CHECKS[field](config)
    for expression in config.get("RegexValues", []):
        _check_expression(field, expression)
    shown: dict[str, Any] = {"Field": field, name: config}
    return {**shown, "Values": config["Values"]} if field in SHORTHAND and config.get("Values") else shown


def _check_texts(field: str, texts: list[str]) -> None:
    for text in texts:
        if len(text) > LONGEST_VALUE:
            raise validation_error(f"The '{field}' value is too long; the limit is '{LONGEST_VALUE}'")


def _check_header(config: dict[str, Any]) -> None:
    name = config.get("HttpHeaderName", "")
    if not name:
        raise validation_error("An 'HttpHeaderName' must be specified with 'http-header'")
    if len(name) > LONGEST_NAME:
        raise validation_error(f"The 'HttpHeaderName' value is too long; the limit is '{LONGEST_NAME}'")
    _check_texts("http-header", config.get("Values", []))


def _check_methods(config: dict[str, Any]) -> None:
    for method in config.get("Values", []):
        if len(method) > LONGEST_NAME:
            raise validation_error(
                f"The 'http-request-method' value is too long; the limit is '{LONGEST_NAME}'"
            )
        if not _METHOD.fullmatch(method):
            raise validation_error(
                "The 'http-request-method' value is invalid; the allowed characters are"
                " A-Z, hyphen and underscore"
            )


def _check_query(config: dict[str, Any]) -> None:
    for pair in config.get("Values", []):
        if "Value" not in pair:
            raise validation_error("A 'Value' must be specified in 'QueryStringKeyValuePair'")
        for member in ("Key", "Value"):
            if len(pair.get(member, "")) > LONGEST_VALUE:
                raise validation_error(f"The '{member}' value is too long; the limit is '{LONGEST_VALUE}'")


def _check_addresses(config: dict[str, Any]) -> None:
    for block in config.get("Values", []):
        try:
            ipaddress.ip_network(block)
        except ValueError as error:
            raise validation_error(f"The CIDR block '{block}' is not valid") from error
        if "/" not in block:
            raise validation_error(f"The CIDR block '{block}' is not valid")


_CHECKS = {
    "host-header": lambda config: _check_texts("host-header", config.get("Values", [])),
    "http-header": _check_header,
    "http-request-method": _check_methods,
    "path-pattern": lambda config: _check_texts("path-pattern", config.get("Values", [])),
    "query-string": _check_query,
    "source-ip": _check_addresses,
}


def _check_expression(field: str, expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise validation_error(f"The '{field}' regex value '{expression}' is not valid") from error
    if _NOT_IN_RE2.search(expression):
        raise validation_error(f"The '{field}' regex value '{expression}' uses lookarounds or references")


def _check_amounts(conditions: list[dict[str, Any]]) -> None:
    amount = sum(len(values(condition)) + len(expressions(condition)) for condition in conditions)
    if amount > MOST_VALUES:
        raise validation_error(f"A rule can only have '{MOST_VALUES}' condition values")
    texts = [
        text
        for condition in conditions
        if condition["Field"] not in ("http-request-method", "source-ip")
        for value in values(condition)
        for text in (value.values() if isinstance(value, dict) else (value,))
    ]
    if sum(text.count("*") + text.count("?") for text in texts) > MOST_WILDCARDS:
        raise validation_error(f"A rule can only have '{MOST_WILDCARDS}' condition wildcards")
