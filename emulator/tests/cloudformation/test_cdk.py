"""What `cdk deploy` and `cdk destroy` call, with a template that CDK has synthesised.

The application is a Fargate service behind a load balancer, with an image from ECR. The calls and their order
are those of CDK's command line 2.1148.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPLATE = Path(__file__).parent / "templates" / "cdk_web.json"
CHANGE_SET = "cdk-deploy-change-set"
BUCKET, VERSION = "cdk-assets", "/cdk-bootstrap/hnb659fds/version"
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class Cdk:
    """CDK's command line, as far as AWS notices it."""

    def __init__(self, emulator: Any, eventually: Callable[..., Any]) -> None:
        self.emulator, self.eventually = emulator, eventually
        self.cloudformation = emulator.client("cloudformation")

    def bootstrap(self) -> None:
        """Make what publishing a template needs of the bootstrap stack."""
        where = {"LocationConstraint": self.emulator.region}
        self.emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        self.emulator.client("ssm").put_parameter(Name=VERSION, Value="32", Type="String")

    def publish(self) -> str:
        """Upload the template under its hash; return its address, which is that of AWS's S3."""
        role = "arn:aws:iam::000000000000:role/cdk-hnb659fds-file-publishing-role"
        self.emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="aws-cdk")
        s3, body = self.emulator.client("s3"), TEMPLATE.read_bytes()
        digest = hashlib.sha256(body).digest()
        key = f"{digest.hex()}.json"
        s3.get_bucket_location(Bucket=BUCKET)
        if not s3.list_objects_v2(Bucket=BUCKET, Prefix=key, MaxKeys=1)["KeyCount"]:
            s3.put_object(
                Bucket=BUCKET,
                Key=key,
                Body=body,
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(digest).decode(),
            )
        return f"https://s3.{self.emulator.region}.amazonaws.com/{BUCKET}/{key}"

    def deploy(self, **parameters: str) -> str:
        """Deploy; return the status of the stack, or why there is nothing to do."""
        address = self.publish()
        assert int(self.emulator.client("ssm").get_parameter(Name=VERSION)["Parameter"]["Value"]) >= 30
        exists = self.stack() is not None
        if exists:
            self.cloudformation.get_template(StackName="Web", TemplateStage="Original")
            self.cloudformation.delete_change_set(StackName="Web", ChangeSetName=CHANGE_SET)
        change_set = self.cloudformation.create_change_set(
            StackName="Web",
            ChangeSetName=CHANGE_SET,
            ChangeSetType="UPDATE" if exists else "CREATE",
            Description="CDK Changeset for execution",
            ClientToken="create-token",
            TemplateURL=address,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            IncludeNestedStacks=True,
            ImportExistingResources=False,
        )["Id"]
        described = self.cloudformation.describe_change_set(
            StackName="Web", ChangeSetName=change_set, IncludePropertyValues=True
        )
        if described["Status"] == "FAILED":
            return str(described["StatusReason"])
        token = f"exec-{change_set.rpartition('/')[2]}"
        self.cloudformation.execute_change_set(
            StackName="Web", ChangeSetName=CHANGE_SET, ClientRequestToken=token
        )
        return str(self.eventually(lambda: self.finished(token)))

    def finished(self, token: str) -> str | None:
        """Return the status that the operation of a token has ended in; CDK reads the events for it."""
        events = self.cloudformation.describe_stack_events(StackName="Web")["StackEvents"]
        own = [each for each in events if each.get("ClientRequestToken") == token]
        return next(
            (
                each["ResourceStatus"]
                for each in own
                if each["PhysicalResourceId"] == each["StackId"] and each["ResourceStatus"] in SETTLED
            ),
            None,
        )

    def stack(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.cloudformation.describe_stacks(StackName="Web")["Stacks"][0]
        except ClientError as error:
            assert "Stack with id Web does not exist" in str(error)  # noqa: PT017 - CDK looks for the words
            return None
        return found

    def health(self, port: str) -> int:
        """Return the status of a health check through the load balancer's listener."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            return int(answer.status)

    def reasons(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName="Web")["StackEvents"]
        return "\n".join(each.get("ResourceStatusReason", "") for each in events)

    def destroy(self) -> None:
        self.cloudformation.delete_stack(StackName="Web")
        self.eventually(lambda: self.stack() is None)


@pytest.fixture
def cdk(emulator: Any, eventually: Callable[..., Any], server_image: str) -> Iterator[Cdk]:
    assert "tiny/server" in server_image
    found = Cdk(emulator, eventually)
    found.bootstrap()
    yield found
    found.destroy()


def free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def test_an_application_of_cdk_is_deployed_updated_rolled_back_and_destroyed(cdk: Cdk) -> None:
    port = free_port()
    assert cdk.deploy(Tag="1", Port=port) == "CREATE_COMPLETE"
    stack = cdk.stack()
    assert stack is not None
    assert stack["Outputs"][0]["OutputValue"].endswith(".elb.localhost")
    assert cdk.health(port) == 200

    assert cdk.deploy(Tag="1", Port=port).startswith("The submitted information didn't contain changes.")

    assert cdk.deploy(Tag="none", Port=port) == "UPDATE_ROLLBACK_COMPLETE"
    assert "ECS Deployment Circuit Breaker was triggered" in cdk.reasons()
    assert cdk.health(port) == 200

    cdk.destroy()

    assert cdk.emulator.client("ecs").list_clusters()["clusterArns"] == []
    assert cdk.emulator.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
