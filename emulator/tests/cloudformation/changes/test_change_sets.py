"""Change sets of the running emulator, from their creation to every end."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
_numbers = itertools.count(1)


def parameter(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, **properties}}


def body(outputs: dict[str, Any] | None = None, **resources: dict[str, Any]) -> str:
    return json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})


class Stack:
    """A stack as its change sets see it."""

    def __init__(self, emulator: Any, eventually: Any) -> None:
        self.api = emulator.client("cloudformation")
        self.ssm = emulator.client("ssm")
        self.eventually = eventually
        self.name = f"changes-{next(_numbers)}"
        self._sets = itertools.count(1)

    def propose(self, template: str, kind: str = "UPDATE", **further: Any) -> str:
        """Make a change set; return its ARN."""
        name = further.pop("ChangeSetName", f"set-{next(self._sets)}")
        answer = self.api.create_change_set(
            StackName=self.name, ChangeSetName=name, TemplateBody=template, ChangeSetType=kind, **further
        )
        self.eventually(lambda: not self.describe(answer["Id"])["Status"].endswith("_IN_PROGRESS"))
        return str(answer["Id"])

    def describe(self, change_set: str, **further: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.describe_change_set(ChangeSetName=change_set, **further)
        return answer

    def execute(self, change_set: str, status: str, **further: Any) -> None:
        self.api.execute_change_set(ChangeSetName=change_set, **further)
        self.eventually(lambda: self.status() == status)

    def create(self, template: str, **further: Any) -> None:
        self.execute(self.propose(template, "CREATE", **further), "CREATE_COMPLETE")

    def status(self) -> str:
        return str(self.stack()["StackStatus"])

    def stack(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_stacks(StackName=self.name)["Stacks"][0]
        return found

    def value(self, name: str) -> str:
        return str(self.ssm.get_parameter(Name=name)["Parameter"]["Value"])


@pytest.fixture
def stack(noop_emulator: Any, eventually: Any) -> Stack:
    return Stack(noop_emulator, eventually)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Return the code and the text of an API's refusal."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def changes(description: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = (each["ResourceChange"] for each in description["Changes"])
    return [(each["Action"], each["LogicalResourceId"], each.get("Replacement")) for each in found]


def test_a_change_set_creates_a_stack(stack: Stack) -> None:
    first = stack.propose(body(P=parameter(f"/{stack.name}", Value="one")), "CREATE", Description="the first")

    described = stack.describe(first)
    assert stack.status() == "REVIEW_IN_PROGRESS"
    assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert (described["Description"], described["ChangeSetName"]) == ("the first", "set-1")
    assert changes(described) == [("Add", "P", None)]
    assert stack.api.list_change_sets(StackName=stack.name)["Summaries"][0]["ChangeSetId"] == first

    stack.execute(first, "CREATE_COMPLETE")

    assert stack.value(f"/{stack.name}") == "one"
    assert stack.stack()["ChangeSetId"] == first
    stack.eventually(lambda: stack.describe(first)["ExecutionStatus"] == "EXECUTE_COMPLETE")


def test_a_change_set_updates_a_stack_and_makes_its_rivals_obsolete(stack: Stack) -> None:
    name = f"/{stack.name}"
    stack.create(body(P=parameter(name, Value="one")))
    second, third = (stack.propose(body(P=parameter(name, Value=value))) for value in ("two", "three"))

    described = stack.describe(second, IncludePropertyValues=True)
    (change,) = described["Changes"]
    assert change["ResourceChange"]["Details"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "Value",
        "RequiresRecreation": "Never",
        "Path": "/Properties/Value",
        "BeforeValue": "one",
        "AfterValue": "two",
        "AttributeChangeType": "Modify",
    }

    stack.execute(second, "UPDATE_COMPLETE")

    assert stack.value(name) == "two"
    assert stack.describe(third)["ExecutionStatus"] == "OBSOLETE"
    assert refusal(stack.api.execute_change_set, ChangeSetName=third) == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{third}] cannot be executed in its current execution status of [OBSOLETE]",
    )


def test_a_change_set_without_changes_fails(stack: Stack) -> None:
    template = body(P=parameter(f"/{stack.name}", Value="one"))
    stack.create(template)

    same = stack.propose(template)

    described = stack.describe(same)
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert (described["StatusReason"], described["Changes"]) == (NO_CHANGES, [])
    assert refusal(stack.api.execute_change_set, ChangeSetName=same) == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{same}] cannot be executed in its current status of [FAILED]",
    )


def test_new_outputs_are_a_change_of_no_resource(stack: Stack) -> None:
    resource = parameter(f"/{stack.name}", Value="one")
    stack.create(body(P=resource))

    change_set = stack.propose(body({"Name": {"Value": {"Ref": "P"}}}, P=resource))

    described = stack.describe(change_set)
    assert (described["Status"], described["Changes"]) == ("CREATE_COMPLETE", [])
    stack.execute(change_set, "UPDATE_COMPLETE")
    assert stack.stack()["Outputs"] == [{"OutputKey": "Name", "OutputValue": f"/{stack.name}"}]


def test_parameters_of_no_echo_are_not_shown(stack: Stack) -> None:
    document = {
        "Parameters": {"Secret": {"Type": "String", "NoEcho": True}},
        "Resources": {"P": parameter(f"/{stack.name}", Value={"Fn::Sub": "x-${Secret}"})},
    }
    given = [{"ParameterKey": "Secret", "ParameterValue": "hunter2"}]

    change_set = stack.propose(json.dumps(document), "CREATE", Parameters=given)

    described = stack.describe(change_set, IncludePropertyValues=True)
    assert described["Parameters"] == [{"ParameterKey": "Secret", "ParameterValue": "****"}]
    assert "hunter2" not in json.dumps(described, default=str)
    assert '"Value":"****"' in described["Changes"][0]["ResourceChange"]["AfterContext"]


def test_names_that_are_taken_are_refused_before_anything_is_made(stack: Stack) -> None:
    name = f"/{stack.name}"
    stack.ssm.put_parameter(Name=name, Value="somebody's", Type="String")

    change_set = stack.propose(body(P=parameter(name, Value="one")), "CREATE")

    described = stack.describe(change_set)
    assert described["Status"] == "FAILED"
    assert described["StatusReason"].startswith(
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
    )
    events = stack.api.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})
    (event,) = [each for each in events["OperationEvents"] if each["EventType"] == "VALIDATION_ERROR"]
    assert (event["LogicalResourceId"], event["ValidationStatusReason"]) == (
        "P",
        f"Resource of type 'AWS::SSM::Parameter' with identifier '{name}' already exists.",
    )

    without = stack.propose(body(P=parameter(name, Value="one")), "CREATE", DisableValidation=True)
    assert stack.describe(without)["Status"] == "CREATE_COMPLETE"


def test_existing_resources_are_not_imported(stack: Stack) -> None:
    """CDK's bootstrap always asks for it; it is refused only if there is something to import."""
    name, template = f"/{stack.name}", body(P=parameter(f"/{stack.name}", Value="one"))
    free = stack.propose(template, "CREATE", ImportExistingResources=True)
    assert stack.describe(free)["ExecutionStatus"] == "AVAILABLE"

    stack.ssm.put_parameter(Name=name, Value="somebody's", Type="String")
    taken = stack.describe(stack.propose(template, "CREATE", ImportExistingResources=True))

    assert taken["Status"] == "FAILED"
    assert taken["StatusReason"] == (
        "The emulator does not import resources into stacks (ImportExistingResources): [P] exist already."
    )


