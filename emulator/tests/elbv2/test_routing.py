from __future__ import annotations

import re
import socket
import sys

import pytest


def fixed(body, status="200", **settings):
    config = {"MessageBody": body, "StatusCode": status, "ContentType": "text/plain", **settings}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


@pytest.fixture
def matching(balancing, browse):
    """Tell which of the conditions given in order of priority an asked request meets."""
    listener, port = balancing.listener(fixed("default"))

    def rules(*conditions):
        for priority, condition in enumerate(conditions, 1):
            balancing.elbv2.create_rule(
                ListenerArn=listener,
                Priority=priority,
                Conditions=condition if isinstance(condition, list) else [condition],
                Actions=[fixed(f"rule {priority}")],
            )
        return browse(port)

    return rules


def test_rules_are_tried_by_priority_and_the_default_last(balancing, browse):
    listener, port = balancing.listener(fixed("default"))

    def rule(priority, path):
        created = balancing.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path]}],
            Actions=[fixed(path)],
        )
        return created["Rules"][0]["RuleArn"]

    narrow, wide = rule(20, "/api/v1/*"), rule(10, "/api/*")
    browser = browse(port)
    assert [browser.get(path).text for path in ("/api/v1/x", "/other")] == ["/api/*", "default"]
    balancing.elbv2.set_rule_priorities(
        RulePriorities=[{"RuleArn": narrow, "Priority": 10}, {"RuleArn": wide, "Priority": 20}]
    )
    assert [browser.get(path).text for path in ("/api/v1/x", "/api/v2")] == ["/api/v1/*", "/api/*"]
    described = balancing.elbv2.describe_rules(ListenerArn=listener)["Rules"]
    assert [(each["Priority"], each["IsDefault"]) for each in described] == [
        ("10", False),
        ("20", False),
        ("default", True),
    ]
    balancing.elbv2.delete_rule(RuleArn=narrow)
    assert browser.get("/api/v1/x").text == "/api/*"


def test_paths_match_with_wildcards_by_case_and_without_the_query(matching):
    browser = matching(
        {"Field": "path-pattern", "Values": ["/a?c/*.txt"]},
        {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["/v[0-9]+/.*"]}},
    )
    answers = {
        path: browser.get(path).text
        for path in ("/abc/d.txt?q", "/aBc/x/y.txt", "/ABC/d.txt", "/ac/d.txt", "/v12/x")
    }
    assert list(answers.values()) == ["rule 1", "rule 1", "default", "default", "rule 2"]


def test_hosts_headers_methods_and_queries_match_as_at_aws(matching):
    browser = matching(
        {"Field": "host-header", "Values": ["*.example.com"]},
        {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "X-Version", "Values": ["beta*", "rc?"]},
        },
        {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST", "PURGE"]}},
        {
            "Field": "query-string",
            "QueryStringConfig": {"Values": [{"Key": "version", "Value": "v1"}, {"Value": "*example*"}]},
        },
    )
    assert browser.get(Host="WWW.Example.com:8080").text == "rule 1"
    assert browser.get(Host="example.com").text == "default"
    assert [browser.get(X_Version=value).text for value in ("BETA-2", "rc1", "rc")] == [
        "rule 2",
        "rule 2",
        "default",
    ]
    assert [browser.get(method=method).text for method in ("POST", "PURGE", "PUT")] == [
        "rule 3",
        "rule 3",
        "default",
    ]
    queries = ("/?a=1&Version=V1", "/?x=an-example-", "/?version=v12", "/version=v1")
    assert [browser.get(path).text for path in queries] == ["rule 4", "rule 4", "default", "default"]


def test_all_conditions_of_a_rule_have_to_be_met(matching):
    browser = matching(
        [
            {"Field": "path-pattern", "Values": ["/api/*"]},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["yes"]}},
        ]
    )
    assert browser.get("/api/x", X_Canary="yes").text == "rule 1"
    assert browser.get("/api/x").text == "default"
    assert browser.get("/", X_Canary="yes").text == "default"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 on loopback")
