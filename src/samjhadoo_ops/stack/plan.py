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

    """

    home: str
    template: str
    folder: str
    account: Account | None
    copy_home: bool


class HostServers(msgspec.Struct, frozen=True, tag="embedded"):
    """Servers that are processes of this machine; `redis` is the path of its program."""

    postgres: PostgresPlan
    redis: str


class ContainerServers(msgspec.Struct, frozen=True, tag="containers"):
    """Servers that are containers, by their images.

    Attributes:
        localstack: LocalStack's image; empty when something else is the upstream.
        localstack_variables: LocalStack's own settings.
        pause: The image that holds a task's network.
        engine: The address of the Docker engine; empty for the usual one.

    """

    postgres: str
    redis: str
    localstack: str
    localstack_variables: dict[str, str]
    pause: str
    engine: str


class Ports(msgspec.Struct, frozen=True):
    """The preferred ports; 0 is any that is free."""

    edge: int
    postgres: int
    redis: int
    production: int
    test: int
    localstack: int = 0


class Starter(msgspec.Struct, frozen=True):
    """The process whose end is the stack's end.

    Attributes:
        name: What it is called in messages.
        started: When it started, as `exits.started` tells.
        exit_counts: Whether it may not exit either. A shell may: the stack stays behind it.

    """

    name: str
    pid: int
    started: float
    exit_counts: bool


class Plan(msgspec.Struct, frozen=True):
    """A stack to start.

    Attributes:
        password: The password of the role and database `samjhadoo`.
        servers: PostgreSQL, Redis and, in containers, LocalStack.
        emulator: Options of the emulator's, beside those that every stack gives it.
        variables: The emulator's variables: what no command line may show.
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
    password: str
    servers: HostServers | ContainerServers
    emulator: tuple[str, ...]
    variables: dict[str, str]
    seeds: tuple[str, ...]
    seed_variables: dict[str, str]
    starter: Starter | None
    training: bool

    @property
    def kind(self) -> str:
        """Return the kind of stack."""
        return "embedded" if isinstance(self.servers, HostServers) else "containers"
