"""Every operation that is served live answers in botocore's shapes, and nothing else.

The clients of the fixtures hold each answer against the model (see `answer_shapes`); here every operation is
called at least once, so that none is left out.
"""

from __future__ import annotations

import base64
import hashlib
import json

import boto3
import pytest

from answer_shapes import faults, live_operations

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
PAUSE = {
    "targetType": "PAUSE",
    "lifecycleStages": ["POST_SCALE_UP"],
    "timeoutConfiguration": {"timeoutInMinutes": 10_000, "action": "ROLLBACK"},
}
ALARMS = {"alarmNames": ["shapes"], "enable": True, "rollback": True}


def operation(service, name):
    client = boto3.client(
        service, region_name="ap-south-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    return client.meta.service_model.operation_model(name)


@pytest.mark.parametrize(
    ("service", "name", "body", "expected"),
    [
        pytest.param("ecs", "ListServices", b'{"serviceArns": ["a"]}', [], id="right"),
        pytest.param(
            "ecs",
            "DescribeServices",
            b'{"services": [{"colour": "red", "runningCount": "2", "createdAt": true}]}',
            [
                "DescribeServices.services[0].colour: unknown member",
                "DescribeServices.services[0].runningCount: '2' is no integer",
                "DescribeServices.services[0].createdAt: True is no timestamp",
            ],
            id="json",
        ),
        pytest.param(
            "ecs",
            "DescribeTasks",
            b'{"tasks": [{"launchType": "MOON"}]}',
            ["DescribeTasks.tasks[0].launchType: 'MOON' is none of"],
            id="enumeration",
        ),
        pytest.param(
            "elbv2",
            "DescribeRules",
            b"<DescribeRulesResponse><DescribeRulesResult><Rules><member><IsDefault>yes</IsDefault>"
            b"<Colour/></member></Rules></DescribeRulesResult></DescribeRulesResponse>",
            [
                "DescribeRules.Rules[0].IsDefault: 'yes' is no boolean",
                "DescribeRules.Rules[0].Colour: unknown element Colour",
            ],
            id="xml",
        ),
    ],
)
def test_what_an_answer_may_not_hold_is_found(service, name, body, expected):
    found = faults(operation(service, name), body)
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True))


def missing(emulator, service):
    return {name for owner, name in live_operations() if owner == service} - {
        name for owner, name in emulator.answered if owner == service
    }


def test_every_live_operation_of_ecs_answers_in_its_shape(noop_emulator, eventually):
    ecs, logs = noop_emulator.client("ecs"), noop_emulator.client("logs")
    logs.create_log_group(logGroupName="/shapes")
    tags = [{"key": "team", "value": "shapes"}]
    cluster = ecs.create_cluster(
        clusterName="shapes", tags=tags, settings=[{"name": "containerInsights", "value": "enabled"}]
    )["cluster"]["clusterArn"]
    ecs.update_cluster(cluster="shapes", configuration={"executeCommandConfiguration": {"logging": "NONE"}})
    ecs.update_cluster_settings(
        cluster="shapes", settings=[{"name": "containerInsights", "value": "disabled"}]
    )
    ecs.put_cluster_capacity_providers(
        cluster="shapes",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 1}],
    )
    ecs.describe_clusters(clusters=["shapes", "none"], include=["TAGS", "SETTINGS", "STATISTICS"])
    ecs.list_clusters(maxResults=1)
    ecs.describe_capacity_providers(capacityProviders=["FARGATE", "none"])
    ecs.list_container_instances(cluster="shapes")
    ecs.describe_container_instances(cluster="shapes", containerInstances=["none"])
    ecs.list_attributes(cluster="shapes", targetType="container-instance")
    ecs.tag_resource(resourceArn=cluster, tags=[{"key": "more", "value": "1"}])
    ecs.list_tags_for_resource(resourceArn=cluster)
    ecs.untag_resource(resourceArn=cluster, tagKeys=["more"])
    definitions = [register(ecs, tags) for _ in range(3)]
    ecs.describe_task_definition(taskDefinition="shapes", include=["TAGS"])
    ecs.list_task_definitions(familyPrefix="shapes", sort="DESC", maxResults=1)
    ecs.list_task_definition_families(status="ALL")
    run_tasks(ecs, eventually)
    deploy(ecs, noop_emulator.client("cloudwatch"), eventually)
    ecs.deregister_task_definition(taskDefinition=definitions[0])
    ecs.delete_task_definitions(taskDefinitions=[definitions[0], "shapes:999"])
    ecs.delete_service(cluster="shapes", service="shapes", force=True)
    described = ecs.describe_services  # a service is described while it drains and after
    eventually(
        lambda: described(cluster="shapes", services=["shapes"])["services"][0]["status"] == "INACTIVE"
    )
    ecs.delete_cluster(cluster="shapes")
    assert missing(noop_emulator, "ecs") == {"ExecuteCommand"}  # it is always refused


