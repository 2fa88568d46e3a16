"""Deletes resources of a stack, each before what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.changes.differences import deletion_policy
from samjhadoo_emulator.cloudformation.model import Obsolete
from samjhadoo_emulator.cloudformation.scheduling import Cancellation, in_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from samjhadoo_emulator.cloudformation.model import Stack, StackResource
    from samjhadoo_emulator.cloudformation.provisioning import Provisioner


async def remove(obsolete: Sequence[Obsolete], provisioner: Provisioner) -> list[StackResource]:
    """Delete resources; return those that could not be deleted, and so those that they need."""
    leaving = {f"{number}": each for number, each in enumerate(obsolete)}
    needs: dict[str, set[str]] = {key: set() for key in leaving}
    for key, each in leaving.items():
        for other, needed in leaving.items():
            if needed.record.logical_id in each.record.needs:
                needs[other].add(key)

    async def delete(key: str) -> bool:
        return await provisioner.delete(leaving[key].record, leaving[key].policy)

    failed = await in_order(needs, delete, Cancellation(), stop_at_failure=False)
    return [leaving[key].record for key in leaving if key in failed]


def everything_of(stack: Stack) -> list[StackResource]:
    """Return a record of each physical resource of a stack: also of those that a failed update left."""
    checkpoint = stack.checkpoint.resources.values() if stack.checkpoint else ()
    records = (*stack.resources.values(), *checkpoint, *(each.record for each in stack.obsolete))
    found = {
        (record.logical_id, record.resource.id): record
        for record in reversed(records)
        if record.resource is not None
    }
    return list(reversed(found.values()))


def for_deletion(records: Iterable[StackResource], retained: Collection[str] = ()) -> list[Obsolete]:
    """Return resources with their deletion policies.

    Args:
        retained: The logical ids of those that are retained whatever their policies are.
    """
    return [
        Obsolete(
            record,
            "Retain" if record.logical_id in retained else deletion_policy(record.entry, record.properties),
        )
        for record in records
    ]


def for_rollback(records: Iterable[StackResource], *, retain_except_on_create: bool) -> list[Obsolete]:
    """Return resources that a failed operation has created, with what happens to them: no snapshots are kept.

    Args:
        retain_except_on_create: Delete them whatever their policies are.
    """
    return [
        Obsolete(
            record,
            "Retain"
            if record.entry.deletion_policy == "Retain" and not retain_except_on_create
            else "Delete",
        )
        for record in records
    ]
