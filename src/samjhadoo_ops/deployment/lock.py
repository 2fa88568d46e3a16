"""One deployment per service at a time: a lock with a lease, kept in the journal's bucket.

The lock is one object. It is taken by creating it, or by replacing a released, expired or orphaned one at
the exact version that was read; a lost race is seen, not guessed. While it is held a thread renews it. Its
age is measured by S3's own clock, so owners need not agree about the time. Released locks stay as objects,
so that every acquisition has a number (`token`) greater than the one before. An owner that could not
renew its lease in time stops acting by itself, before anybody else may begin.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec.structs import replace

from samjhadoo_ops.clock import in_words
from samjhadoo_ops.deployment.journal import run_url, this_user
from samjhadoo_ops.deployment.objects import Conflict, Unreadable, decoded
from samjhadoo_ops.errors import PersonNeeded, Refused
from samjhadoo_ops.processes import is_running, start_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from samjhadoo_ops.deployment.objects import ObjectStore, StoredObject

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")

TITLE = "deployment lock"
_RENEWALS_PER_LEASE = 3
_SAFE_SHARE = 0.9  # of a lease; S3's clock counts whole seconds
_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


def kernel_id() -> str:
    """Return what names this kernel's boot and process namespace; empty where that is unknown."""
    try:
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""


def is_gone(where: str, pid: int, started: str) -> bool:
    """Return whether a process is surely gone; one of another kernel never is."""
    return bool(where) and bool(started) and where == kernel_id() and not is_running(pid, started)


class LockOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, for what, since when.

    Attributes:
        kernel: Where the process runs, see `kernel_id`.
        started: When the process started, see `processes.start_time`; empty where the kernel is unknown.
        nonce: Differs with every acquisition, also of one process.
        run: Where the run can be watched, in CI.
        token: Greater with every acquisition.
        lease: Real seconds after a renewal until anybody may take it.
        deploy: The journal's deploy, once there is one.
        deployment: The pinned service deployment, once there is one.
        renewals: How often the lease has been renewed; makes every version differ.
    """

    user: str
    host: str
    pid: int
    reason: str
    acquired: str
    token: int
    kernel: str = ""
    started: str = ""
    nonce: str = ""
    run: str = ""
    lease: float = 0.0
    deploy: str = ""
    deployment: str = ""
    renewals: int = 0
    released: bool = False

    @property
    def orphaned(self) -> bool:
        """Return whether its process is surely gone."""
        return is_gone(self.kernel, self.pid, self.started)

    def free(self, age: float) -> bool:
        """Return whether anybody may take the lock; `age`: seconds since its renewal, as the store counts."""
        return self.released or age > self.lease or self.orphaned

    @property
    def damage(self) -> str:
        """Return why the lock's object cannot be read; empty when it can."""
        return ""

    def __str__(self) -> str:
        where = f", {self.run}" if self.run else ""
        return (
            f"{self.user}@{self.host} (process {self.pid}{where}) for {self.reason!r} since {self.acquired}"
        )


class UnreadableOwner(LockOwner, frozen=True, kw_only=True):
    """Stands for the owner that an object which cannot be read would name: nobody can hold such a lock."""

    key: str
    why: str

    @property
    def damage(self) -> str:
        """See `LockOwner.damage`."""
        return self.why

    def __str__(self) -> str:
        return f"an unknown run: {self.key} cannot be read ({self.why})"


def this_owner(*, reason: str, acquired: str, lease: float) -> LockOwner:
    """Return this process as an owner of the lock."""
    where = kernel_id()
    return LockOwner(
        user=this_user(),
        host=socket.gethostname(),
        pid=os.getpid(),
        kernel=where,
        started=start_time(os.getpid()) if where else "",
        nonce=secrets.token_hex(8),
        reason=reason,
        acquired=acquired,
        token=1,
        run=run_url(),
        lease=lease,
    )


