"""One deployment per service at a time: a lock with a lease, kept in the journal's bucket.

The lock is one object. It is taken by creating it, or by replacing a released or expired one at the
exact version that was read; a lost race is seen, not guessed. While it is held a thread renews it. Its
age is told by S3's own clock, so holders need not agree about the time. Released locks stay as objects,
so that every acquisition has a number (`token`) greater than the one before.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Self

import msgspec

from samjhadoo_ops.deployment.actor import run_url, this_user
from samjhadoo_ops.deployment.objects import Conflict
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from samjhadoo_ops.deployment.objects import ObjectStore, StoredObject

_RENEWALS_PER_LEASE = 3


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, for what, since when.

    Attributes:
        run: Where the run can be watched, in CI.
        token: Greater with every acquisition.
        deployment: The pinned service deployment, once there is one.
        renewals: How often the lease has been renewed; makes every version differ.

    """

    user: str
    host: str
    pid: int
    reason: str
    acquired: str
    token: int
    run: str = ""
    deploy: str = ""
    deployment: str = ""
    renewals: int = 0
    released: bool = False

    def __str__(self) -> str:
        where = f", {self.run}" if self.run else ""
        return (
            f"{self.user}@{self.host} (process {self.pid}{where}) for {self.reason!r} since {self.acquired}"
        )


def read_lock(store: ObjectStore, key: str) -> tuple[Holder, StoredObject] | None:
    """Return who holds a lock and its object, or None when nobody ever held it."""
    stored = store.read(key)
    return None if stored is None else (msgspec.json.decode(stored.body, type=Holder), stored)


class Lock:
    """A held or free lock; a context manager that takes and releases it.

    Args:
        key: The object's key.
        lease: Real seconds after which an unrenewed lock may be taken over.
        reason: Why it is taken; shown to whoever is refused.
        now: When it is taken, for people; decides nothing.

    """

    def __init__(
        self, store: ObjectStore, key: str, *, lease: float, reason: str, now: datetime, deploy: str = ""
    ) -> None:
        self.lease = lease
        self.lost = False
        self._store = store
        self._key = key
        self._etag = ""
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._renewer: threading.Thread | None = None
        self.holder = Holder(
            user=this_user(),
            host=socket.gethostname(),
            pid=os.getpid(),
            reason=reason,
            acquired=now.isoformat(timespec="seconds"),
            token=1,
            run=run_url(),
            deploy=deploy,
        )

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            Refused: Somebody else holds it; the message names the holder.

        """
        try:
            self._etag = self._store.create(self._key, msgspec.json.encode(self.holder))
        except Conflict:
            self._take_over()
        self._renewer = threading.Thread(target=self._renew, name="lock-lease", daemon=True)
        self._renewer.start()

    def note(self, *, deployment: str) -> None:
        """Write the pinned service deployment into the lock."""
        self._write(msgspec.structs.replace(self.holder, deployment=deployment))

    def release(self) -> None:
        """Give the lock back; nothing happens when it was lost meanwhile."""
        self._done.set()
        if self._renewer is not None:
            self._renewer.join(self.lease)
        if not self.lost:
            self._write(msgspec.structs.replace(self.holder, released=True))

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

    def _take_over(self) -> None:
        found = read_lock(self._store, self._key)
        if found is None:
            raise Refused("the deployment lock is contended", hint="run the command again")
        holder, stored = found
        if not holder.released and stored.age <= self.lease:
            raise held(holder, stored.age, self.lease)
        self.holder = msgspec.structs.replace(self.holder, token=holder.token + 1)
        try:
            self._etag = self._store.replace(self._key, msgspec.json.encode(self.holder), etag=stored.etag)
        except Conflict:
            found = read_lock(self._store, self._key)
            raise (
                held(found[0], found[1].age, self.lease)
                if found
                else Refused("the deployment lock is contended")
            ) from None

    def _renew(self) -> None:
        while not self._done.wait(self.lease / _RENEWALS_PER_LEASE):
            try:
                self._write(msgspec.structs.replace(self.holder, renewals=self.holder.renewals + 1))
            except Exception:  # noqa: BLE001, S112  # the store is unreachable: the lease tells when it is over
                continue
            if self.lost:
                return

    def _write(self, holder: Holder) -> None:
        with self._guard:
            if self.lost or not self._etag:
                return
            try:
                self._etag = self._store.replace(self._key, msgspec.json.encode(holder), etag=self._etag)
            except Conflict:
                self.lost = True
            else:
                self.holder = holder


def held(holder: Holder, age: float, lease: float) -> Refused:
    """Return the refusal that names the holder."""
    return Refused(
        f"the deployment lock is held by {holder}",
        hint=(
            f"wait for it to end; it was renewed {age:.0f} s ago and expires {lease:.0f} s after its last "
            "renewal. If its process is gone for good: invoke unlock"
        ),
        details=(f"service deployment: {holder.deployment}",) if holder.deployment else (),
    )


def break_lock(store: ObjectStore, key: str) -> Holder | None:
    """Release a lock whoever holds it and return the former holder; None when it was free.

    Raises:
        Refused: The lock changed hands meanwhile.

    """
    found = read_lock(store, key)
    if found is None or found[0].released:
        return None
    holder, stored = found
    try:
        store.replace(
            key, msgspec.json.encode(msgspec.structs.replace(holder, released=True)), etag=stored.etag
        )
    except Conflict:
        raise Refused(
            "the lock was renewed or changed hands just now", hint="look again: invoke status"
        ) from None
    return holder
