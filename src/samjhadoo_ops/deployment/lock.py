"""One deployment per service at a time: a lock with a lease, kept in the journal's bucket.

The lock is one object. It is taken by creating it, or by replacing a released, expired or orphaned one at
the exact version that was read; a lost race is seen, not guessed. While it is held a thread renews it. Its
age is told by S3's own clock, so holders need not agree about the time. Released locks stay as objects,
so that every acquisition has a number (`token`) greater than the one before. A holder that could not
renew its lease in time stops acting by itself, before anybody else may begin.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

import msgspec

from samjhadoo_ops.deployment.holder import Holder, held, read_lock, this_holder
from samjhadoo_ops.deployment.objects import Conflict
from samjhadoo_ops.errors import PersonNeeded, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from samjhadoo_ops.deployment.objects import ObjectStore, StoredObject

__all__ = ["Holder", "Lock", "LostLock", "break_lock", "read_lock"]

_RENEWALS_PER_LEASE = 3
_SAFE_SHARE = 0.9  # of a lease; S3's clock counts whole seconds
_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


def awake_or_asleep() -> float:
    """Return a clock that never jumps and goes on while the machine is suspended, in real seconds.

    On Linux `time.monotonic` stands still then, and S3's clock, by which leases end, does not.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Lock:
    """A held or free lock; a context manager that takes and releases it.

    Args:
        key: The object's key.
        lease: Real seconds after which an unrenewed lock may be taken over.
        reason: Why it is taken; shown to whoever is refused.
        now: When it is taken, for people; decides nothing.
        patience: Real seconds to wait for a held lock.
        pause: Real seconds between two looks at it.
        tell: Hears who is waited for.
        read: A clock that never jumps or stands still, in real seconds.

    Attributes:
        former: Who held it before; None for nobody.
        lost: Whether somebody else has it by now.

    """

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        *,
        lease: float,
        reason: str,
        now: datetime,
        patience: float = 0.0,
        pause: float = 1.0,
        tell: Callable[[str], None] = lambda _: None,
        read: Callable[[], float] = awake_or_asleep,
    ) -> None:
        self.lease = lease
        self.lost = False
        self.former: Holder | None = None
        self.holder = this_holder(reason=reason, acquired=now.isoformat(timespec="seconds"), lease=lease)
        self._store = store
        self._key = key
        self._patience = patience
        self._look_pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, pause))
        self._tell = tell
        self._read = read
        self._renewed = read()
        self._etag = ""
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._renewer: threading.Thread | None = None

    @property
    def token(self) -> int:
        """Return the acquisition's number, greater than all before."""
        return self.holder.token

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            Refused: Somebody else holds it; the message names the holder.

        """
        until = self._read() + self._patience
        told = ""
        while True:
            try:
                self._try()
                break
            except Refused as refusal:
                if self._read() >= until:
                    raise
                if refusal.message != told:
                    told = refusal.message
                    self._tell(f"waiting up to {self._patience:.0f} s: {told}")
                self._done.wait(self._look_pause)
        self._renewer = threading.Thread(target=self._renew, name="lock-lease", daemon=True)
        self._renewer.start()

    def ensure(self) -> None:
        """Go on only while the lock is held.

        Raises:
            LostLock: Somebody else has taken it, or could have by now.

        """
        if self.lost:
            raise lost_lock("the deployment lock was taken over by somebody else; this run stops acting")
        if self._read() - self._renewed > self.lease * _SAFE_SHARE:
            raise lost_lock(
                f"the deployment lock could not be renewed for {self.lease * _SAFE_SHARE:.0f} s; "
                "somebody else may have it, so this run stops acting"
            )

    def note(self, *, deploy: str = "", deployment: str = "") -> None:
        """Write the journal's deploy, or the pinned service deployment, into the lock."""
        given = {"deploy": deploy or self.holder.deploy, "deployment": deployment or self.holder.deployment}
        self._write(**given)

    def release(self) -> None:
        """Give the lock back; nothing happens when it was lost meanwhile."""
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
                self._etag = self._store.create(self._key, msgspec.json.encode(self.holder))
                return
            holder, stored = found
            if not holder.free(stored.age):
                raise held(holder, stored.age)
            mine = msgspec.structs.replace(self.holder, token=holder.token + 1)
            self._etag = self._store.replace(self._key, msgspec.json.encode(mine), etag=stored.etag)
        except Conflict:
            found = read_lock(self._store, self._key)
            raise (
                held(found[0], found[1].age)
                if found
                else Refused("the deployment lock is contended", hint="run the command again")
            ) from None
        self.holder, self.former = mine, holder

    def _renew(self) -> None:
        while not self._done.wait(self.lease / _RENEWALS_PER_LEASE):
            try:
                self._write(renewals=self.holder.renewals + 1)
            except Exception:  # noqa: BLE001, S112  # the store is unreachable: `ensure` tells when it is over
                continue
            if self.lost:
                return

    def _write(self, **changes: object) -> None:
        with self._guard:
            if self.lost or not self._etag:
                return
            holder = msgspec.structs.replace(self.holder, **changes)
            asked = self._read()
            try:
                self._etag = self._replace(holder)
            except Conflict:
                self.lost = True
            else:
                self.holder, self._renewed = holder, asked

    def _replace(self, holder: Holder) -> str:
        """Replace the lock, also when an earlier replacement was made but its answer was lost.

        Raises:
            Conflict: Somebody else has it.

        """
        body = msgspec.json.encode(holder)
        try:
            return self._store.replace(self._key, body, etag=self._etag)
        except Conflict:
            stored = self._still_mine()
            if stored is None:
                raise
            return self._store.replace(self._key, body, etag=stored.etag)

    def _still_mine(self) -> StoredObject | None:
        found = read_lock(self._store, self._key)
        mine = found is not None and found[0].nonce == self.holder.nonce and not found[0].released
        return found[1] if found and mine else None


class LostLock(PersonNeeded):
    """A run may change nothing any more: somebody else has its lock, or may have it by now."""


def lost_lock(message: str) -> LostLock:
    """Return the error of a run that has lost its lock."""
    return LostLock(message, hint="invoke status tells who holds the lock and what is deployed")


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