def test_the_address_of_the_client_matches_address_blocks(balancing, matching, browse):
    port = matching(
        {"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.4/30", "10.0.0.0/8"]}}
    ).connection.port
    assert [browse(port, source=f"127.0.0.{host}").get().text for host in (3, 4, 7, 8)] == [
        "default",
        "rule 1",
        "rule 1",
        "default",
    ]


def test_a_target_gets_the_headers_that_an_alb_adds_and_the_host_as_sent(balancing, backends, browse, to):
    group = balancing.group(backends())
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    browser = browse(port)
    headers = browser.get(
        Host="shop.example:81", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https"
    ).seen["headers"]
    assert headers.pop("x-amzn-trace-id").startswith("Root=1-")
    assert headers == {
        "host": "shop.example:81",
        "accept-encoding": "identity",
        "x-forwarded-for": "203.0.113.7,127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-port": str(port),
    }
    trace = browser.get(X_Amzn_Trace_Id="Root=1-67891233-abcdef012345678912345678").seen["headers"][
        "x-amzn-trace-id"
    ]
    assert re.fullmatch(r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-67891233-abcdef012345678912345678", trace)


def test_fixed_responses_are_answered_by_the_load_balancer(balancing, browse):
    _, port = balancing.listener(fixed('{"down": true}', "503", ContentType="application/json"))
    answer = browse(port).get()
    assert (answer.status, answer.text) == (503, '{"down": true}')
    assert (answer.headers["content-type"], answer.headers["server"]) == ("application/json", "awselb/2.0")


@pytest.mark.parametrize(
    ("config", "location"),
    [
        pytest.param({"Protocol": "HTTPS", "Port": "443"}, "https://shop.example:443/a/b?c=d", id="to-https"),
        pytest.param(
            {"Host": "www.#{host}", "Path": "/new/#{path}/#{port}", "Query": "#{query}&e=f"},
            "http://www.shop.example:{port}/new/a/b/{port}?c=d&e=f",
            id="every-placeholder",
        ),
        pytest.param({"Path": "/", "Query": ""}, "http://shop.example:{port}/", id="nothing-kept"),
    ],
)
def test_redirects_fill_their_placeholders(balancing, browse, config, location):
    action = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}
    _, port = balancing.listener(action)
    answer = browse(port).get("/a/b?c=d", Host="shop.example:1234")
    assert (answer.status, answer.headers["location"]) == (301, location.replace("{port}", str(port)))


def test_a_taken_port_moves_the_listener_to_a_free_one_that_the_control_endpoint_shows(balancing, browse):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        listener, port = balancing.listener(fixed("here"), port=wanted)
    assert port != wanted
    assert browse(port).get().text == "here"
    assert balancing.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]["Port"] == wanted
    row = next(row for row in balancing.get_control("listeners") if row["listener_arn"] == listener)
    assert row == {
        "load_balancer": balancing.arn.split("/")[2],
        "listener_arn": listener,
        "port": wanted,
        "bound_port": port,
        "protocol": "HTTP",
    }


def test_a_deleted_listener_frees_its_port_for_the_next_one(balancing, browse):
    first, port = balancing.listener(fixed("first"))
    assert browse(port).get().text == "first"
    balancing.elbv2.delete_listener(ListenerArn=first)
    _, again = balancing.listener(fixed("second"), port=port)
    assert again == port
    assert browse(port).get().text == "second"


def test_a_target_that_does_not_answer_within_the_idle_timeout_is_a_504(balancing, backends, browse, to):
    idle = {"Key": "idle_timeout.timeout_seconds", "Value": "1"}
    balancing.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancing.arn, Attributes=[idle])
    group = balancing.group(backends())
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    answer = browse(port).get("/slow")
    assert (answer.status, answer.headers["server"]) == (504, "awselb/2.0")
    balancing.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=balancing.arn, Attributes=[{**idle, "Value": "60"}]
    )