def test_a_stack_that_fails_to_be_created_is_deleted_if_the_change_set_says_so(stack: Stack) -> None:
    name = f"/{stack.name}"
    change_set = stack.propose(body(P=parameter(name, Value="one")), "CREATE", OnStackFailure="DELETE")
    arn = stack.stack()["StackId"]
    stack.ssm.put_parameter(Name=name, Value="somebody's", Type="String")

    stack.api.execute_change_set(ChangeSetName=change_set)

    def deleted() -> bool:
        found = stack.api.describe_stacks(StackName=arn)["Stacks"][0]
        return bool(found["StackStatus"] == "DELETE_COMPLETE")

    stack.eventually(deleted)
    assert stack.value(name) == "somebody's"
    stack.eventually(lambda: stack.describe(change_set)["ExecutionStatus"] == "EXECUTE_FAILED")


def test_a_stack_in_review_is_deleted_at_once(stack: Stack) -> None:
    stack.propose(body(P=parameter(f"/{stack.name}", Value="one")), "CREATE")

    stack.api.delete_stack(StackName=stack.name)

    code, text = refusal(stack.api.describe_stacks, StackName=stack.name)
    assert (code, text) == ("ValidationError", f"Stack with id {stack.name} does not exist")


def test_a_deleted_change_set_is_gone(stack: Stack) -> None:
    change_set = stack.propose(body(P=parameter(f"/{stack.name}", Value="one")), "CREATE")

    stack.api.delete_change_set(ChangeSetName=change_set)

    gone = ("ChangeSetNotFound", f"ChangeSet [{change_set}] does not exist")
    assert refusal(stack.api.describe_change_set, ChangeSetName=change_set) == gone
    stack.api.delete_change_set(ChangeSetName="set-1", StackName=stack.name)  # as nothing is left to do


