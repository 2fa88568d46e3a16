"""Releasing a lock whose holder is gone, on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.lock import break_lock, read_lock

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.lock import Holder
    from samjhadoo_ops.deployment.site import Site


def unlock(site: Site, *, reason: str, dry: bool = False) -> Holder | None:
    """Release the deployment lock and return who held it; None when it was free.

    Raises:
        Refused: It changed hands meanwhile.

    """
    found = read_lock(site.journal.store, site.journal.lock_key)
    if found is None or found[0].released:
        return None
    if dry:
        return found[0]
    recorder = site.journal.recorder("unlock", site.clock, reason=reason, holder=str(found[0]))
    holder = break_lock(site.journal.store, site.journal.lock_key)
    recorder.write(FINISHED, outcome="unlocked" if holder else "unchanged")
    return holder