def read_lock(store: ObjectStore, key: str) -> tuple[LockOwner, StoredObject] | None:
    """Return who holds a lock and its object, or None when it was never held.

    An object that cannot be read counts as released. The next acquisition gets a number above any before:
    seconds since 1970.
    """
    stored = store.read(key)
    if stored is None:
        return None
    try:
        return decoded(stored, LockOwner), stored
    except Unreadable as error:
        nobody = replace(this_owner(reason="", acquired="", lease=0.0), token=int(time.time()), released=True)
        return UnreadableOwner(**msgspec.structs.asdict(nobody), key=key, why=str(error)), stored


def current_owner(store: ObjectStore, key: str) -> LockOwner | None:
    """Return who holds a lock, or None when anybody may take it."""
    found = read_lock(store, key)
    return None if found is None or found[0].free(found[1].age) else found[0]


def lock_is_held(owner: LockOwner, age: float, *, title: str = TITLE) -> Refused:
    """Return the refusal that names the owner; `age` as in `LockOwner.free`."""
    gone = " If its process is gone for good: invoke unlock" if title == TITLE else ""
    return Refused(
        f"the {title} is held by {owner}",
        hint=(
            f"wait for it (--lock-wait 15m); it was renewed {in_words(age)} ago and expires "
            f"{in_words(owner.lease)} after its last renewal.{gone}"
        ),
        details=(f"service deployment: {owner.deployment}",) if owner.deployment else (),
    )


