"""Services without a load balancer, on a runtime without processes."""

from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture(scope="module")
def ecs(noop_emulator):
    client = noop_emulator.client("ecs")
    client.create_cluster(clusterName="c")
    return client


@pytest.fixture
def family(ecs):
    name = f"web{next(_numbers)}"
    register(ecs, name)
    return name


def register(ecs, family):
    return ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "app", "image": "127.0.0.1/app:1", "portMappings": [{"containerPort": 8080}]}
        ],
    )["taskDefinition"]["taskDefinitionArn"]


def create(ecs, family, *, count=2, **extra):
    return ecs.create_service(
        cluster="c",
        serviceName=family,
        taskDefinition=family,
        desiredCount=count,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        **extra,
    )["service"]


def describe(ecs, name):
    return ecs.describe_services(cluster="c", services=[name])["services"][0]


def latest(ecs, name):
    arn = ecs.list_service_deployments(cluster="c", service=name)["serviceDeployments"][0][
        "serviceDeploymentArn"
    ]
    return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def messages(ecs, name):
    return [event["message"] for event in describe(ecs, name)["events"]]


def test_a_service_runs_as_many_tasks_as_are_desired(ecs, family, eventually):
    created = create(ecs, family)
    assert (created["status"], created["desiredCount"], created["runningCount"]) == ("ACTIVE", 2, 0)
    eventually(lambda: describe(ecs, family)["runningCount"] == 2)
    arns = ecs.list_tasks(cluster="c", serviceName=family)["taskArns"]
    tasks = ecs.describe_tasks(cluster="c", tasks=arns)["tasks"]
    assert {task["lastStatus"] for task in tasks} == {"RUNNING"}
    assert {task["group"] for task in tasks} == {f"service:{family}"}


def test_the_first_deployment_succeeds_and_the_service_becomes_steady(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    eventually(lambda: any("has reached a steady state." in text for text in messages(ecs, family)))
    service = describe(ecs, family)
    assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]
    assert service["currentServiceDeployment"] == latest(ecs, family)["serviceDeploymentArn"]


def test_an_update_rolls_to_the_new_revision_and_leaves_only_its_tasks(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    new = register(ecs, family)
    ecs.update_service(cluster="c", service=family, taskDefinition=family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    arns = ecs.list_tasks(cluster="c", serviceName=family)["taskArns"]
    tasks = ecs.describe_tasks(cluster="c", tasks=arns)["tasks"]
    assert [task["taskDefinitionArn"] for task in tasks] == [new, new]


def test_desired_count_scales_without_a_deployment(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    before = describe(ecs, family)["currentServiceDeployment"]
    ecs.update_service(cluster="c", service=family, desiredCount=3)
    eventually(lambda: describe(ecs, family)["runningCount"] == 3)
    ecs.update_service(cluster="c", service=family, desiredCount=1)
    eventually(lambda: describe(ecs, family)["runningCount"] == 1)
    assert describe(ecs, family)["currentServiceDeployment"] == before


@pytest.mark.rule("A.1.triggers")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"desiredCount": 2}, id="desired-count"),
        pytest.param({"deploymentConfiguration": {"maximumPercent": 150}}, id="deployment-configuration"),
        pytest.param({"healthCheckGracePeriodSeconds": 0}, id="grace-period"),
        pytest.param({"enableExecuteCommand": True}, id="execute-command"),
    ],
)
def test_these_changes_start_no_deployment(ecs, family, eventually, change):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    before = describe(ecs, family)["currentServiceDeployment"]
    assert (
        ecs.update_service(cluster="c", service=family, **change)["service"]["currentServiceDeployment"]
        == before
    )


def test_a_service_whose_task_definition_is_deregistered_can_be_scaled(ecs, family, eventually):
    arn = create(ecs, family)["taskDefinition"]
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.update_service(cluster="c", service=family, desiredCount=3)
    eventually(lambda: describe(ecs, family)["runningCount"] == 3)
    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        ecs.update_service(cluster="c", service=family, taskDefinition=arn)


