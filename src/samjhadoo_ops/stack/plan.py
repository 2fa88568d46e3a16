"""What the supervisor is to start: everything is decided before it runs, so that it can stay small."""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct, frozen=True):
    """A user that servers run as."""

    uid: int
    gid: int


class PostgresPlan(msgspec.Struct, frozen=True):
    """PostgreSQL: its programs, the data folder it begins with, and where it works.

    Attributes:
        home: The folder of its programs.
        template: A data folder to copy.
        folder: The server's own folder, made by the supervisor.
        account: Whom it runs as; None: as us. It refuses to run as root.
        copy_home: Whether that user cannot reach `home`, so that it is copied to `folder`.
        password: The password of the role and database `samjhadoo`.

    """

    home: str
    template: str
    folder: str
    account: Account | None
    copy_home: bool
    password: str


class Ports(msgspec.Struct, frozen=True):
    """The preferred ports; 0 is any that is free."""

    edge: int
    postgres: int
    redis: int
    production: int
    test: int


class ShellPlan(msgspec.Struct, frozen=True):
    """The shell whose violent end is the stack's end."""

    pid: int
    started: float
    name: str


class Plan(msgspec.Struct, frozen=True):
    """A stack to start.

    Attributes:
        seeds: The init hooks, in their order.
        seed_variables: What they are told, beside the addresses.
        training: Whether Flyway's start-up archive is to be recorded once the stack is up.

    """

    id: str
    root: str
    environment: str
    region: str
    account: str
    minute: float
    ports: Ports
    postgres: PostgresPlan
    redis: str
    seeds: tuple[str, ...]
    seed_variables: dict[str, str]
    shell: ShellPlan | None
    training: bool
