"""Create the resources that a first deployment needs in the local AWS.

This runs beside the embedded stack, or as an init hook inside a LocalStack container. It needs only boto3,
calls AWS_ENDPOINT_URL or the local edge (never the real AWS), and can run again at any time: existing
resources are left unchanged. Names and settings come from SAMJHADOO_SEED_ variables; the defaults are those
of the project's local environment. SAMJHADOO_SEED_SERVICES, a JSON list, holds the differences of each of
several services.

The ECS service is not created here; the first `invoke deploy` does that.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

# A hook is a program of its own, not a module of the library.
import boto3  # noqa: TID253
from botocore.config import Config  # noqa: TID253
from botocore.exceptions import ClientError  # noqa: TID253

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULTS = {
    "ENVIRONMENT": "local",
    "CLUSTER": "samjhadoo-cluster",
    "FAMILY": "samjhadoo-backend",
    "LOAD_BALANCER": "samjhadoo-alb",
    "BLUE": "samjhadoo-blue",
    "GREEN": "samjhadoo-green",
    "CONTAINER_PORT": "8080",
    "PRODUCTION_PORT": "8080",
    "TEST_PORT": "8081",
    "HEALTH_PATH": "/health",
    "UNHEALTHY_THRESHOLD": "5",
    "INFRASTRUCTURE_ROLE": "samjhadoo-ecs-infrastructure",
    "REPOSITORY": "samjhadoo/backend",
    "JOURNAL_BUCKET": "samjhadoo-local-deployments",
    "TOPIC": "samjhadoo-deployments",
    "DATABASE_SECRET": "samjhadoo/local/database",
    "REDIS_SECRET": "samjhadoo/local/redis",
    "STRIPE_SECRET": "samjhadoo/local/stripe",
    # The databases' addresses as JSON. The embedded stack sets its own; containers reach each other by name.
    "DATABASE": json.dumps(
        {
            "host": "postgres",
            "port": 5432,
            "dbname": "samjhadoo",
            "username": "samjhadoo",
            "password": "samjhadoo",
        }
    ),
    "REDIS": json.dumps({"host": "redis", "port": 6379}),
    "SERVICES": "[{}]",
}
REGION = os.environ.get("AWS_DEFAULT_REGION", "ap-south-1")
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
SESSION = boto3.session.Session(
    region_name=REGION,
    aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
    aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
)
CONFIG = Config(retries={"mode": "standard", "max_attempts": 4}, proxies={})
MAKING = threading.Lock()
"""A session makes one client at a time: it fails now and then when two threads ask it at once."""


def setting(name: str, service: Mapping[str, str] | None = None) -> str:
    """Return a setting: the service's own, its variable's, or the default."""
    if service and name in service:
        return service[name]
    return os.environ.get(f"SAMJHADOO_SEED_{name}", DEFAULTS[name])


def services() -> list[dict[str, str]]:
    """Return what differs for each service."""
    found: list[dict[str, str]] = json.loads(setting("SERVICES"))
    return found


def listed(service: Mapping[str, str], name: str, default: str) -> list[str]:
    """Return a service's list of names, or the default."""
    return [each for each in service.get(name, default).split(",") if each]


def client(service: str) -> Any:
    """Return a client of the local AWS."""
    with MAKING:
        return SESSION.client(service, endpoint_url=ENDPOINT, config=CONFIG)


@contextmanager
def unless(code: str) -> Iterator[None]:
    """Ignore the error that a resource already exists."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise


def seed_journal() -> None:
    """Create the bucket for the deployments' journal, private and versioned."""
    s3, bucket = client("s3"), setting("JOURNAL_BUCKET")
    with unless("BucketAlreadyOwnedByYou"):
        place = {} if REGION == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
        s3.create_bucket(Bucket=bucket, **place)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )


def seed_secrets() -> None:
    """Create or update the secrets of the database and Redis, and create those of Stripe (random) once."""
    manager = client("secretsmanager")
    values = {}
    for service in services():
        values[setting("DATABASE_SECRET", service)] = setting("DATABASE")
        values[setting("REDIS_SECRET", service)] = setting("REDIS")
    for name, value in values.items():
        try:
            manager.create_secret(Name=name, SecretString=value)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=name, SecretString=value)
    stripe = {
        "secret_key": f"sk_test_{secrets.token_hex(16)}",
        "webhook_secret": f"whsec_{secrets.token_hex(16)}",
    }
    for name in {setting("STRIPE_SECRET", service) for service in services()}:
        with unless("ResourceExistsException"):
            manager.create_secret(Name=name, SecretString=json.dumps(stripe))


def seed_parameters() -> None:
    """Create the parameters with the names of the resources."""
    ssm = client("ssm")
    for name, value in (
        ("cluster", setting("CLUSTER")),
        ("repository", setting("REPOSITORY")),
        ("load-balancer", setting("LOAD_BALANCER")),
    ):
        ssm.put_parameter(
            Name=f"/samjhadoo/{setting('ENVIRONMENT')}/{name}", Value=value, Type="String", Overwrite=True
        )