def register(ecs, tags):
    return ecs.register_task_definition(
        family="shapes",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        tags=tags,
        runtimePlatform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        containerDefinitions=[
            {
                "name": "app",
                "image": "any",
                "portMappings": [{"containerPort": 80, "name": "http", "appProtocol": "http"}],
                "environment": [{"name": "A", "value": "b"}],
                "healthCheck": {"command": ["CMD", "true"], "interval": 5},
                "stopTimeout": 5,
                "dependsOn": [{"containerName": "side", "condition": "START"}],
            },
            {"name": "side", "image": "any", "essential": False, "memoryReservation": 16},
        ],
    )["taskDefinition"]["taskDefinitionArn"]


def run_tasks(ecs, eventually):
    common = {"cluster": "shapes", "taskDefinition": "shapes", "networkConfiguration": NETWORK}
    overrides = {"containerOverrides": [{"name": "app", "environment": [{"name": "A", "value": "c"}]}]}
    task = ecs.run_task(launchType="FARGATE", overrides=overrides, count=2, startedBy="shapes", **common)[
        "tasks"
    ][0]["taskArn"]
    ecs.start_task(containerInstances=["i-1"], **common)
    ecs.list_tasks(cluster="shapes", desiredStatus="RUNNING", maxResults=1)

    def stopped():
        tasks = ecs.describe_tasks(cluster="shapes", tasks=[task, "0" * 32], include=["TAGS"])["tasks"]
        return tasks[0]["lastStatus"] == "STOPPED"

    ecs.update_task_protection(cluster="shapes", tasks=[task, "0" * 32], protectionEnabled=True)
    ecs.get_task_protection(cluster="shapes", tasks=[task])
    for running in ecs.list_tasks(cluster="shapes")["taskArns"]:
        ecs.stop_task(cluster="shapes", task=running, reason="shapes")
    eventually(stopped)


def deploy(ecs, cloudwatch, eventually):
    """Go through a deployment that is continued, one that is stopped and one that is superseded."""
    cloudwatch.put_metric_alarm(
        AlarmName="shapes",
        Namespace="none",
        MetricName="none",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    ecs.create_service(
        cluster="shapes",
        serviceName="shapes",
        taskDefinition="shapes",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        deploymentConfiguration={
            "strategy": "BLUE_GREEN",
            "bakeTimeInMinutes": 1,
            "lifecycleHooks": [PAUSE],
            "alarms": ALARMS,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
        tags=[{"key": "team", "value": "shapes"}],
    )
    ecs.list_services(cluster="shapes", maxResults=1)

    def current():
        arn = ecs.list_service_deployments(cluster="shapes", service="shapes")["serviceDeployments"][0]
        answer = ecs.describe_service_deployments(
            serviceDeploymentArns=[arn["serviceDeploymentArn"], f"{arn['serviceDeploymentArn']}x"]
        )
        return answer["serviceDeployments"][0]

    def update():
        ecs.update_service(cluster="shapes", service="shapes", forceNewDeployment=True)
        return eventually(waiting)

    def waiting():
        deployment = current()
        return deployment if deployment.get("lifecycleHookDetails") else None

    def ended(status):
        eventually(lambda: current()["status"] == status)

    deployment = eventually(waiting)
    ecs.continue_service_deployment(
        serviceDeploymentArn=deployment["serviceDeploymentArn"],
        hookId=deployment["lifecycleHookDetails"][0]["hookId"],
    )
    ended("SUCCESSFUL")
    ecs.stop_service_deployment(serviceDeploymentArn=update()["serviceDeploymentArn"])
    ended("ROLLBACK_SUCCESSFUL")
    update()
    deployment = update()
    revisions = [deployment["targetServiceRevision"], *deployment["sourceServiceRevisions"]]
    ecs.describe_service_revisions(serviceRevisionArns=[revision["arn"] for revision in revisions])
    ecs.describe_services(cluster="shapes", services=["shapes", "none"], include=["TAGS"])


def test_every_live_operation_of_load_balancing_answers_in_its_shape(noop_emulator):
    elb, ec2 = noop_emulator.client("elbv2"), noop_emulator.client("ec2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    security_group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    balancer = elb.create_load_balancer(
        Name="shapes", Subnets=subnets, Tags=[{"Key": "team", "Value": "shapes"}]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(
        Name="shapes", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", HealthCheckPath="/health"
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = [
        {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]}}
    ]
    listener = elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=41999, DefaultActions=forward
    )["Listeners"][0]["ListenerArn"]
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=5,
        Conditions=[
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a*"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x", "Values": ["y"]}},
        ],
        Actions=[
            {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no"}}
        ],
    )["Rules"][0]["RuleArn"]
    redirect = [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Port": "443"}}]
    elb.modify_rule(RuleArn=rule, Actions=redirect)
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 7}])
    elb.modify_listener(ListenerArn=listener, DefaultActions=forward)
    elb.modify_target_group(TargetGroupArn=group, HealthCheckIntervalSeconds=20, Matcher={"HttpCode": "200"})
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "30"}]
    )
    elb.modify_listener_attributes(
        ListenerArn=listener,
        Attributes=[{"Key": "routing.http.response.server.enabled", "Value": "true"}],
    )
    targets = [{"Id": "127.0.0.1", "Port": 9}]
    elb.register_targets(TargetGroupArn=group, Targets=targets)
    elb.describe_target_health(TargetGroupArn=group)
    elb.deregister_targets(TargetGroupArn=group, Targets=targets)
    elb.describe_target_health(TargetGroupArn=group)
    elb.add_tags(ResourceArns=[group], Tags=[{"Key": "a", "Value": "b"}])
    elb.describe_tags(ResourceArns=[group, balancer])
    elb.remove_tags(ResourceArns=[group], TagKeys=["a"])
    elb.set_subnets(LoadBalancerArn=balancer, Subnets=subnets)
    elb.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=[security_group])
    elb.set_ip_address_type(LoadBalancerArn=balancer, IpAddressType="ipv4")
    elb.describe_account_limits()
    elb.describe_capacity_reservation(LoadBalancerArn=balancer)
    elb.describe_load_balancers(Names=["shapes"])
    elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)
    elb.describe_listeners(LoadBalancerArn=balancer)
    elb.describe_listener_attributes(ListenerArn=listener)
    acm = noop_emulator.client("acm")
    default, further = (
        [{"CertificateArn": acm.request_certificate(DomainName=f"{name}.example")["CertificateArn"]}]
        for name in ("default", "further")
    )
    elb.modify_listener(ListenerArn=listener, Protocol="HTTPS", Certificates=default)
    elb.add_listener_certificates(ListenerArn=listener, Certificates=further)
    elb.describe_listener_certificates(ListenerArn=listener)
    elb.remove_listener_certificates(ListenerArn=listener, Certificates=further)
    elb.describe_ssl_policies()
    elb.describe_rules(ListenerArn=listener)
    elb.describe_target_groups(Names=["shapes"])
    elb.describe_target_group_attributes(TargetGroupArn=group)
    elb.delete_rule(RuleArn=rule)
    elb.delete_listener(ListenerArn=listener)
    elb.delete_target_group(TargetGroupArn=group)
    elb.delete_load_balancer(LoadBalancerArn=balancer)
    assert missing(noop_emulator, "elbv2") == set()


