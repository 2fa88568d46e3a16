"""The guard's part of the emulator's command line."""

from __future__ import annotations

import argparse
import logging
import pwd
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.guard.handler import Guard
from samjhadoo_emulator.guard.keys import Keys, key_of
from samjhadoo_emulator.guard.peers import Peers, trusted_users
from samjhadoo_emulator.guard.rules import KEY_NEEDS, AccessRules, own_origins, parse_host, parse_origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.service import AwsApi

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("who may use it, besides your own programs")
    add = partial(group.add_argument, action="append", default=[])
    add(
        "--allow-origin",
        type=_checked(parse_origin),
        metavar="ORIGIN",
        help="web pages of this origin, for example http://localhost:3000; may be repeated",
    )
    add(
        "--allow-host",
        type=_checked(parse_host),
        metavar="NAME",
        help="further name under which clients reach it, or *.NAME; may be repeated",
    )
    add(
        "--allow-user",
        type=_checked(_user_id),
        metavar="USER",
        help="another user of this machine, by name or id; may be repeated",
    )
    group.add_argument(
        "--key-file",
        type=Path,
        help="file with a key that clients send as their access key id; it is made if there is none",
    )
    group.add_argument(
        "--require-key",
        choices=KEY_NEEDS,
        help="who has to send the key: clients whose user is unknown (the default with --key-file: "
        "on other machines, in containers, on macOS), always everybody, or never",
    )


def keys_for(options: argparse.Namespace) -> Keys:
    """Return the keys that clients may send.

    Raises:
        ConfigurationError: The key's file cannot be used.
    """
    return Keys(key_of(options.key_file) if options.key_file else "")


def refused(options: argparse.Namespace) -> str:
    """Return why these options do not go together; empty if they do."""
    needs_file = options.require_key not in (None, "never") and not options.key_file
    return f"--require-key {options.require_key} needs a --key-file" if needs_file else ""


def create_guard(options: argparse.Namespace, keys: Keys, aws: Callable[[], AwsApi]) -> Guard:
    """Return the guard of an edge.

    Args:
        options: The command line's; `port` is the edge's.
        keys: The keys that clients may send.
        aws: Gives the AWS API.
    """
    policy = AccessRules(
        own_origins=own_origins(options.host, options.port),
        origins=frozenset(options.allow_origin),
        hosts=frozenset({options.host, *options.allow_host}),
        key=options.require_key or ("unknown" if options.key_file else "never"),
    )
    peers = Peers(trusted_users(options.allow_user))
    if policy.key == "never" and not (peers.answers and _is_loopback(options.host)):
        log.warning("everybody who reaches this address can use the emulator: --key-file asks for a key")
    return Guard(policy, peers=peers, keys=keys, bucket_rules=partial(_bucket_rules, aws))


async def _bucket_rules(aws: Callable[[], AwsApi], bucket: str) -> list[dict[str, Any]] | None:
    """Return the CORS rules of a bucket; None where there is no such bucket."""
    try:
        rules: list[dict[str, Any]] = (await aws().call("s3", "GetBucketCors", Bucket=bucket))["CORSRules"]
    except AwsError as error:
        return [] if error.code == "NoSuchCORSConfiguration" else None
    return rules


def _user_id(text: str) -> int:
    try:
        return int(text) if text.isdecimal() else pwd.getpwnam(text).pw_uid
    except KeyError:
        raise ValueError(f"{text!r}: there is no such user on this machine") from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked
