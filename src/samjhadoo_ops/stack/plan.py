"""The plan of a stack: everything is decided before the supervisor runs, so that it can stay small."""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct, frozen=True):
    """A user that servers run as."""

    uid: int
    gid: int


class PostgresPlan(msgspec.Struct, frozen=True):
    """PostgreSQL: its programs, the data folder that it starts from, and the one it works in.

    Attributes:
        template: A data folder to copy.
        folder: The server's own folder, made by the supervisor.
        account: The user that it runs as, since it refuses to run as root; None for the current user.
        copy_home: Whether to copy `home` to `folder`, because that user cannot read it.
    """

    home: str
    template: str
    folder: str
    account: Account | None
    copy_home: bool


class HostServers(msgspec.Struct, frozen=True, tag="embedded"):
    """Servers that run as processes of this machine; `redis` is the path of its program."""

    postgres: PostgresPlan
    redis: str


class ContainerServers(msgspec.Struct, frozen=True, tag="containers"):
    """Servers that run in containers, by their images.

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
        started: When it started: see `processes.start_time`.
        exit_counts: Whether the stack also ends when it exits. After a shell's exit it keeps running.
    """

    name: str
    pid: int
    started: str
    exit_counts: bool


class StackPlan(msgspec.Struct, frozen=True):
    """A stack to start.

    Attributes:
        password: The password of the role and database `samjhadoo`.
        redis_password: The password of Redis.
        servers: PostgreSQL, Redis and, in containers, LocalStack.
        emulator: Further options for the emulator.
        variables: Environment variables for the emulator: what no command line may show.
        seeds: The init hooks, in the order in which they run.
        seed_variables: Environment variables for them; the addresses are added.
        stacks: Whether the command that starts it makes the environment's stacks before it is up.
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
    redis_password: str
    servers: HostServers | ContainerServers
    emulator: tuple[str, ...]
    variables: dict[str, str]
    seeds: tuple[str, ...]
    seed_variables: dict[str, str]
    starter: Starter | None
    stacks: bool
    training: bool

    @property
    def kind(self) -> str:
        """The kind of stack."""
        return "embedded" if isinstance(self.servers, HostServers) else "containers"
