"""The AWS CLI deploys templates: by `deploy`, by change sets, and with nested stacks from `package`."""

from __future__ import annotations

import itertools
import json

import pytest

_numbers = itertools.count(1)


class Stack:
    """A stack as the AWS CLI sees it, and its template in a file."""

    def __init__(self, client, eventually, folder):
        self.client, self.eventually, self.folder = client, eventually, folder
        self.name = f"cli-{next(_numbers)}"

    def template(self, value, file="template.json"):
        document = {
            "Parameters": {"Value": {"Type": "String", "Default": value}},
            "Resources": {
                "P": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {
                        "Type": "String",
                        "Name": {"Fn::Sub": "/${AWS::StackName}"},
                        "Value": {"Ref": "Value"},
                    },
                }
            },
            "Outputs": {"Name": {"Value": {"Ref": "P"}}},
        }
        path = self.folder / file
        path.write_text(json.dumps(document))
        return path

    def deploy(self, template, *options):
        return self.client.run(
            "aws",
            "cloudformation",
            "deploy",
            "--stack-name",
            self.name,
            "--template-file",
            str(template),
            *options,
        )

    def aws(self, *argv, **documents):
        return self.client.aws("cloudformation", *argv, **documents)

    def reaches(self, status):
        """Wait for a status; the CLI's own waiters look every 30 seconds only."""
        self.eventually(lambda: self.stack()["StackStatus"] == status)

    def stack(self):
        return self.aws("describe-stacks", stack_name=self.name)["Stacks"][0]

    def listed(self):
        live = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_IN_PROGRESS"]
        return self.aws("list-stacks", "--stack-status-filter", *live)["StackSummaries"]

    def value(self):
        return self.client.aws("ssm", "get-parameter", name=f"/{self.name}")["Parameter"]["Value"]


@pytest.fixture
def stack(client, eventually, tmp_path):
    return Stack(client, eventually, tmp_path)


def test_deploy_creates_updates_and_finds_nothing_to_do(stack):
    created = stack.deploy(stack.template("one"))
    assert created.returncode == 0, created.stderr
    assert stack.value() == "one"

    updated = stack.deploy(stack.template("one"), "--parameter-overrides", "Value=two")
    assert updated.returncode == 0, updated.stderr
    assert (stack.value(), stack.stack()["StackStatus"]) == ("two", "UPDATE_COMPLETE")

    same = stack.deploy(stack.template("one"), "--parameter-overrides", "Value=two")
    assert same.returncode != 0
    assert "No changes to deploy" in same.stderr
    allowed = stack.deploy(stack.template("one"), "--no-fail-on-empty-changeset")
    assert allowed.returncode == 0, allowed.stderr


def test_deploy_shows_why_it_failed(stack):
    stack.client.aws("ssm", "put-parameter", name=f"/{stack.name}", value="taken", type="String")

    failed = stack.deploy(stack.template("one"))

    assert failed.returncode != 0
    assert "AWS::EarlyValidation::ResourceExistenceCheck" in failed.stderr


def test_change_sets_by_hand_with_every_waiter(stack):
    template = f"file://{stack.template('one')}"
    stack.aws(
        "create-change-set",
        stack_name=stack.name,
        change_set_name="first",
        change_set_type="CREATE",
        template_body=template,
    )
    stack.aws("wait", "change-set-create-complete", stack_name=stack.name, change_set_name="first")
    described = stack.aws("describe-change-set", stack_name=stack.name, change_set_name="first")
    assert [each["ResourceChange"]["Action"] for each in described["Changes"]] == ["Add"]
    stack.aws("execute-change-set", stack_name=stack.name, change_set_name="first")
    stack.reaches("CREATE_COMPLETE")
    stack.aws("wait", "stack-exists", stack_name=stack.name)
    stack.aws("wait", "stack-create-complete", stack_name=stack.name)

    overrides = [{"ParameterKey": "Value", "ParameterValue": "two"}]
    stack.aws("update-stack", "--use-previous-template", stack_name=stack.name, parameters=overrides)
    stack.reaches("UPDATE_COMPLETE")
    stack.aws("wait", "stack-update-complete", stack_name=stack.name)

    stack.aws("delete-stack", stack_name=stack.name)
    stack.eventually(lambda: not any(each["StackName"] == stack.name for each in stack.listed()))
    stack.aws("wait", "stack-delete-complete", stack_name=stack.name)


def test_package_puts_nested_templates_into_a_bucket(stack):
    where = {"LocationConstraint": stack.client.emulator.region}
    bucket = f"{stack.name}-templates"
    stack.client.aws("s3api", "create-bucket", bucket=bucket, create_bucket_configuration=where)
    stack.template("nested", file="child.json")
    parent = stack.folder / "parent.yaml"
    parent.write_text(
        "Resources:\n"
        "  Child:\n"
        "    Type: AWS::CloudFormation::Stack\n"
        "    Properties:\n"
        "      TemplateURL: child.json\n"
    )
    packaged = stack.folder / "packaged.yaml"
    done = stack.client.run(
        *("aws", "cloudformation", "package", "--template-file", str(parent)),
        *("--s3-bucket", bucket, "--output-template-file", str(packaged)),
    )
    assert done.returncode == 0, done.stderr

    deployed = stack.deploy(packaged)

    assert deployed.returncode == 0, deployed.stderr
    (child,) = stack.aws("list-stack-resources", stack_name=stack.name)["StackResourceSummaries"]
    outputs = stack.aws("describe-stacks", stack_name=child["PhysicalResourceId"])["Stacks"][0]["Outputs"]
    name = outputs[0]["OutputValue"]
    assert stack.client.aws("ssm", "get-parameter", name=name)["Parameter"]["Value"] == "nested"
