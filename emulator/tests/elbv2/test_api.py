from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError


def refused(call, **params):
    """Return the code and message of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_arns_names_and_states_are_aws_true(balancing, to):
    group = balancing.group()
    listener, _ = balancing.listener(to(group))
    balancer = balancing.elbv2.describe_load_balancers(LoadBalancerArns=[balancing.arn])["LoadBalancers"][0]
    name, identity = balancing.arn.split("/")[2:]
    prefix = "arn:aws:elasticloadbalancing:ap-south-1:000000000000"
    assert re.fullmatch(rf"{prefix}:loadbalancer/app/{name}/[0-9a-f]{{16}}", balancing.arn)
    assert re.fullmatch(rf"{prefix}:targetgroup/group-\d+/[0-9a-f]{{16}}", group)
    assert re.fullmatch(rf"{prefix}:listener/app/{name}/{identity}/[0-9a-f]{{16}}", listener)
    rule = balancing.elbv2.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
    assert re.fullmatch(f"{listener.replace('listener', 'listener-rule', 1)}/[0-9a-f]{{16}}", rule)
    assert balancer["DNSName"] == f"{name}-{identity}.ap-south-1.elb.localhost"
    assert (balancer["State"]["Code"], balancer["Type"], balancer["Scheme"]) == (
        "active",
        "application",
        "internet-facing",
    )
    assert len(balancer["AvailabilityZones"]) >= 2
    groups = balancing.elbv2.describe_target_groups(LoadBalancerArn=balancing.arn)["TargetGroups"]
    assert [(each["TargetGroupArn"], each["LoadBalancerArns"]) for each in groups] == [
        (group, [balancing.arn])
    ]


def test_a_creation_repeated_is_the_same_and_with_other_settings_refused(balancing, network, to):
    elbv2, (vpc, subnets), name = balancing.elbv2, network, balancing.arn.split("/")[2]
    again = elbv2.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == balancing.arn
    assert refused(elbv2.create_load_balancer, Name=name, Subnets=subnets, Scheme="internal") == (
        "DuplicateLoadBalancerName",
        f"A load balancer with the same name '{name}' exists, but with different settings",
    )
    settings = {"Name": "again", "Protocol": "HTTP", "Port": 80, "VpcId": vpc}
    first, second = (elbv2.create_target_group(**settings)["TargetGroups"][0] for _ in range(2))
    assert first == second
    assert refused(elbv2.create_target_group, **{**settings, "Port": 81})[0] == "DuplicateTargetGroupName"
    group = first["TargetGroupArn"]
    listener, _ = balancing.listener(to(group), port=18080)
    assert balancing.listener(to(group), port=18080)[0] == listener
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
    assert refused(balancing.listener, action=fixed, port=18080) == (
        "DuplicateListener",
        f"A listener already exists on this port for this load balancer '{balancing.arn}'",
    )


def test_what_does_not_exist_has_the_error_of_aws(balancing, to):
    elbv2 = balancing.elbv2
    nobody = balancing.arn.replace("/balancer/", "/nobody/")
    group = balancing.group().replace("group-", "gone-")
    assert refused(elbv2.describe_load_balancers, Names=["nobody"]) == (
        "LoadBalancerNotFound",
        "Load balancers '[nobody]' not found",
    )
    assert refused(elbv2.describe_load_balancers, LoadBalancerArns=[nobody])[0] == "LoadBalancerNotFound"
    assert refused(elbv2.describe_target_groups, Names=["gone"]) == (
        "TargetGroupNotFound",
        "One or more target groups not found",
    )
    assert (
        refused(elbv2.register_targets, TargetGroupArn=group, Targets=[{"Id": "127.0.0.1"}])[0]
        == "TargetGroupNotFound"
    )
    assert refused(balancing.listener, action=to(group)) == (
        "TargetGroupNotFound",
        f"Target group '{group}' not found",
    )
    listener_of_nobody = f"{nobody.replace(':loadbalancer/', ':listener/')}/1"
    rule_of_nobody = f"{listener_of_nobody.replace(':listener/', ':listener-rule/')}/1"
    assert refused(elbv2.describe_listeners, ListenerArns=[listener_of_nobody])[0] == "ListenerNotFound"
    assert refused(elbv2.describe_rules, RuleArns=[rule_of_nobody]) == (
        "RuleNotFound",
        "One or more rules not found",
    )
    assert elbv2.delete_load_balancer(LoadBalancerArn=nobody)


def test_priorities_default_rules_and_groups_in_use_are_protected(balancing, to):
    elbv2, group = balancing.elbv2, balancing.group()
    listener, _ = balancing.listener(to(group))
    condition = [{"Field": "path-pattern", "Values": ["/x"]}]
    rule = {"ListenerArn": listener, "Priority": 7, "Conditions": condition, "Actions": [to(group)]}
    elbv2.create_rule(**rule)
    assert refused(elbv2.create_rule, **rule) == ("PriorityInUse", "Priority '7' is currently in use")
    default = elbv2.describe_rules(ListenerArn=listener)["Rules"][-1]["RuleArn"]
    assert refused(elbv2.modify_rule, RuleArn=default, Actions=[to(group)]) == (
        "OperationNotPermitted",
        f"Default rule '{default}' cannot be modified",
    )
    assert refused(elbv2.delete_rule, RuleArn=default)[0] == "OperationNotPermitted"
    assert refused(elbv2.delete_target_group, TargetGroupArn=group) == (
        "ResourceInUse",
        f"Target group '{group}' is currently in use by a listener or a rule",
    )


def test_a_target_group_serves_one_load_balancer_only(balancing, network, to):
    group = balancing.group()
    balancing.listener(to(group))
    other = balancing.elbv2.create_load_balancer(Name="other", Subnets=network[1])["LoadBalancers"][0][
        "LoadBalancerArn"
    ]
    listener = {"LoadBalancerArn": other, "Protocol": "HTTP", "Port": 80, "DefaultActions": [to(group)]}
    assert refused(balancing.elbv2.create_listener, **listener)[0] == "TargetGroupAssociationLimit"
    balancing.elbv2.delete_load_balancer(LoadBalancerArn=other)


def test_the_scalar_target_group_is_shown_only_where_there_is_one(balancing, to):
    elbv2, one, two = balancing.elbv2, balancing.group(), balancing.group()
    listener, _ = balancing.listener({"Type": "forward", "TargetGroupArn": one})
    condition = [{"Field": "path-pattern", "Values": ["/x"]}]
    rule = elbv2.create_rule(ListenerArn=listener, Priority=1, Conditions=condition, Actions=[to(one)])[
        "Rules"
    ][0]
    unstuck = {"TargetGroupStickinessConfig": {"Enabled": False}}
    single = {"TargetGroups": [{"TargetGroupArn": one, "Weight": 1}], **unstuck}
    assert rule["Actions"] == [{"Type": "forward", "TargetGroupArn": one, "ForwardConfig": single}]
    elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=[to(one, two, weights=(900, 100))])
    shown = elbv2.describe_rules(RuleArns=[rule["RuleArn"]])["Rules"][0]["Actions"]
    assert shown == [
        {"Type": "forward", "ForwardConfig": {**to(one, two, weights=(900, 100))["ForwardConfig"], **unstuck}}
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"Port": 0}, "A port must be specified", id="port"),
        pytest.param({"Name": "a" * 33}, "cannot be longer than '32' characters", id="long-name"),
        pytest.param({"Name": "-a"}, "cannot begin or end with '-'", id="dash"),
        pytest.param({"HealthCheckPath": "x"}, "must begin with '/'", id="path"),
        pytest.param(
            {"HealthCheckIntervalSeconds": 5},
            "timeout '5' must be smaller than the interval '5'",
            id="interval",
        ),
        pytest.param(
            {"HealthyThresholdCount": 11},
            "Value '11' at 'healthyThresholdCount' failed to satisfy constraint: "
            "Member must have value less than or equal to 10",
            id="threshold",
        ),
        pytest.param({"Matcher": {"HttpCode": "200-"}}, "must be a code, a list or a range", id="matcher"),
        pytest.param({"Protocol": "TCP"}, "no target groups of protocol 'TCP'", id="protocol"),
        pytest.param({"VpcId": "vpc-00000000"}, "The VPC ID 'vpc-00000000' is not found", id="network"),
    ],
)
def test_a_malformed_target_group_is_refused(balancing, settings, message):
    wanted = {"Name": "bad", "Protocol": "HTTP", "Port": 80, "VpcId": balancing.vpc, "TargetType": "ip"}
    if settings == {"Port": 0}:
        del wanted["Port"]
        settings = {}
    code, text = refused(balancing.elbv2.create_target_group, **{**wanted, **settings})
    assert code == "ValidationError"
    assert message in text


@pytest.mark.parametrize(
    ("action", "code"),
    [
        pytest.param({"Type": "forward"}, "ValidationError", id="nowhere"),
        pytest.param({"Type": "teleport"}, "ValidationError", id="unknown"),
        pytest.param({"Type": "authenticate-oidc"}, "InvalidLoadBalancerAction", id="not-served"),
        pytest.param(
            {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Query": "a=b"}},
            "InvalidLoadBalancerAction",
            id="loop",
        ),
        pytest.param(
            {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "302"}},
            "ValidationError",
            id="status",
        ),
        pytest.param(
            {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "a/b"}},
            "InvalidLoadBalancerAction",
            id="content-type",
        ),
    ],
)
def test_a_malformed_action_is_refused(balancing, action, code):
    assert refused(balancing.listener, action=action)[0] == code


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        pytest.param([{"Field": "moon"}], "must be one of", id="field"),
        pytest.param(
            [{"Field": "path-pattern", "Values": []}], "A condition value must be specified", id="empty"
        ),
        pytest.param(
            [{"Field": "path-pattern", "Values": list("abcdef")}], "'5' condition values", id="values"
        ),
        pytest.param(
            [{"Field": "path-pattern", "Values": ["/******"]}], "'5' condition wildcards", id="wildcards"
        ),
        pytest.param(
            [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}}], "is not valid", id="address"
        ),
        pytest.param([{"Field": "source-ip", "Values": ["10.0.0.0/8"]}], "not compatible", id="shorthand"),
        pytest.param(
            [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["/(?!x)"]}}],
            "lookarounds",
            id="regex",
        ),
    ],
)
def test_a_malformed_condition_is_refused(balancing, to, conditions, message):
    group = balancing.group()
    listener, _ = balancing.listener(to(group))
    code, text = refused(
        balancing.elbv2.create_rule,
        ListenerArn=listener,
        Priority=1,
        Conditions=conditions,
        Actions=[to(group)],
    )
    assert (code, message in text) == ("ValidationError", True), text


def test_targets_have_to_be_addresses_or_instances(balancing):
    elbv2, ip, instance = balancing.elbv2, balancing.group(), balancing.group(TargetType="instance")
    assert refused(elbv2.register_targets, TargetGroupArn=ip, Targets=[{"Id": "web"}])[0] == "ValidationError"
    assert (
        refused(elbv2.register_targets, TargetGroupArn=instance, Targets=[{"Id": "127.0.0.1"}])[0]
        == "ValidationError"
    )


def test_lists_come_in_pages(balancing, to):
    for _ in range(3):
        balancing.listener(to(balancing.group()))
    pages = balancing.elbv2.get_paginator("describe_listeners").paginate(
        LoadBalancerArn=balancing.arn, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["Listeners"]) for page in pages] == [2, 1]
    assert (
        refused(balancing.elbv2.describe_listeners, LoadBalancerArn=balancing.arn, Marker="x")[0]
        == "ValidationError"
    )


def test_attributes_have_aws_defaults_and_bounds(balancing):
    elbv2, group = balancing.elbv2, balancing.group()
    shown = elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "300"} in shown

    def change(key, value):
        return refused(
            elbv2.modify_target_group_attributes,
            TargetGroupArn=group,
            Attributes=[{"Key": key, "Value": value}],
        )

    assert change("deregistration_delay.timeout_seconds", "3601") == (
        "ValidationError",
        "'deregistration_delay.timeout_seconds' value '3601' must be between '0-3600' inclusive",
    )
    assert change("moon.phase", "full") == (
        "ValidationError",
        "Target group attribute key 'moon.phase' is not recognized",
    )
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=balancing.arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    assert refused(elbv2.delete_load_balancer, LoadBalancerArn=balancing.arn)[0] == "OperationNotPermitted"
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=balancing.arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
    )


def test_tags_are_kept_with_their_resource(balancing, to):
    elbv2, group = balancing.elbv2, balancing.group()
    listener, _ = balancing.listener(to(group))
    for arn in (balancing.arn, group, listener):
        elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": "team", "Value": "web"}, {"Key": "x", "Value": ""}])
        elbv2.remove_tags(ResourceArns=[arn], TagKeys=["x"])
        described = elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        assert described == [{"ResourceArn": arn, "Tags": [{"Key": "team", "Value": "web"}]}]
    assert refused(elbv2.describe_tags, ResourceArns=[f"{group}0"])[0] == "TargetGroupNotFound"


def test_a_network_needs_two_zones(balancing, network):
    elbv2, (_, subnets) = balancing.elbv2, network
    assert refused(elbv2.create_load_balancer, Name="narrow", Subnets=subnets[:1])[0] == "ValidationError"
    assert (
        refused(elbv2.create_load_balancer, Name="lost", Subnets=["subnet-00000000"])[0] == "SubnetNotFound"
    )
    answer = elbv2.set_subnets(LoadBalancerArn=balancing.arn, Subnets=subnets[:2])
    assert {zone["SubnetId"] for zone in answer["AvailabilityZones"]} == set(subnets[:2])


def test_https_listeners_have_more_certificates(balancing, to):
    elbv2, group = balancing.elbv2, balancing.group()
    default, other = (
        f"arn:aws:acm:ap-south-1:000000000000:certificate/{name}" for name in ("default", "other")
    )
    listener, _ = balancing.listener(to(group), Protocol="HTTPS", Certificates=[{"CertificateArn": default}])
    named = {"ListenerArn": listener, "Certificates": [{"CertificateArn": other}]}
    for _ in range(2):
        added = elbv2.add_listener_certificates(**named)["Certificates"]
        assert added == [{"CertificateArn": other, "IsDefault": False}]
    shown = elbv2.describe_listener_certificates(ListenerArn=listener)["Certificates"]
    assert [(each["CertificateArn"], each["IsDefault"]) for each in shown] == [
        (default, True),
        (other, False),
    ]
    elbv2.remove_listener_certificates(**named)
    shown = elbv2.describe_listener_certificates(ListenerArn=listener)["Certificates"]
    assert [each["CertificateArn"] for each in shown] == [default]
    assert refused(
        elbv2.remove_listener_certificates,
        ListenerArn=listener,
        Certificates=[{"CertificateArn": default}],
    ) == ("OperationNotPermitted", "Default certificate cannot be removed from the listener")
    plain, _ = balancing.listener(to(group))
    code, _ = refused(elbv2.add_listener_certificates, **{**named, "ListenerArn": plain})
    assert code == "ValidationError"


def test_an_account_has_limits(balancing):
    limits = {each["Name"]: each["Max"] for each in balancing.elbv2.describe_account_limits()["Limits"]}
    assert limits["rules-per-application-load-balancer"] == "100"
