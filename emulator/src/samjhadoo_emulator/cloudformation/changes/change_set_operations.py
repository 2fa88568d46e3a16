"""The API of change sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation import states
from samjhadoo_emulator.cloudformation.changes import early_validation
from samjhadoo_emulator.cloudformation.changes.change_sets import (
    NO_CHANGES,
    ChangeSet,
    ChangeSets,
    ChangeSetStatus,
    ExecutionStatus,
    check_deletable,
    check_executable,
    check_same,
    with_nested,
)
from samjhadoo_emulator.cloudformation.changes.change_shapes import change
from samjhadoo_emulator.cloudformation.changes.differences import After, differences
from samjhadoo_emulator.cloudformation.changes.nested_change_sets import nested, request, without_unchanged
from samjhadoo_emulator.cloudformation.engine import USER
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.model import (
    OnFailure,
    OperationType,
    Options,
    StackStatus,
)
from samjhadoo_emulator.cloudformation.stack_answers import StackAnswers
from samjhadoo_emulator.cloudformation.stack_operations import check_name, check_supported
from samjhadoo_emulator.cloudformation.stacks import random_suffix, use_token
from samjhadoo_emulator.cloudformation.template_operations import TemplateOperations
from samjhadoo_emulator.cloudformation.updates import NO_UPDATES, before_of, changes_anything
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error
from samjhadoo_emulator.pagination import CLOUDFORMATION
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.changes.differences import Difference
    from samjhadoo_emulator.cloudformation.model import Definition, Stack, StackEvent
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

_ANSWERED: Final = ("Description", "OnStackFailure", "DeploymentConfig", "ImportExistingResources", "Tags")
"""Members of CreateChangeSet that DescribeChangeSet answers."""


class ChangeSetOperations(StackAnswers, TemplateOperations):
    """Makes, shows and executes change sets.

    Attributes:
        change_sets: By ARN and name.
    """

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.change_sets = ChangeSets(self.home().prefix, self.stacks)

    @operation("CreateChangeSet")
    async def create_change_set(self, params: Params) -> Result:
        check_supported(params)
        check_kind(params)
        is_new = params.get("ChangeSetType", "UPDATE") == "CREATE"
        stack = self._to_create(params) if is_new else self._to_update(params)
        existing = self.change_sets.named(stack, params["ChangeSetName"])
        if existing is not None and existing.is_open:
            check_same(existing, params)
            return {"Id": existing.id, "StackId": stack.id}
        definition = await self.definitions.prepare(
            params, name=stack.name, stack_id=stack.id, previous=stack.definition, change_set=True
        )
        if self.stacks.get(stack.id) is None:
            self.stacks.register(stack)
        elif not is_new:
            states.check_update(stack, Options())  # another operation may have begun
        change_set = self._begin(stack, definition, params)
        await self._plan(change_set)
        self._end(change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    @operation("DescribeChangeSet")
    async def describe_change_set(self, params: Params) -> Result:
        change_set = self.change_sets.find(params)
        values = bool(params.get("IncludePropertyValues"))
        differences = change_set.by_value if values else change_set.by_name
        secrets = change_set.secrets()
        changes = []
        for difference in differences:
            shape = change(difference, values=values, secrets=secrets)
            nested = change_set.nested.get(difference.logical_id)
            if nested is not None:
                shape["ResourceChange"]["ChangeSetId"] = nested.id
            changes.append(shape)
        page = CLOUDFORMATION.answer("Changes", changes, params)
        return {**_summary(change_set), **_description(change_set), **page}

    @operation("DescribeChangeSetHooks")
    async def describe_change_set_hooks(self, params: Params) -> Result:
        change_set = self.change_sets.find(params)
        return {**_identity(change_set), "Hooks": [], "Status": "PLANNED"}

    @operation("ListChangeSets")
    async def list_change_sets(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        summaries = [_summary(each) for each in self.change_sets.of(stack) if each.is_open]
        return CLOUDFORMATION.answer("Summaries", summaries, params)

    @operation("DeleteChangeSet")
    async def delete_change_set(self, params: Params) -> Result:
        try:
            change_set = self.change_sets.find(params)
        except AwsError as error:
            if error.code != "ChangeSetNotFound":
                raise
            return {}
        check_deletable(change_set)
        self.change_sets.remove(change_set)
        return {}

    @operation("ExecuteChangeSet")
    async def execute_change_set(self, params: Params) -> Result:
        change_set = self.change_sets.find(params)
        check_executable(change_set)
        options = self._options(change_set, params)
        stack, definition = change_set.stack, change_set.definition
        use_token(stack, options.token, OperationType.UPDATE_STACK)
        for each in with_nested(change_set):
            each.executed = ExecutionStatus.EXECUTE_IN_PROGRESS
        if stack.status is StackStatus.REVIEW_IN_PROGRESS:
            stack.updated = self.engine.create(stack, definition, options).started
        else:
            self.engine.update(stack, definition, options)
        self.spawn(self._follow(change_set), name=f"cloudformation-execution-{change_set.name}")
        return {}

    def _options(self, change_set: ChangeSet, params: Params) -> Options:
        """Return how a change set is executed: by what its creation and its execution say."""
        on_failure = change_set.request.get("OnStackFailure")
        if on_failure and "DisableRollback" in params:
            raise validation_error("You cannot specify both OnStackFailure and DisableRollback.")
        config = change_set.request.get("DeploymentConfig") or {}
        return Options(
            disable_rollback=params.get("DisableRollback", config.get("DisableRollback", False)),
            on_failure=OnFailure(on_failure or OnFailure.ROLLBACK),
            retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
            token=params.get("ClientRequestToken") or "",
            change_set_id=change_set.id,
        )

    async def _follow(self, change_set: ChangeSet) -> None:
        """Note how the execution of a change set ends."""
        await self.engine.settled(change_set.stack)
        succeeded = change_set.stack.status in (StackStatus.CREATE_COMPLETE, StackStatus.UPDATE_COMPLETE)
        for each in with_nested(change_set):
            each.executed = ExecutionStatus.EXECUTE_COMPLETE if succeeded else ExecutionStatus.EXECUTE_FAILED

    def _to_create(self, params: Params) -> Stack:
        """Return the stack in review that a change set is to create, a new one if need be."""
        name = params["StackName"]
        stack = self.stacks.get(name)
        if stack is None:
            check_name(name)
            return self.stacks.new(name, StackStatus.REVIEW_IN_PROGRESS)
        if stack.status is not StackStatus.REVIEW_IN_PROGRESS:
            raise validation_error(
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{params['ChangeSetName']}]."
            )
        return stack

    def _to_update(self, params: Params) -> Stack:
        """Return the stack that a change set is to update.

        Raises:
            AwsError: There is none, or it cannot be updated now.
        """
        stack = self.stacks.find(params["StackName"])
        states.check_update(stack, Options())
        return stack

    def _begin(self, stack: Stack, definition: Definition, params: Params) -> ChangeSet:
        name = params["ChangeSetName"]
        is_first = not stack.events
        begun = self.events.begin(stack, OperationType.CREATE_CHANGESET, Options())
        if is_first:
            self.events.stack(stack, StackStatus.REVIEW_IN_PROGRESS, USER)
        change_set = ChangeSet(
            self.change_sets.new_id(name), name, stack, self.clock.now(), definition, dict(params), begun
        )
        self.change_sets.add(change_set)
        return change_set

    def _end(self, change_set: ChangeSet) -> None:
        begun = change_set.operation
        begun.ended = self.clock.now()
        begun.status = "FAILED" if change_set.status is ChangeSetStatus.FAILED else "SUCCEEDED"

    async def _plan(self, change_set: ChangeSet) -> None:
        """Find out what a change set would do, and whether it can be executed."""
        try:
            changes = await self._compare(change_set)
        except AwsError as error:
            change_set.fail(error.message)
            return
        if not changes:
            transformed = bool(change_set.definition.template.transforms)
            change_set.fail(NO_UPDATES if transformed else NO_CHANGES)
        elif await self._is_valid(change_set):
            change_set.complete()

    async def _compare(self, change_set: ChangeSet) -> bool:
        """Find the differences that a change set would make; return whether it would do anything.

        Raises:
            AwsError: The template is not consistent with the stack, or a nested one with its own.
        """
        stack, definition = change_set.stack, change_set.definition
        context = await self.contexts.of(definition, name=stack.name, stack_id=stack.id, resources=None)
        before, after = before_of(stack), After(definition.template, context, definition.tags)
        change_set.by_value = differences(before, after, schemas.schema)
        change_set.by_name = differences(before, after, schemas.schema, values=False)
        if not changes_anything(stack, definition, context):
            return False
        if not change_set.include_nested:
            return True
        unchanged = await self._compare_nested(change_set)
        change_set.by_value = without_unchanged(change_set.by_value, unchanged)
        change_set.by_name = without_unchanged(change_set.by_name, unchanged)
        return not unchanged or bool(change_set.by_value)

    async def _compare_nested(self, change_set: ChangeSet) -> set[str]:
        """Make the change sets of nested stacks; return the logical ids of those that stay as they are.

        Raises:
            AwsError: One cannot be made.
        """
        unchanged = set()
        for difference in nested(change_set.by_value):
            params = request(difference, change_set)
            stack = self.stacks.get(difference.id) if difference.id else None
            if stack is None:  # it is made with its parent
                stack = self._unmade(change_set.stack, difference)
            definition = await self.definitions.prepare(
                params, name=stack.name, stack_id=stack.id, previous=stack.definition, change_set=True
            )
            child = self._begin(stack, definition, params)
            child.parent_id, child.root_id = change_set.id, change_set.root_id or change_set.id
            change_set.nested[difference.logical_id] = child
            await self._plan(child)
            self._end(child)
            if child.status is ChangeSetStatus.FAILED:
                if child.reason not in (NO_CHANGES, NO_UPDATES):
                    raise validation_error(
                        f"Nested change set {child.id} was not successfully created: Currently in FAILED."
                    )
                unchanged.add(difference.logical_id)
        return unchanged

    def _unmade(self, parent: Stack, difference: Difference) -> Stack:
        """Return a nested stack that is not there: its parent makes it when the change set is executed."""
        name = f"{parent.name}-{difference.logical_id}-{random_suffix()}"
        return self.stacks.new(name, StackStatus.REVIEW_IN_PROGRESS, parent=parent)

    async def _is_valid(self, change_set: ChangeSet) -> bool:
        """Run the early validation; what it finds is in the events and fails the change set."""
        if change_set.request.get("DisableValidation"):
            return True
        mistakes = await self.validation.run(change_set.stack, change_set.by_value)
        taken = [each.logical_id for each in mistakes if each.check == early_validation.NAME_CONFLICT]
        if taken and change_set.request.get("ImportExistingResources"):
            change_set.fail(
                "The emulator does not import resources into stacks (ImportExistingResources): "
                f"[{', '.join(taken)}] exist already."
            )
            return False
        if mistakes:
            change_set.fail(early_validation.failure(mistakes))
        return not mistakes

    def definition_of(self, params: Params) -> Definition | None:
        """Return the definition that a request of GetTemplate is about, also that of a change set."""
        if params.get("ChangeSetName"):
            return self.change_sets.find(params).definition
        return super().definition_of(params)

    def selected_events(self, params: Params) -> list[tuple[Stack, StackEvent]]:
        """Return the events that a request of DescribeEvents is about, also those of a change set."""
        if not params.get("ChangeSetName"):
            return super().selected_events(params)
        change_set = self.change_sets.find(params)
        named = {"StackName": change_set.stack.id, "OperationId": change_set.operation.id}
        return super().selected_events({**params, **named})


def check_kind(params: Params) -> None:
    """Refuse kinds of change sets that the emulator does not make.

    Raises:
        AwsError: It names the kind.
    """
    if params.get("ChangeSetType") == "IMPORT" or params.get("ResourcesToImport"):
        raise not_implemented("The emulator does not import resources into stacks (ChangeSetType IMPORT).")
    if params.get("DeploymentMode"):
        raise not_implemented(
            f"The emulator does not revert drift (DeploymentMode {params['DeploymentMode']})."
        )
    if params.get("OnStackFailure") == "DELETE" and params.get("ChangeSetType", "UPDATE") != "CREATE":
        raise validation_error("OnStackFailure DELETE is only valid when ChangeSetType is CREATE.")


def _identity(change_set: ChangeSet) -> dict[str, Any]:
    return {
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "StackId": change_set.stack.id,
        "StackName": change_set.stack.name,
    }


def _summary(change_set: ChangeSet) -> dict[str, Any]:
    """Return botocore's `ChangeSetSummary`."""
    shape = {
        **_identity(change_set),
        "CreationTime": change_set.created,
        "Status": change_set.status.value,
        "ExecutionStatus": change_set.execution.value,
        "IncludeNestedStacks": change_set.include_nested,
    }
    optional = {
        "StatusReason": change_set.reason,
        "Description": change_set.request.get("Description"),
        "ParentChangeSetId": change_set.parent_id,
        "RootChangeSetId": change_set.root_id,
    }
    return shape | {name: value for name, value in optional.items() if value}


def _description(change_set: ChangeSet) -> dict[str, Any]:
    """Return what DescribeChangeSet answers beside the summary and the changes."""
    definition, request = change_set.definition, change_set.request
    shape: dict[str, Any] = {
        "Capabilities": list(definition.capabilities),
        "NotificationARNs": list(definition.notification_arns),
        "RollbackConfiguration": request.get("RollbackConfiguration") or {},
    }
    if definition.parameters:
        shape["Parameters"] = [
            {
                "ParameterKey": name,
                "ParameterValue": parameter.shown,
                **({"ResolvedValue": parameter.resolved} if parameter.resolved else {}),
            }
            for name, parameter in definition.parameters.items()
        ]
    return shape | {name: request[name] for name in _ANSWERED if request.get(name)}
