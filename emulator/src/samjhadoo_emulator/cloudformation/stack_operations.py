"""The API's operations that change stacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from samjhadoo_emulator.cloudformation import states
from samjhadoo_emulator.cloudformation.base import CloudFormationBase
from samjhadoo_emulator.cloudformation.changes.differences import After, differences
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.model import OnFailure, OperationType, Options, StackStatus
from samjhadoo_emulator.cloudformation.stacks import use_token
from samjhadoo_emulator.cloudformation.template_source import template_text
from samjhadoo_emulator.cloudformation.updates import NO_UPDATES, before_of, changes_anything
from samjhadoo_emulator.errors import not_implemented, validation_error
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.changes.differences import Difference
    from samjhadoo_emulator.cloudformation.model import Definition, Stack
    from samjhadoo_emulator.service import Params, Result

_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


class StackOperations(CloudFormationBase):
    """Creates, updates, deletes and rolls back stacks."""

    @operation("CreateStack")
    async def create_stack(self, params: Params) -> Result:
        check_supported(params)
        name, options = params["StackName"], options_of(params)
        check_name(name)
        stack = self.stacks.new(name, StackStatus.CREATE_IN_PROGRESS)
        definition = await self.definitions.prepare(params, name=name, stack_id=stack.id)
        changes = await self._to_validate(params, stack, definition)
        stack.policy = await template_text(params, self.aws, member="StackPolicy")
        stack.termination_protection = bool(params.get("EnableTerminationProtection"))
        self.stacks.register(stack)
        use_token(stack, options.token, OperationType.CREATE_STACK)
        begun = self.engine.create(stack, definition, options, changes)
        return {"StackId": stack.id, "OperationId": begun.id}

    @operation("UpdateStack")
    async def update_stack(self, params: Params) -> Result:
        check_supported(params)
        stack, options = self.stacks.find(params["StackName"]), options_of(params)
        states.check_update(stack, options)
        definition = await self.definitions.prepare(
            params, name=stack.name, stack_id=stack.id, previous=stack.definition
        )
        context = await self.contexts.of(definition, name=stack.name, stack_id=stack.id, resources=None)
        if stack.status is not StackStatus.CREATE_FAILED and not changes_anything(stack, definition, context):
            raise validation_error(NO_UPDATES)
        changes = await self._to_validate(params, stack, definition)
        policy = await template_text(params, self.aws, member="StackPolicy")
        states.check_update(stack, options)  # another operation may have begun
        use_token(stack, options.token, OperationType.UPDATE_STACK)
        stack.policy = policy or stack.policy
        begun = self.engine.update(stack, definition, options, changes)
        return {"StackId": stack.id, "OperationId": begun.id}

    @operation("DeleteStack")
    async def delete_stack(self, params: Params) -> Result:
        stack = self.stacks.get(params["StackName"])
        if stack is None or stack.is_deleted or stack.status is StackStatus.DELETE_IN_PROGRESS:
            return {}
        retained, force = (
            params.get("RetainResources") or (),
            params.get("DeletionMode") == "FORCE_DELETE_STACK",
        )
        states.check_deletion(stack, self._root(stack), retained, force=force)
        options = options_of(params)
        use_token(stack, options.token, OperationType.DELETE_STACK)
        self.engine.delete(stack, options, retained=retained, force=force)
        return {}

    @operation("CancelUpdateStack")
    async def cancel_update_stack(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        states.check_cancellation(stack)
        use_token(stack, params.get("ClientRequestToken", ""), OperationType.UPDATE_STACK)
        self.engine.cancel(stack, "User Initiated")
        return {}

    @operation("ContinueUpdateRollback")
    async def continue_update_rollback(self, params: Params) -> Result:
        stack, skipped = self.stacks.find(params["StackName"]), params.get("ResourcesToSkip") or ()
        states.check_continuation(stack, skipped)
        options = options_of(params)
        use_token(stack, options.token, OperationType.CONTINUE_ROLLBACK)
        self.engine.continue_rollback(stack, options, skipped)
        return {}

    @operation("RollbackStack")
    async def rollback_stack(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        states.check_rollback(stack)
        options = options_of(params)
        use_token(stack, options.token, OperationType.ROLLBACK)
        begun = self.engine.roll_back(stack, options)
        return {"StackId": stack.id, "OperationId": begun.id}

    @operation("UpdateTerminationProtection")
    async def update_termination_protection(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        if stack.root_id:
            raise validation_error(
                "Termination protection cannot be updated on nested stacks: update it on the root stack."
            )
        stack.termination_protection = params["EnableTerminationProtection"]
        return {"StackId": stack.id}

    @operation("SetStackPolicy")
    async def set_stack_policy(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        stack.policy = await template_text(params, self.aws, member="StackPolicy")
        return {}

    @operation("GetStackPolicy")
    async def get_stack_policy(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        return {"StackPolicyBody": stack.policy} if stack.policy else {}

    async def _to_validate(
        self, params: Params, stack: Stack, definition: Definition
    ) -> tuple[Difference, ...]:
        """Return what the early validation looks at: nothing if the caller does without it."""
        if params.get("DisableValidation"):
            return ()
        context = await self.contexts.of(definition, name=stack.name, stack_id=stack.id, resources=None)
        after = After(definition.template, context, definition.tags)
        return differences(before_of(stack), after, schemas.schema)

    def _root(self, stack: Stack) -> Stack:
        return (self.stacks.get(stack.root_id) if stack.root_id else None) or stack


def check_name(name: str) -> None:
    """Check the name of a new stack.

    Raises:
        AwsError: It is not one.
    """
    if not _NAME.fullmatch(name):
        raise validation_error(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def options_of(params: Params) -> Options:
    """Return how a request's operation is to be performed.

    Raises:
        AwsError: Its members contradict each other.
    """
    config = params.get("DeploymentConfig") or {}
    if "DisableRollback" in params and "OnFailure" in params:
        raise validation_error("Either DisableRollback or OnFailure can be specified, not both.")
    return Options(
        disable_rollback=params.get("DisableRollback", config.get("DisableRollback", False)),
        on_failure=OnFailure(params.get("OnFailure") or OnFailure.ROLLBACK),
        retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
        token=params.get("ClientRequestToken") or "",
        timeout=params.get("TimeoutInMinutes") or 0,
    )


def check_supported(params: Params) -> None:
    """Refuse what the emulator would only pretend to do.

    Raises:
        AwsError: It names the member.
    """
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise not_implemented(
            "The emulator does not watch alarms during stack operations (RollbackTriggers)."
        )
    if params.get("ResourceTypes"):
        raise not_implemented("The emulator does not limit the resource types of a stack (ResourceTypes).")
