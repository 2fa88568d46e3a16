"""The upstream that a command line selects."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.registry import LIVE

if TYPE_CHECKING:
    import argparse

    from samjhadoo_emulator.upstream.info import Upstream


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the upstream."""
    group = parser.add_argument_group("upstream", "What serves the AWS services that are not live.")
    group.add_argument(
        "--upstream",
        default="",
        metavar="URL",
        help="any server of AWS's API, for example LocalStack; moto in process by default",
    )
    group.add_argument(
        "--upstream-ca",
        type=Path,
        default=None,
        metavar="FILE",
        help="CA certificates that verify the upstream's https",
    )
    group.add_argument(
        "--pass-on",
        action="append",
        default=[],
        choices=LIVE,
        help="leave a live service to the upstream; may be repeated",
    )


def refused(options: argparse.Namespace) -> str:
    """Return what is wrong with the options about the upstream, empty if nothing is."""
    if not options.upstream:
        needing = [name for name in ("upstream_ca", "pass_on") if getattr(options, name)]
        return f"--{needing[0].replace('_', '-')} needs an --upstream" if needing else ""
    from samjhadoo_emulator.upstream.proxy import UpstreamAddress, UrlRefused, verifying

    try:
        target = UpstreamAddress.parse(options.upstream)
        if options.upstream_ca:
            if target.scheme != b"https":
                return f"--upstream-ca is for https, and the upstream is {options.upstream}"
            verifying(options.upstream_ca)
    except UrlRefused as error:
        return str(error)
    if target.port == _own_port(options) and _is_loopback(target.host.decode()):
        return f"--upstream {options.upstream} is this emulator itself"
    return ""


def create_upstream(options: argparse.Namespace) -> Upstream:
    """Return the upstream: the one at the URL, or moto in process."""
    if not options.upstream:
        from samjhadoo_emulator.upstream.in_process import InProcess

        return InProcess(options.account, options.region)
    from samjhadoo_emulator.lean import trim
    from samjhadoo_emulator.upstream.proxy import Proxy
    from samjhadoo_emulator.upstream.remote import Remote

    trim(options.region)  # the live services read botocore's models, too
    proxy = Proxy(options.upstream, ca=options.upstream_ca)
    return Remote(proxy, account=options.account, region=options.region)


def _own_port(options: argparse.Namespace) -> int:
    if options.fd < 0:
        return int(options.port)
    with socket.socket(fileno=os.dup(options.fd)) as listener:
        return int(listener.getsockname()[1])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