def awake_or_asleep() -> float:
    """Return a clock that never jumps and goes on while the machine is suspended, in real seconds.

    On Linux `time.monotonic` stands still then, and S3's clock, by which leases end, does not.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class DeploymentLock:
    """A held or free lock; a context manager that takes and releases it.

    Args:
        key: The object's key.
        lease: Real seconds after which an unrenewed lock may be taken over.
        reason: Why it is taken; shown to a run that is refused.
        now: When it is taken, for people; decides nothing.
        title: What people call it.
        patience: Real seconds to wait for a held lock.
        pause: Real seconds between two attempts to take it.
        report: Called with a sentence about who is waited for.
        damaged: Called with the key and the reason when the object could not be read and was replaced.
        read: A clock that never jumps or stands still, in real seconds.

    Attributes:
        former: Who held it before; None for the first.
        lost: Whether another run has it by now.
    """

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        *,
        lease: float,
        reason: str,
        now: datetime,
        title: str = TITLE,
        patience: float = 0.0,
        pause: float = 1.0,
        report: Callable[[str], None] = lambda _: None,
        damaged: Callable[[str, str], None] = lambda _key, _why: None,
        read: Callable[[], float] = awake_or_asleep,
    ) -> None:
        self.lease = lease
        self.lost = False
        self.former: LockOwner | None = None
        self.owner = this_owner(reason=reason, acquired=now.isoformat(timespec="seconds"), lease=lease)
        self._store = store
        self._key = key
        self._title = title
        self._patience = patience
        self._retry_pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, pause))
        self._report = report
        self._damaged = damaged
        self._read = read
        self._renewed = read()
        self._etag = ""
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._renewer: threading.Thread | None = None

    @property
    def token(self) -> int:
        """Return the acquisition's number, greater than all before."""
        return self.owner.token

    def acquire(self) -> None:
        """Take the lock; raise `Refused`, which names the owner, if another run holds it."""
        until = self._read() + self._patience
        reported = ""
        while True:
            try:
                self._try()
                break
            except Refused as refusal:
                if self._read() >= until:
                    raise
                if refusal.message != reported:
                    reported = refusal.message
                    self._report(
                        f"waiting up to {in_words(self._patience)}: {reported}; to stop waiting: Ctrl-C"
                    )
                self._done.wait(self._retry_pause)
        self._renewer = threading.Thread(target=self._renew, name="lock-lease", daemon=True)
        self._renewer.start()

    def ensure(self) -> None:
        """Go on only while the lock is held; raise `LostLock` if another run may have it by now."""
        if self.lost:
            raise lost_lock("the deployment lock was taken over by another run; this run stops acting")
        if self._read() - self._renewed > self.lease * _SAFE_SHARE:
            raise lost_lock(
                f"the deployment lock could not be renewed for {self.lease * _SAFE_SHARE:.0f} s; "
                "another run may have it, so this run stops acting"
            )

    def note(self, *, deploy: str = "", deployment: str = "") -> None:
        """Write the journal's deploy, or the pinned service deployment, into the lock."""
        given = {"deploy": deploy or self.owner.deploy, "deployment": deployment or self.owner.deployment}
        self._write(**given)

    def release(self) -> None:
        """Release the lock; nothing happens when it was lost meanwhile."""
        self._done.set()
        if self._renewer is not None:
            self._renewer.join(self.lease)
        if not self.lost:
            self._write(released=True)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.release()
        except Exception:
            # The lease ends by itself; the error that brought us here matters more.
            if error is None:
                raise

    def _try(self) -> None:
        """Take the lock now, or be refused."""
        self._renewed = self._read()
        found = read_lock(self._store, self._key)
        try:
            if found is None:
                self._etag = self._store.create(self._key, msgspec.json.encode(self.owner))
                return
            owner, stored = found
            if not owner.free(stored.age):
                raise lock_is_held(owner, stored.age, title=self._title)
            mine = replace(self.owner, token=owner.token + 1)
            self._etag = self._store.replace(self._key, msgspec.json.encode(mine), etag=stored.etag)
        except Conflict:
            found = read_lock(self._store, self._key)
            raise (
                lock_is_held(found[0], found[1].age, title=self._title)
                if found
                else Refused("the deployment lock is contended", hint="run the command again")
            ) from None
        self.owner, self.former = mine, owner
        if owner.damage:
            self._damaged(self._key, f"{owner.damage}; the lock was replaced")

    def _renew(self) -> None:
        while not self._done.wait(self.lease / _RENEWALS_PER_LEASE):
            try:
                self._write(renewals=self.owner.renewals + 1)
            except Exception:  # noqa: BLE001, S112  # the store is unreachable: `ensure` raises once the lease is over
                continue
            if self.lost:
                return

    def _write(self, **changes: object) -> None:
        with self._guard:
            if self.lost or not self._etag:
                return
            owner = replace(self.owner, **changes)
            asked = self._read()
            try:
                self._etag = self._replace(owner)
            except Conflict:
                self.lost = True
            else:
                self.owner, self._renewed = owner, asked

    def _replace(self, owner: LockOwner) -> str:
        """Replace the lock, also when an earlier replacement was made but its answer was lost."""
        body = msgspec.json.encode(owner)
        try:
            return self._store.replace(self._key, body, etag=self._etag)
        except Conflict:
            stored = self._still_mine()
            if stored is None:
                raise
            return self._store.replace(self._key, body, etag=stored.etag)

    def _still_mine(self) -> StoredObject | None:
        found = read_lock(self._store, self._key)
        mine = found is not None and found[0].nonce == self.owner.nonce and not found[0].released
        return found[1] if found and mine else None


class LostLock(PersonNeeded):
    """A run may change nothing any more: another run has its lock, or may have it by now."""


def lost_lock(message: str) -> LostLock:
    """Return the error of a run that has lost its lock."""
    return LostLock(message, hint="invoke status shows who holds the lock and what is deployed")


def break_lock(store: ObjectStore, key: str) -> LockOwner | None:
    """Release a lock whoever owns it, and return its owner, if any; raise `Refused` if that has changed."""
    found = read_lock(store, key)
    if found is None or (found[0].released and not found[0].damage):
        return None
    owner, stored = found
    try:
        store.replace(key, msgspec.json.encode(replace(owner, released=True)), etag=stored.etag)
    except Conflict:
        raise Refused(
            "the lock was renewed or changed hands just now", hint="check again: invoke status"
        ) from None
    return owner
