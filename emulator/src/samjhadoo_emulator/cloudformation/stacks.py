"""The stacks of a region, by name and by ARN, and AWS's refusals of those that are not there."""

from __future__ import annotations

import secrets
import string
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from samjhadoo_emulator.cloudformation.model import Stack, StackStatus
from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.arns import Home
    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.cloudformation.model import OperationType

KEPT: Final = timedelta(days=90)
"""How long deleted stacks can be described by their ARN."""
_LETTERS: Final = string.ascii_uppercase + string.digits


class Stacks:
    """The stacks of a region; deleted ones stay for 90 days.

    Args:
        home: What ARNs begin with.
        clock: The emulated clock.
    """

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._by_id: dict[str, Stack] = {}
        self._by_name: dict[str, Stack] = {}

    def __iter__(self) -> Iterator[Stack]:
        """Yield the stacks, the newest first, deleted ones too."""
        self._forget_old()
        return iter(list(reversed(self._by_id.values())))

    def live(self) -> list[Stack]:
        """Return the stacks that are not deleted, the newest first."""
        return [stack for stack in self if not stack.is_deleted]

    def new(self, name: str, status: StackStatus, *, parent: Stack | None = None) -> Stack:
        """Return a stack that nobody can find before it is given to `register`.

        Args:
            parent: The stack of which it is a nested one.

        Raises:
            AwsError: The name is taken.
        """
        self._check_free(name)
        identity = f"{self._home.prefix}stack/{name}/{uuid.uuid4()}"
        stack = Stack(identity, name, self._clock.now(), status)
        if parent is not None:
            stack.parent_id, stack.root_id = parent.id, parent.root_id or parent.id
        return stack

    def register(self, stack: Stack) -> None:
        """Make a new stack one of the region's.

        Raises:
            AwsError: The name has been taken in the meantime.
        """
        self._check_free(stack.name)
        self._by_id[stack.id] = self._by_name[stack.name] = stack

    def add(self, name: str, status: StackStatus, *, parent: Stack | None = None) -> Stack:
        """Make a stack and register it."""
        stack = self.new(name, status, parent=parent)
        self.register(stack)
        return stack

    def forget(self, stack: Stack) -> None:
        """Remove a stack without a trace, for example one whose template was refused."""
        del self._by_id[stack.id]
        if self._by_name.get(stack.name) is stack:
            del self._by_name[stack.name]

    def get(self, name: str) -> Stack | None:
        """Return the stack of this name that is not deleted, or the one of this ARN in any case."""
        self._forget_old()
        if name.startswith("arn:"):
            return self._by_id.get(name)
        stack = self._by_name.get(name)
        return stack if stack is not None and not stack.is_deleted else None

    def find(self, name: str, *, words: str = "Stack [{name}] does not exist") -> Stack:
        """Return what `get` does.

        Args:
            words: AWS's text if there is no such stack; some operations have their own.

        Raises:
            AwsError: There is no such stack.
        """
        stack = self.get(name)
        if stack is None:
            raise validation_error(words.format(name=name))
        return stack

    def _check_free(self, name: str) -> None:
        taken = self._by_name.get(name)
        if taken is not None and not taken.is_deleted:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")

    def _forget_old(self) -> None:
        oldest = self._clock.now() - KEPT
        for stack in [each for each in self._by_id.values() if each.deleted and each.deleted < oldest]:
            self.forget(stack)


def random_suffix(length: int = 12) -> str:
    """Return the random end of a generated name, in upper case."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def use_token(stack: Stack, token: str, kind: OperationType) -> None:
    """Note a ClientRequestToken.

    Raises:
        AwsError: An operation on the stack has used it.
    """
    if not token:
        return
    if token in stack.tokens:
        raise AwsError(
            "TokenAlreadyExistsException",
            f"Client request token [{token}] has already been used for the operation {stack.tokens[token]}",
        )
    stack.tokens[token] = kind
