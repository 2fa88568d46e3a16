"""PostgreSQL for a disposable stack: a data folder made once and copied, its options, its user.

Every start begins from the seeds, so durability is switched off (`fsync = off`): a crash of the machine can
only lose data that the next start would have thrown away. PostgreSQL refuses to run as root; for root it
runs as the user `postgres` or `nobody`, in a folder that this user can read.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.artifacts import cache, pins
from samjhadoo_ops.artifacts.cache import building, cache_folder, publish
from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.processes import LOOPBACK, die_with_parent
from samjhadoo_ops.stack.plan import Account
from samjhadoo_ops.stack.state import server_parents
from samjhadoo_ops.stack.watchdog import FOLDER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.console import Progress
    from samjhadoo_ops.stack.plan import PostgresPlan

NAME = "samjhadoo"
"""The application's role and database; the role owns the database and is not a superuser, as on RDS."""

_DATA_SIZE = 32 << 20
_INITDB_TIME = 120
_SMALL_SEGMENTS = "--wal-segsize=1"
_TUNING = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "shared_buffers": "24MB",
    "max_connections": "100",
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
}


def server_account() -> Account | None:
    """Return the user that PostgreSQL runs as if this process is root, else None; may raise `OpsError`."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise OpsError(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as",
        hint="run the stack as an ordinary user",
    )


def server_folder(account: Account | None, run: Path) -> Path:
    """Return the server's folder, in the run folder or where the other user can read, or raise `OpsError`."""
    if account is None:
        return run / "postgres"
    for parent in server_parents():
        if reachable(parent) and os.access(parent, os.W_OK) and not os.statvfs(parent).f_flag & os.ST_NOEXEC:
            return parent / run.name
    raise OpsError(
        "PostgreSQL does not run as root and needs a folder that other users can read; the temporary folder, "
        "/tmp and /var/tmp are not readable for them",
        hint="set TMPDIR to a folder with mode 1777, or run the stack as an ordinary user",
    )


def reachable(folder: Path) -> bool:
    """Return whether every user can enter and read a folder."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents)) and bool(
        folder.stat().st_mode & 0o004 or folder.stat().st_mode & 0o001
    )


def template(home: Path, *, progress: Progress | None = None) -> Path:
    """Return a folder with a new data folder (`data`) and `password`; raise `OpsError` if initdb fails."""
    folder = cache_folder() / f"{pins.postgresql().folder}-data"
    if cache.intact(folder):
        return folder
    with building(folder, needed=2 * _DATA_SIZE, name="PostgreSQL's data folder") as partial:
        if not cache.intact(folder):
            if progress:
                progress("PostgreSQL: creating its data folder (once)")
            partial.mkdir(mode=0o700)
            password = secrets.token_urlsafe(18)
            _create(home, partial / "data", password)
            (partial / "password").write_text(password)
            publish(partial, folder)
    return folder


def install(plan: PostgresPlan) -> Path:
    """Fill the server's folder and return that of its programs; raise `OSError` if that is not possible."""
    folder = Path(plan.folder)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder.chmod(0o711)
    home = Path(plan.home)
    if plan.copy_home:
        home = Path(shutil.copytree(home, folder / "home", symlinks=True))
        for folder_name, _, _ in os.walk(home):
            Path(folder_name).chmod(0o755)
    data = folder / "data"
    shutil.copytree(Path(plan.template) / "data", data, symlinks=True)
    _change_owner(data, plan.account)
    return home


def tuning() -> list[str]:
    """Return the options of a server whose data is disposable."""
    return [f"-c{name}={value}" for name, value in _TUNING.items()]


def command(home: Path, folder: Path, port: int) -> list[str]:
    """Return the server's command line."""
    address = [f"-clisten_addresses={LOOPBACK}", "-cunix_socket_directories=", f"-cport={port}"]
    return [str(home / "bin" / "postgres"), "-D", str(folder / "data"), *address, *tuning()]


def is_ready(folder: Path) -> bool:
    """Return whether the server accepts connections, as the last line of its pid file shows."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().split("\n")
    except OSError:
        return False
    return any(line.strip() == "ready" for line in lines[7:])


def _create(home: Path, data: Path, password: str) -> None:
    """Create a data folder with the application's role and database, as the server's user."""
    account = server_account()
    with _scratch(account) as scratch:
        programs = home
        if account is not None and not reachable(home):
            programs = Path(shutil.copytree(home, scratch / "home", symlinks=True))
        (scratch / "superuser").write_text(secrets.token_urlsafe(18))
        _change_owner(scratch, account)
        made = scratch / "data"
        initdb = [
            *(
                str(programs / "bin" / "initdb"),
                "-D",
                str(made),
                "-U",
                "postgres",
                "--no-sync",
                _SMALL_SEGMENTS,
            ),
            *("--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", f"--pwfile={scratch / 'superuser'}"),
        ]
        _run(initdb, "", account, scratch)
        single = [str(programs / "bin" / "postgres"), "--single", "-F", "-D", str(made), "postgres"]
        _run(single, "\n".join(statements(password)) + "\n", account, scratch)
        shutil.copytree(made, data, symlinks=True)


def statements(password: str) -> list[str]:
    """Return the SQL that creates the application's role, with this password, and its database."""
    return [
        f"CREATE ROLE {NAME} LOGIN CREATEDB CREATEROLE PASSWORD '{password}';",
        f"GRANT pg_monitor, pg_signal_backend TO {NAME};",
        f"CREATE DATABASE {NAME} OWNER {NAME};",
    ]


class _scratch:  # noqa: N801 - a context manager, used like a function
    """A temporary folder that the server's user can read."""

    def __init__(self, account: Account | None) -> None:
        parent = Path(tempfile.gettempdir()) if account is None else _first_reachable()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}initdb-", dir=parent))

    def __enter__(self) -> Path:
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _first_reachable() -> Path:
    account = Account(uid=0, gid=0)
    return server_folder(account, Path("unused")).parent


def _run(command_line: list[str], text: str, account: Account | None, folder: Path) -> None:
    prepare = die_with_parent(uid=account.uid if account else None, gid=account.gid if account else None)
    run = subprocess.run(
        command_line,
        input=text,
        capture_output=True,
        text=True,
        timeout=_INITDB_TIME,
        check=False,
        cwd=folder,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        preexec_fn=prepare,
    )
    if run.returncode or "ERROR:" in run.stderr + run.stdout:
        raise OpsError(
            f"PostgreSQL's data folder could not be created: {Path(command_line[0]).name} "
            f"exited with code {run.returncode}",
            details=tuple((run.stdout + run.stderr).splitlines()[-20:]),
        )


def _change_owner(folder: Path, account: Account | None) -> None:
    """Make the server's user the owner of a tree: the server refuses a data folder that others can read."""
    folder.chmod(0o700)
    if account is None:
        return
    for path in _walk(folder):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _walk(folder: Path) -> Iterator[str]:
    yield str(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield os.path.join(parent, name)  # noqa: PTH118 - there are a thousand
