"""Who holds a deployment lock, as the lock's object says."""

from __future__ import annotations

import os
import secrets
import socket
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.deployment.actor import run_url, this_user
from samjhadoo_ops.deployment.process import gone, kernel, start_time
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.objects import ObjectStore, StoredObject


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, for what, since when.

    Attributes:
        kernel: Where the process runs, see `process.kernel`.
        started: When the process started, in its kernel's ticks.
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
        """Tell whether its process is surely gone."""
        return gone(self.kernel, self.pid, self.started)

    def free(self, age: float) -> bool:
        """Tell whether anybody may take the lock.

        Args:
            age: Seconds since the last renewal, by the store's clock.

        """
        return self.released or age > self.lease or self.orphaned

    def __str__(self) -> str:
        where = f", {self.run}" if self.run else ""
        return (
            f"{self.user}@{self.host} (process {self.pid}{where}) for {self.reason!r} since {self.acquired}"
        )


def this_holder(*, reason: str, acquired: str, lease: float) -> Holder:
    """Return this process as a holder of the lock."""
    return Holder(
        user=this_user(),
        host=socket.gethostname(),
        pid=os.getpid(),
        kernel=kernel(),
        started=start_time(os.getpid()),
        nonce=secrets.token_hex(8),
        reason=reason,
        acquired=acquired,
        token=1,
        run=run_url(),
        lease=lease,
    )


def read_lock(store: ObjectStore, key: str) -> tuple[Holder, StoredObject] | None:
    """Return who holds a lock and its object, or None when nobody ever held it."""
    stored = store.read(key)
    return None if stored is None else (msgspec.json.decode(stored.body, type=Holder), stored)


def held(holder: Holder, age: float) -> Refused:
    """Return the refusal that names the holder.

    Args:
        age: Seconds since the last renewal, by the store's clock.

    """
    return Refused(
        f"the deployment lock is held by {holder}",
        hint=(
            f"wait for it (--lock-wait 15m); it was renewed {age:.0f} s ago and expires "
            f"{holder.lease:.0f} s after its last renewal. If its process is gone for good: invoke unlock"
        ),
        details=(f"service deployment: {holder.deployment}",) if holder.deployment else (),
    )