def test_a_new_target_group_in_a_rule_takes_over_without_a_gap(balancing, backends, browse, to):
    groups = [balancing.group(backends(f"backend-{number}")) for number in range(2)]
    listener, port = balancing.listener(to(groups[0]))
    balancing.wait_healthy(groups[0])
    browser = browse(port)
    balancing.elbv2.modify_listener(ListenerArn=listener, DefaultActions=[to(*groups, weights=(1, 0))])
    assert browser.get().backend == "backend-0"
    balancing.wait_healthy(groups[1])
    balancing.elbv2.modify_listener(ListenerArn=listener, DefaultActions=[to(groups[1])])
    assert browser.get().backend == "backend-1"
    assert balancing.health(groups[0])[next(iter(balancing.health(groups[0])))]["Reason"] == "Target.NotInUse"


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"load_balancing.algorithm.type": "least_outstanding_requests"}, id="least-outstanding"),
        pytest.param({"load_balancing.algorithm.type": "weighted_random"}, id="random"),
        pytest.param({"slow_start.duration_seconds": "30"}, id="slow-start"),
        pytest.param({"stickiness.enabled": "true"}, id="sticky"),
    ],
)
def test_every_way_of_choosing_a_target_routes(balancing, backends, browse, to, attributes):
    group = balancing.group(backends("one"), backends("two"), attributes=attributes)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    browser = browse(port)
    assert {browser.get().backend for _ in range(40)} == {"one", "two"}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        pytest.param("append", "203.0.113.7,127.0.0.1", id="append"),
        pytest.param("preserve", "203.0.113.7", id="preserve"),
        pytest.param("remove", None, id="remove"),
    ],
)
def test_the_header_of_client_addresses_follows_the_attribute(
    balancing, backends, browse, to, mode, expected
):
    def set_mode(value):
        attribute = {"Key": "routing.http.xff_header_processing.mode", "Value": value}
        balancing.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancing.arn, Attributes=[attribute])

    set_mode(mode)
    group = balancing.group(backends())
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    assert browse(port).get(X_Forwarded_For="203.0.113.7").seen["headers"].get("x-forwarded-for") == expected
    set_mode("append")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({f"X-Many-{number}": "1" for number in range(300)}, 200, id="many"),
        pytest.param({f"X-Long-{number}": "x" * 15_000 for number in range(4)}, 200, id="60 KB"),
        pytest.param({f"X-Long-{number}": "x" * 15_000 for number in range(5)}, 400, id="75 KB"),
    ],
)
def test_request_headers_have_the_limits_of_an_alb(balancing, browse, headers, status):
    _, port = balancing.listener(fixed("here"))
    assert browse(port).get(**headers).status == status


@pytest.mark.parametrize(("size", "status"), [(30_000, 200), (40_000, 502)])
def test_response_headers_have_the_limit_of_an_alb(balancing, backends, browse, to, size, status):
    backend = backends()
    backend.server.extra_headers = {f"X-{number}": "x" * 1000 for number in range(size // 1000)}
    group = balancing.group(backend)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    assert browse(port).get().status == status


def test_a_listener_sets_the_response_headers_of_its_attributes(balancing, backends, browse, to):
    backend = backends()
    backend.server.extra_headers = {"X-Frame-Options": "SAMEORIGIN"}
    group = balancing.group(backend)
    arn, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    wanted = {"x-frame-options": "DENY", "strict-transport-security": "max-age=1; 100%"}
    balancing.elbv2.modify_listener_attributes(
        ListenerArn=arn,
        Attributes=[
            {"Key": f"routing.http.response.{name.replace('-', '_')}.header_value", "Value": value}
            for name, value in wanted.items()
        ],
    )
    found = balancing.wait(lambda: (it := browse(port).get().headers).get("x-frame-options") == "DENY" and it)
    assert {name: found[name] for name in wanted} == wanted