def test_forcing_a_deployment_replaces_the_tasks(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    before = set(ecs.list_tasks(cluster="c", serviceName=family)["taskArns"])
    ecs.update_service(cluster="c", service=family, forceNewDeployment=True)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    assert not before & set(ecs.list_tasks(cluster="c", serviceName=family)["taskArns"])


def test_a_stopped_task_is_replaced(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    victim = ecs.list_tasks(cluster="c", serviceName=family)["taskArns"][0]
    ecs.stop_task(cluster="c", task=victim)
    eventually(
        lambda: (
            describe(ecs, family)["runningCount"] == 2
            and victim not in ecs.list_tasks(cluster="c", serviceName=family)["taskArns"]
        )
    )


@pytest.mark.rule("A.4.transitions", "A.15.5")
def test_a_newer_deployment_supersedes_an_ongoing_one(ecs, family, eventually):
    configuration = {"lifecycleHooks": [], "strategy": "CANARY", "bakeTimeInMinutes": 1000}
    create(ecs, family, deploymentConfiguration=configuration)
    eventually(lambda: latest(ecs, family).get("lifecycleStage") == "BAKE_TIME")
    first = latest(ecs, family)["serviceDeploymentArn"]
    ecs.update_service(cluster="c", service=family, taskDefinition=family)
    eventually(
        lambda: (
            ecs.describe_service_deployments(serviceDeploymentArns=[first])["serviceDeployments"][0]["status"]
            == "STOPPED"
        )
    )
    assert latest(ecs, family)["serviceDeploymentArn"] != first


def test_a_service_is_deleted_only_when_scaled_to_none_or_by_force(ecs, family, eventually):
    create(ecs, family)
    with pytest.raises(ClientError, match="The service cannot be stopped while it is scaled above 0."):
        ecs.delete_service(cluster="c", service=family)
    assert ecs.delete_service(cluster="c", service=family, force=True)["service"]["status"] == "DRAINING"
    eventually(lambda: describe(ecs, family)["status"] == "INACTIVE")
    assert describe(ecs, family)["runningCount"] == 0
    with pytest.raises(ClientError, match="ServiceNotActiveException"):
        ecs.update_service(cluster="c", service=family, desiredCount=1)


@pytest.mark.rule("A.1.calls")
@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param({"service": "nope", "cluster": "c"}, "ServiceNotFoundException", id="service"),
        pytest.param({"service": "nope", "cluster": "nope"}, "ClusterNotFoundException", id="cluster"),
    ],
)
def test_what_is_not_there_is_named_by_aws_codes(ecs, call, code):
    with pytest.raises(ClientError) as caught:
        ecs.update_service(**call, desiredCount=1)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.rule("A.2.ranges")
@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        pytest.param(
            {
                "lifecycleHooks": [
                    {"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]},
                ]
            },
            "Invalid lifecycle stage provided for Pause Hook",
            id="pause-stage",
        ),
        pytest.param(
            {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.05}},
            "canaryPercent must be a multiple of 0.1",
            id="canary-percent",
        ),
        pytest.param({"bakeTimeInMinutes": 1441}, "bakeTimeInMinutes must be between", id="bake-time"),
        pytest.param({"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes is required", id="blue-green-bake"),
        pytest.param(
            {"minimumHealthyPercent": 100, "maximumPercent": 100}, "this will block deployments", id="percent"
        ),
    ],
)
def test_a_deployment_configuration_that_cannot_be_is_refused(ecs, family, configuration, message):
    with pytest.raises(ClientError, match=message):
        create(ecs, family, deploymentConfiguration=configuration)
    assert ecs.describe_services(cluster="c", services=[family])["failures"]


