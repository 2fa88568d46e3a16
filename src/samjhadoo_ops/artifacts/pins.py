"""The artifacts that this version uses, with their sizes and checksums (`pins.toml`)."""

from __future__ import annotations

import platform
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from samjhadoo_ops.errors import OpsError

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Pin:
    """A file of a Maven repository: `group:artifact:version`, SHA-256 in hexadecimal, size in bytes."""

    coordinate: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Package:
    """The files of one folder in the cache, which takes `unpacked` bytes."""

    name: str
    version: str
    folder: str
    pins: tuple[Pin, ...]
    unpacked: int

    @property
    def size(self) -> int:
        """The size of the download, in bytes."""
        return sum(pin.size for pin in self.pins)


def platform_key() -> str:
    """Return this machine's platform in the pins (`linux-x86_64`, …); raise `OpsError` if it has none."""
    machine = platform.machine().lower()
    key = f"{sys.platform}-{_ARCHITECTURES.get(machine, machine)}"
    known = _table()["postgresql"]
    if key not in known:
        raise OpsError(
            f"the embedded stack has no PostgreSQL for {key}, only for {', '.join(known)}",
            hint="use the containers stack: SAMJHADOO_STACK=containers",
        )
    return key


def postgresql(key: str = "") -> Package:
    """Return PostgreSQL for a platform, by default this machine's."""
    key = key or platform_key()
    pin = _table()["postgresql"][key]
    return Package(
        name=f"PostgreSQL {pin['version']}",
        version=pin["version"],
        folder=f"postgresql-{pin['version']}-{key}",
        pins=(Pin(pin["coordinate"], pin["sha256"], pin["size"]),),
        unpacked=pin["unpacked"],
    )


def flyway() -> Package:
    """Return Flyway's command line."""
    table = _table()["flyway"]
    pins = tuple(Pin(name, jar["sha256"], jar["size"]) for name, jar in table["jars"].items())
    return Package(
        name=f"Flyway {table['version']}",
        version=table["version"],
        folder=f"flyway-{table['version']}",
        pins=pins,
        unpacked=sum(pin.size for pin in pins),
    )


def flyway_main() -> str:
    """Return the main class of Flyway's command line."""
    return str(_table()["flyway"]["main"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("pins.toml").read_text())