def test_another_change_set_of_the_same_name_is_refused(stack: Stack) -> None:
    one, two = (body(P=parameter(f"/{stack.name}", Value=value)) for value in ("one", "two"))
    first = stack.propose(one, "CREATE", ChangeSetName="same")

    assert stack.propose(one, "CREATE", ChangeSetName="same") == first
    assert refusal(stack.propose, template=two, kind="CREATE", ChangeSetName="same") == (
        "AlreadyExistsException",
        "ChangeSet same cannot be created due to a mismatch with existing attribute Template",
    )


@pytest.mark.parametrize(
    ("params", "error"),
    [
        pytest.param(
            {"StackName": "nothing", "ChangeSetName": "set"},
            ("ValidationError", "Stack [nothing] does not exist"),
            id="an unknown stack",
        ),
        pytest.param(
            {"ChangeSetName": "set"},
            (
                "ValidationError",
                "StackName must be specified if ChangeSetName is not specified as an ARN.",
            ),
            id="no stack",
        ),
    ],
)
def test_what_is_not_there_cannot_be_described(
    stack: Stack, params: dict[str, str], error: tuple[str, str]
) -> None:
    assert refusal(stack.api.describe_change_set, **params) == error


def test_change_sets_of_the_wrong_type_are_refused(stack: Stack) -> None:
    template = body(P=parameter(f"/{stack.name}", Value="one"))
    missing = refusal(stack.propose, template=template)
    assert missing == ("ValidationError", f"Stack [{stack.name}] does not exist")

    stack.create(template)

    assert refusal(stack.propose, template=template, kind="CREATE", ChangeSetName="again") == (
        "ValidationError",
        f"Stack [{stack.name}] already exists and cannot be created again with the changeSet [again].",
    )


@pytest.mark.parametrize(
    "further",
    [
        {"ChangeSetType": "IMPORT"},
        {"DeploymentMode": "REVERT_DRIFT"},
        {"ResourceTypes": ["AWS::SSM::*"]},
    ],
    ids=str,
)
def test_what_the_emulator_cannot_do_is_refused_by_name(stack: Stack, further: dict[str, Any]) -> None:
    request = {"StackName": stack.name, "ChangeSetName": "set", "TemplateBody": body(), **further}

    code, text = refusal(stack.api.create_change_set, **request)

    assert code == "NotImplemented"
    assert str(next(iter(further))) in text


def test_a_wrong_template_leaves_no_stack(stack: Stack) -> None:
    refusal(stack.propose, template='{"Resources": {"P": {"Type": "AWS::No::Such"}}}', kind="CREATE")

    code, _ = refusal(stack.api.describe_stacks, StackName=stack.name)
    assert code == "ValidationError"


def test_there_are_no_hooks(stack: Stack) -> None:
    change_set = stack.propose(body(P=parameter(f"/{stack.name}", Value="one")), "CREATE")

    answer = stack.api.describe_change_set_hooks(ChangeSetName=change_set)

    assert (answer["Hooks"], answer["Status"]) == ([], "PLANNED")


def test_a_long_change_set_comes_in_pages(stack: Stack) -> None:
    resources = {f"P{number:03}": parameter(f"/{stack.name}/{number}", Value="x") for number in range(120)}
    change_set = stack.propose(body(None, **resources), "CREATE")

    first = stack.describe(change_set)
    second = stack.describe(change_set, NextToken=first["NextToken"])

    assert len(first["Changes"]) + len(second["Changes"]) == 120
    assert "NextToken" not in second


