"""Every operation answers in botocore's shapes: the clients of the fixtures hold each answer against them."""

from __future__ import annotations

from typing import Any

from stack_flows import Flow, parameter, template

from answer_shapes import live_operations

EXPORTING = template({"A": parameter("1")}, Outputs={"O": {"Value": "x", "Export": {"Name": "shape"}}})


def unanswered(flow: Flow) -> set[str]:
    answered: Any = flow.emulator
    live = {name for service, name in live_operations() if service == "cloudformation"}
    return live - {name for service, name in answered.answered if service == "cloudformation"}


def test_every_operation_answers_in_its_shape(flow: Flow) -> None:
    api = flow.api
    flow.create("s", EXPORTING, Tags=[{"Key": "a", "Value": "b"}], TimeoutInMinutes=5)
    flow.create("user", template({"B": parameter({"Fn::ImportValue": "shape"})}))
    ask_about_stacks(api)
    ask_about_templates(api)
    change_by_change_set(flow)
    detect_drift(flow)
    fail_and_recover(flow)
    assert unanswered(flow) == set()


def ask_about_stacks(api: Any) -> None:
    api.describe_stacks()
    api.list_stacks()
    api.describe_stack_events(StackName="s")
    api.describe_events(StackName="s")
    api.describe_stack_resource(StackName="s", LogicalResourceId="A")
    api.describe_stack_resources(StackName="s")
    api.list_stack_resources(StackName="s")
    api.list_exports()
    api.list_imports(ExportName="shape")
    api.describe_account_limits()
    api.set_stack_policy(StackName="s", StackPolicyBody="{}")
    api.get_stack_policy(StackName="s")
    api.update_termination_protection(StackName="s", EnableTerminationProtection=False)


def ask_about_templates(api: Any) -> None:
    api.get_template(StackName="s")
    api.get_template_summary(StackName="s")
    api.validate_template(TemplateBody=EXPORTING)
    api.estimate_template_cost(TemplateBody=EXPORTING)


def change_by_change_set(flow: Flow) -> None:
    named = {"StackName": "s", "ChangeSetName": "c"}
    flow.api.create_change_set(**named, TemplateBody=EXPORTING.replace('"1"', '"2"'))
    flow.api.get_waiter("change_set_create_complete").wait(**named, WaiterConfig={"Delay": 1})
    flow.api.describe_change_set(**named, IncludePropertyValues=True)
    flow.api.describe_change_set_hooks(**named)
    flow.api.list_change_sets(StackName="s")
    flow.api.execute_change_set(**named)
    flow.settle("s", "UPDATE_COMPLETE")
    flow.api.create_change_set(StackName="s", ChangeSetName="d", TemplateBody=EXPORTING)
    flow.api.delete_change_set(StackName="s", ChangeSetName="d")


def detect_drift(flow: Flow) -> None:
    from samjhadoo_emulator.testing import eventually

    identity = flow.api.detect_stack_drift(StackName="s")["StackDriftDetectionId"]

    def status() -> str:
        answer = flow.api.describe_stack_drift_detection_status(StackDriftDetectionId=identity)
        found: str = answer["DetectionStatus"]
        return found

    eventually(lambda: status() == "DETECTION_COMPLETE")
    flow.api.detect_stack_resource_drift(StackName="s", LogicalResourceId="A")
    flow.api.describe_stack_resource_drifts(StackName="s")


def fail_and_recover(flow: Flow) -> None:
    changed = EXPORTING.replace('"1"', '"3"')
    with flow.emulator.faults.refuse("ssm", "PutParameter", "AccessDenied", "no", callers="services"):
        flow.update("s", changed, ends="UPDATE_FAILED", DisableRollback=True)
    flow.api.rollback_stack(StackName="s")
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    with flow.emulator.faults.refuse("ssm", "PutParameter", "AccessDenied", "no", callers="services"):
        flow.update("s", changed, ends="UPDATE_ROLLBACK_FAILED")
    flow.api.continue_update_rollback(StackName="s")
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    flow.emulator.faults.delay("ssm", "PutParameter", 0.3, callers="services", count=1)
    flow.api.update_stack(StackName="s", TemplateBody=changed)
    flow.api.cancel_update_stack(StackName="s")
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    flow.delete("user")
    flow.delete("s")
