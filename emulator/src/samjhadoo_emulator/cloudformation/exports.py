"""Exported outputs: unique in their account and region, and kept as long as another stack imports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from samjhadoo_emulator.cloudformation.model import Stack, StackOutput
    from samjhadoo_emulator.cloudformation.stacks import Stacks


class Exports:
    """The exports of a region."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks

    def all(self) -> list[tuple[Stack, StackOutput]]:
        """Return every export with its stack, by name."""
        found = [
            (stack, output) for stack in self._stacks.live() for output in stack.outputs if output.export_name
        ]
        return sorted(found, key=lambda each: each[1].export_name)

    def values(self) -> dict[str, str]:
        """Return the exported values by name."""
        return {output.export_name: output.value for _, output in self.all()}

    def importers(self, name: str) -> list[str]:
        """Return the names of the stacks that import an export."""
        return sorted(stack.name for stack in self._stacks.live() if name in stack.imports)

    def check(self, stack: Stack, outputs: Iterable[StackOutput]) -> None:
        """Check that a stack may have these outputs instead of its own.

        Raises:
            AwsError: A name is another stack's, or an export that changes or goes is in use.
        """
        wanted = {output.export_name: output.value for output in outputs if output.export_name}
        for owner, output in self.all():
            if owner is not stack and output.export_name in wanted:
                raise validation_error(
                    f"Export with name {output.export_name} is already exported by stack {owner.name}"
                )
        for name, value in exported(stack).items():
            if wanted.get(name) != value:
                self._refuse_used(stack, name, "updated" if name in wanted else "deleted")

    def check_deletion(self, stack: Stack) -> None:
        """Check that no other stack imports what a stack exports.

        Raises:
            AwsError: One does.
        """
        for name in exported(stack):
            self._refuse_used(stack, name, "deleted")

    def _refuse_used(self, stack: Stack, name: str, done: str) -> None:
        users = [user for user in self.importers(name) if user != stack.name]
        if users:
            raise validation_error(f"Export {name} cannot be {done} as it is in use by {' and '.join(users)}")


def exported(stack: Stack) -> dict[str, str]:
    """Return what a stack exports."""
    return {output.export_name: output.value for output in stack.outputs if output.export_name}


def calls_of(function: str, value: Any, conditions: Mapping[str, bool] | None = None) -> Iterator[Any]:
    """Yield the arguments of a function wherever a value has it.

    Args:
        conditions: With them, only the branch of each `Fn::If` counts that is taken.
    """
    if isinstance(value, list):
        for member in value:
            yield from calls_of(function, member, conditions)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name == function:
                yield member
            yield from calls_of(function, _taken(name, member, conditions or {}), conditions)


def _taken(function: str, argument: Any, conditions: Mapping[str, bool]) -> Any:
    """Return the branch that `Fn::If` takes; any other argument, and one that is not decided, as it is."""
    if function != "Fn::If" or not isinstance(argument, list) or argument[0] not in conditions:
        return argument
    return argument[1 if conditions[argument[0]] else 2]