def seed_topic() -> None:
    """Create the topic for deployments and alarms."""
    if setting("TOPIC"):
        client("sns").create_topic(Name=setting("TOPIC"))


def seed_roles() -> None:
    """Create the roles of the tasks, of their execution, and of ECS for shifting traffic."""
    iam = client("iam")
    service_role = "arn:aws:iam::aws:policy/service-role"
    managed = "arn:aws:iam::aws:policy"
    shifting = f"{managed}/AmazonECSInfrastructureRolePolicyForLoadBalancers"
    execution = "samjhadoo-task-execution"
    wanted = {execution: ("ecs-tasks.amazonaws.com", f"{service_role}/AmazonECSTaskExecutionRolePolicy")}
    for service in services():
        wanted[setting("INFRASTRUCTURE_ROLE", service)] = ("ecs.amazonaws.com", shifting)
        for role in listed(service, "ROLES", setting("FAMILY")):
            wanted.setdefault(role, ("ecs-tasks.amazonaws.com", ""))
    for name, (principal, policy) in wanted.items():
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
            ],
        }
        with unless("EntityAlreadyExists"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        # Some emulators have no AWS managed policies: go without them there.
        if policy:
            with suppress(ClientError):
                iam.attach_role_policy(RoleName=name, PolicyArn=policy)


def seed_cluster() -> None:
    """Create the cluster and the log groups of its tasks."""
    for cluster in {setting("CLUSTER", service) for service in services()}:
        client("ecs").create_cluster(clusterName=cluster)
    logs, default = client("logs"), f"/ecs/{setting('FAMILY')}"
    for group in {name for service in services() for name in listed(service, "LOG_GROUPS", default)}:
        with unless("ResourceAlreadyExistsException"):
            logs.create_log_group(logGroupName=group)


def seed_repository() -> None:
    """Create the image repositories, with immutable tags."""
    for name in {setting("REPOSITORY", service) for service in services()}:
        with unless("RepositoryAlreadyExistsException"):
            client("ecr").create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")


def seed_load_balancer() -> None:
    """Create the load balancers, with each service's listeners and target groups."""
    elb = client("elbv2")
    vpc, subnets = default_network()
    for service in services():
        seed_listeners(elb, service, vpc, subnets)


def seed_listeners(elb: Any, service: Mapping[str, str], vpc: str, subnets: list[str]) -> None:
    """Create a service's production listener and test listener, each with one of its target groups."""
    name = setting("LOAD_BALANCER", service)
    found = described(elb.describe_load_balancers, "LoadBalancers", name)
    balancer = (
        found
        or elb.create_load_balancer(Name=name, Type="application", Scheme="internet-facing", Subnets=subnets)[
            "LoadBalancers"
        ][0]
    )
    blue, green = (target_group(elb, service, colour, vpc) for colour in ("BLUE", "GREEN"))
    listening = {
        listener["Port"]
        for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    }
    for key, forward_to in (("PRODUCTION_PORT", blue), ("TEST_PORT", green)):
        port = int(setting(key, service))
        if port not in listening:
            weighted = {"TargetGroups": [{"TargetGroupArn": forward_to, "Weight": 1}]}
            elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[{"Type": "forward", "ForwardConfig": weighted}],
            )


def target_group(elb: Any, service: Mapping[str, str], colour: str, vpc: str) -> str:
    """Return the ARN of a service's target group, which is created if it does not exist."""
    name = setting(colour, service)
    found = described(elb.describe_target_groups, "TargetGroups", name)
    if not found:
        found = elb.create_target_group(
            Name=name,
            TargetType="ip",
            Protocol="HTTP",
            Port=int(setting("CONTAINER_PORT", service)),
            VpcId=vpc,
            HealthCheckProtocol="HTTP",
            HealthCheckPath=setting("HEALTH_PATH", service),
            HealthCheckIntervalSeconds=30,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=int(setting("UNHEALTHY_THRESHOLD", service)),
            Matcher={"HttpCode": "200"},
        )["TargetGroups"][0]
        # AWS's default of five minutes is too long for short requests, and clean-up takes as long as this.
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "30"}
        elb.modify_target_group_attributes(TargetGroupArn=found["TargetGroupArn"], Attributes=[delay])
    return str(found["TargetGroupArn"])


def described(describe: Any, key: str, name: str) -> dict[str, Any]:
    """Return the resource with a name from a describe operation; empty if there is none."""
    try:
        found: list[dict[str, Any]] = describe(Names=[name])[key]
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith("NotFound"):
            raise
        return {}
    return found[0] if found else {}


def default_network() -> tuple[str, list[str]]:
    """Return the default VPC and one of its subnets in each of two zones."""
    ec2 = client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    return vpc, [zones[zone] for zone in sorted(zones)][:2]


SEEDS = (
    seed_load_balancer,
    seed_journal,
    seed_secrets,
    seed_roles,
    seed_cluster,
    seed_repository,
    seed_parameters,
    seed_topic,
)


def main() -> None:
    """Create everything; independent resources in parallel."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        for seed in [pool.submit(seed) for seed in SEEDS]:
            seed.result()


# LocalStack executes hooks with empty globals: `__name__` would not be `__main__` there.
main()