def test_every_live_operation_of_the_registry_answers_in_its_shape(noop_emulator):
    ecr = noop_emulator.client("ecr")
    name = "shapes/app"
    arn = ecr.create_repository(repositoryName=name, tags=[{"Key": "a", "Value": "b"}])["repository"][
        "repositoryArn"
    ]
    ecr.describe_repositories(repositoryNames=[name])
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "c", "Value": "d"}])
    ecr.list_tags_for_resource(resourceArn=arn)
    ecr.untag_resource(resourceArn=arn, tagKeys=["c"])
    ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    ecr.put_image_scanning_configuration(
        repositoryName=name, imageScanningConfiguration={"scanOnPush": False}
    )
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5},
        "action": {"type": "expire"},
    }
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps({"rules": [rule]}))
    ecr.get_lifecycle_policy(repositoryName=name)
    ecr.start_lifecycle_policy_preview(repositoryName=name)
    ecr.get_lifecycle_policy_preview(repositoryName=name)
    ecr.delete_lifecycle_policy(repositoryName=name)
    ecr.batch_get_repository_scanning_configuration(repositoryNames=[name, "shapes/none"])
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(policy))
    ecr.get_repository_policy(repositoryName=name)
    ecr.delete_repository_policy(repositoryName=name)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert base64.b64decode(token).startswith(b"AWS:")
    push(ecr, name)
    ecr.delete_repository(repositoryName=name, force=True)
    assert missing(noop_emulator, "ecr") == set()


def push(ecr, name):
    """Push an image by the ECR API's own calls, read it back and delete it."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": upload(ecr, name, b'{"architecture": "amd64", "os": "linux"}'),
        "layers": [],
    }
    ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="v1")
    ecr.list_images(repositoryName=name)
    ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "v1"})
    ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageTag": "v1"})
    ecr.list_image_referrers(repositoryName=name, subjectId={"imageDigest": "sha256:" + "0" * 64})
    layers = [manifest["config"]["digest"], "sha256:" + "0" * 64]
    ecr.batch_check_layer_availability(repositoryName=name, layerDigests=layers)
    ecr.get_download_url_for_layer(repositoryName=name, layerDigest=layers[0])
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])


def upload(ecr, name, blob):
    number = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name,
        uploadId=number,
        partFirstByte=0,
        partLastByte=len(blob) - 1,
        layerPartBlob=blob,
    )
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    ecr.complete_layer_upload(repositoryName=name, uploadId=number, layerDigests=[digest])
    media_type = "application/vnd.oci.image.config.v1+json"
    return {"mediaType": media_type, "size": len(blob), "digest": digest}