@pytest.mark.rule("A.5.continue", "A.6.states", "A.15.5")
def test_continue_and_stop_refuse_what_aws_refuses(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: latest(ecs, family)["status"] == "SUCCESSFUL")
    arn = latest(ecs, family)["serviceDeploymentArn"]
    with pytest.raises(ClientError, match="hookId must follow the format"):
        ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="x")
    with pytest.raises(ClientError, match="in terminal states"):
        ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="ecs-pause-abc")
    with pytest.raises(ClientError, match="ConflictException"):
        ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with pytest.raises(ClientError, match="The service deployment does not exist."):
        ecs.stop_service_deployment(serviceDeploymentArn=arn + "x")


@pytest.mark.rule("A.9.candidate", "A.15.6")
def test_a_first_deployment_has_nothing_to_roll_back_to(ecs, family, eventually):
    create(ecs, family, deploymentConfiguration={"strategy": "CANARY", "bakeTimeInMinutes": 1000})
    eventually(lambda: latest(ecs, family).get("lifecycleStage") == "BAKE_TIME")
    ecs.stop_service_deployment(serviceDeploymentArn=latest(ecs, family)["serviceDeploymentArn"])
    eventually(lambda: latest(ecs, family)["status"] == "ROLLBACK_FAILED")
    assert latest(ecs, family)["statusReason"] == "No rollback candidate was found to run the rollback."


@pytest.mark.rule("A.1.pages")
def test_listings_are_paged(ecs, family, eventually):
    create(ecs, family, count=0)
    for _ in range(3):
        ecs.update_service(cluster="c", service=family, forceNewDeployment=True)
    first = ecs.list_service_deployments(cluster="c", service=family, maxResults=3)
    rest = ecs.list_service_deployments(cluster="c", service=family, nextToken=first["nextToken"])
    assert len(first["serviceDeployments"]) + len(rest["serviceDeployments"]) == 4
    assert "nextToken" not in rest


def test_revisions_show_their_parts(ecs, family):
    create(ecs, family, count=0)
    target = latest(ecs, family)["targetServiceRevision"]["arn"]
    answer = ecs.describe_service_revisions(serviceRevisionArns=[target, target[:-1] + "x"])
    assert answer["serviceRevisions"][0]["taskDefinition"].endswith(f"/{family}:1")
    assert answer["serviceRevisions"][0]["containerImages"][0]["image"] == "127.0.0.1/app:1"
    assert answer["failures"][0]["reason"] == "MISSING"


def test_a_protected_task_outlives_scaling_in_until_its_protection_ends(ecs, family, eventually):
    create(ecs, family)
    eventually(lambda: describe(ecs, family)["runningCount"] == 2)
    tasks = ecs.list_tasks(cluster="c", serviceName=family)["taskArns"]
    protected = ecs.update_task_protection(cluster="c", tasks=tasks, protectionEnabled=True)["protectedTasks"]
    assert all(each["protectionEnabled"] and each["expirationDate"] for each in protected)
    ecs.update_service(cluster="c", service=family, desiredCount=0)
    ecs.update_task_protection(cluster="c", tasks=tasks[:1], protectionEnabled=False)
    eventually(lambda: ecs.list_tasks(cluster="c", serviceName=family)["taskArns"] == tasks[1:])
    assert ecs.get_task_protection(cluster="c", tasks=tasks[1:])["protectedTasks"][0]["protectionEnabled"]
    ecs.update_task_protection(cluster="c", tasks=tasks[1:], protectionEnabled=True, expiresInMinutes=1)
    eventually(lambda: ecs.list_tasks(cluster="c", serviceName=family)["taskArns"] == [])


def test_a_task_definition_that_is_missing_or_inactive_is_refused_in_awss_words(ecs, family):
    with pytest.raises(ClientError, match="TaskDefinition not found"):
        create(ecs, f"{family}-missing")
    with pytest.raises(ClientError, match="Unable to describe task definition"):
        ecs.describe_task_definition(taskDefinition=f"{family}:7")
    ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    with pytest.raises(ClientError, match="TaskDefinition not found"):
        create(ecs, family)
    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        ecs.run_task(
            cluster="c", taskDefinition=f"{family}:1", launchType="FARGATE", networkConfiguration=NETWORK
        )