class Nested:
    """A stack with a nested one, whose templates are in a bucket."""

    def __init__(self, emulator: Any, stack: Stack) -> None:
        self.stack, self.s3 = stack, emulator.client("s3")
        where = {"LocationConstraint": emulator.region}
        self.s3.create_bucket(Bucket=stack.name, CreateBucketConfiguration=where)
        self.address = f"https://{stack.name}.s3.amazonaws.com/child.json"

    def child(self, value: str) -> None:
        """Put the nested stack's template into its place."""
        resource = parameter(f"/{self.stack.name}/child", Value=value, Description={"Ref": "Text"})
        document = {"Parameters": {"Text": {"Type": "String"}}, "Resources": {"C": resource}}
        self.s3.put_object(Bucket=self.stack.name, Key="child.json", Body=json.dumps(document).encode())

    def parent(self, value: str = "one") -> str:
        properties = {"TemplateURL": self.address, "Parameters": {"Text": {"Fn::GetAtt": ["P", "Value"]}}}
        return body(
            P=parameter(f"/{self.stack.name}", Value=value),
            Child={"Type": "AWS::CloudFormation::Stack", "Properties": properties},
        )

    def propose(self, template: str, kind: str = "UPDATE") -> tuple[dict[str, Any], dict[str, Any]]:
        """Make a change set; return its description and that of the nested stack, if it has one."""
        change_set = self.stack.propose(template, kind, IncludeNestedStacks=True)
        described = self.stack.describe(change_set)
        ids = [each["ResourceChange"].get("ChangeSetId") for each in described["Changes"]]
        nested = next(filter(None, ids), None)
        return described, self.stack.describe(nested) if nested else {}


@pytest.fixture
def nested(noop_emulator: Any, stack: Stack) -> Nested:
    found = Nested(noop_emulator, stack)
    found.child("first")
    return found


def test_nested_stacks_have_change_sets_of_their_own(nested: Nested) -> None:
    root, child = nested.propose(nested.parent(), "CREATE")

    assert changes(root) == [("Add", "Child", None), ("Add", "P", None)]
    assert changes(child) == [("Add", "C", None)]
    assert (child["ParentChangeSetId"], child["RootChangeSetId"]) == (root["ChangeSetId"],) * 2
    assert child["Parameters"] == [
        {"ParameterKey": "Text", "ParameterValue": "{{changeSet:KNOWN_AFTER_APPLY}}"}
    ]
    stack = nested.stack
    stack.execute(root["ChangeSetId"], "CREATE_COMPLETE")
    stack.eventually(lambda: stack.describe(child["ChangeSetId"])["ExecutionStatus"] == "EXECUTE_COMPLETE")
    assert stack.value(f"/{stack.name}/child") == "first"


def test_a_nested_template_that_has_changed_is_a_change(nested: Nested) -> None:
    nested.stack.create(nested.parent())
    nested.child("second")

    root, child = nested.propose(nested.parent())

    assert changes(root) == [("Modify", "Child", "False")]
    assert root["Changes"][0]["ResourceChange"]["Details"] == [
        {
            "Target": {"Attribute": "Properties", "RequiresRecreation": "Never"},
            "Evaluation": "Dynamic",
            "ChangeSource": "Automatic",
        }
    ]
    assert changes(child) == [("Modify", "C", "False")]
    nested.stack.execute(root["ChangeSetId"], "UPDATE_COMPLETE")
    assert nested.stack.value(f"/{nested.stack.name}/child") == "second"


def test_a_nested_stack_that_stays_as_it_is_is_no_change(nested: Nested) -> None:
    nested.stack.create(nested.parent())

    root, _ = nested.propose(nested.parent())

    assert (root["Status"], root["StatusReason"]) == ("FAILED", NO_CHANGES)


def test_a_wrong_nested_template_fails_the_change_set(nested: Nested) -> None:
    nested.stack.create(nested.parent())
    resource = {"Type": "AWS::SSM::Parameter", "Properties": {"Nonsense": 1}}
    document = {"Parameters": {"Text": {"Type": "String"}}, "Resources": {"C": resource}}
    nested.s3.put_object(Bucket=nested.stack.name, Key="child.json", Body=json.dumps(document).encode())

    root, _ = nested.propose(nested.parent())

    assert root["Status"] == "FAILED"
    assert root["StatusReason"].startswith("Nested change set arn:aws:cloudformation:")
    assert root["StatusReason"].endswith(" was not successfully created: Currently in FAILED.")
