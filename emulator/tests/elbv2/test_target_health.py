from __future__ import annotations

import threading
import time


def test_a_new_target_is_initial_gets_no_request_and_is_healthy_after_one_passing_check(
    balancing, backends, browse, to
):
    old, new = backends("old"), backends("new")
    group = balancing.group(old)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    new.server.health_delay = 0.5
    balancing.register(group, new)
    assert balancing.health(group)[new.port] == {
        "State": "initial",
        "Reason": "Elb.InitialHealthChecking",
        "Description": "Initial health checks in progress",
    }
    browser = browse(port)
    assert {browser.get().backend for _ in range(20)} == {"old"}
    balancing.wait_healthy(group)
    assert {browser.get().backend for _ in range(20)} == {"old", "new"}
    assert len(new.server.checks) <= 2
    assert new.server.checks[0]["user-agent"] == "ELB-HealthChecker/2.0"
    assert new.server.checks[0]["host"] == f"127.0.0.1:{new.port}"


def test_a_killed_target_becomes_unhealthy_and_its_successor_on_the_port_healthy(
    balancing, backends, browse, to
):
    first, second = backends("first"), backends("second")
    group = balancing.group(first, second, HealthyThresholdCount=2)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    first.kill()
    balancing.wait(lambda: balancing.states(group)[first.port] == "unhealthy")
    assert balancing.health(group)[first.port]["Reason"] == "Target.FailedHealthChecks"
    browser = browse(port)
    assert {browser.get().backend for _ in range(10)} == {"second"}
    backends("third", port=first.port)
    balancing.wait_healthy(group)
    assert {browser.get().backend for _ in range(10)} == {"second", "third"}


def test_a_wrong_status_is_reported_and_counts_only_from_the_threshold_on(balancing, backends, to):
    backend = backends()
    group = balancing.group(backend, UnhealthyThresholdCount=5, HealthCheckIntervalSeconds=300)
    balancing.listener(to(group))
    balancing.wait_healthy(group)
    checks = len(backend.server.checks)
    backend.server.health_status = 503
    balancing.wait(lambda: balancing.states(group)[backend.port] == "unhealthy")
    assert len(backend.server.checks) - checks >= 5
    assert balancing.health(group)[backend.port] == {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [503]",
    }


def test_the_matcher_the_path_and_the_port_of_health_checks_are_honoured(balancing, backends, to):
    backend, sidecar = backends(), backends()
    sidecar.server.health_status = 206
    group = balancing.group(backend, HealthCheckPort=str(sidecar.port), Matcher={"HttpCode": "201,203-299"})
    balancing.listener(to(group))
    balancing.wait_healthy(group)
    assert not backend.server.checks
    balancing.elbv2.modify_target_group(TargetGroupArn=group, Matcher={"HttpCode": "200"})
    balancing.wait(lambda: balancing.states(group)[backend.port] == "unhealthy")
    assert (
        balancing.health(group)[backend.port]["Description"] == "Health checks failed with these codes: [206]"
    )
    balancing.elbv2.modify_target_group(TargetGroupArn=group, HealthCheckPort="traffic-port")
    balancing.wait_healthy(group)


def test_a_target_that_does_not_answer_in_time_is_unhealthy_for_that(balancing, backends, to):
    backend, other = backends(), backends()
    group = balancing.group(backend, other, HealthCheckTimeoutSeconds=2)
    balancing.listener(to(group))
    balancing.wait_healthy(group)
    backend.server.health_delay = 30
    balancing.wait(lambda: balancing.states(group)[backend.port] == "unhealthy")
    assert balancing.health(group)[backend.port]["Reason"] == "Target.Timeout"


def test_the_load_balancer_fails_open_when_no_target_is_healthy(balancing, backends, browse, to):
    sick, well = backends("sick"), backends("well")
    group = balancing.group(sick, well)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    browser = browse(port)
    sick.server.health_status = 500
    balancing.wait(lambda: balancing.states(group)[sick.port] == "unhealthy")
    assert {browser.get().backend for _ in range(10)} == {"well"}
    well.server.health_status = 500
    balancing.wait(lambda: set(balancing.states(group).values()) == {"unhealthy"})
    assert {browser.get().backend for _ in range(10)} == {"sick", "well"}


def test_targets_of_a_group_that_no_rule_uses_are_unused(balancing, backends):
    backend = backends()
    group = balancing.group(backend)
    assert balancing.health(group)[backend.port]["Reason"] == "Target.NotInUse"
    asked = [{"Id": "127.0.0.1", "Port": 9}]
    answer = balancing.elbv2.describe_target_health(TargetGroupArn=group, Targets=asked)
    assert answer["TargetHealthDescriptions"][0]["TargetHealth"] == {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }
    assert not backend.server.checks


def test_one_address_with_two_ports_is_two_targets(balancing, backends, browse, to):
    group = balancing.group(backends("one"), backends("two"))
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    browser = browse(port)
    assert [browser.get().backend for _ in range(4)].count("one") == 2


def test_instances_are_ports_of_this_machine(balancing, backends, browse, to):
    backend = backends("instance")
    group = balancing.group(TargetType="instance")
    balancing.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "i-0abc", "Port": backend.port}])
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    assert browse(port).get().backend == "instance"


def test_a_target_that_refuses_connections_is_a_502(balancing, backends, browse, to):
    backend = backends()
    group = balancing.group(backend, HealthCheckIntervalSeconds=300)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    backend.kill()
    answer = browse(port).get()
    assert (answer.status, answer.headers["server"]) == (502, "awselb/2.0")
    assert "<h1>502 Bad Gateway</h1>" in answer.text


def test_a_deregistered_target_finishes_its_request_and_gets_no_other(balancing, backends, browse, to):
    leaving, staying = backends("leaving"), backends("staying")
    group = balancing.group(leaving)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(browse(port).get("/slow")))
    slow.start()
    assert leaving.server.slow_started.wait(30)
    balancing.register(group, staying)
    balancing.wait_healthy(group)
    balancing.elbv2.deregister_targets(TargetGroupArn=group, Targets=[leaving.target])
    browser = browse(port)
    assert {browser.get().backend for _ in range(20)} == {"staying"}
    assert balancing.health(group)[leaving.port] == {
        "State": "draining",
        "Reason": "Target.DeregistrationInProgress",
        "Description": "Target deregistration is in progress",
    }
    time.sleep(0.5)  # longer than the delay, 300 s, takes on the emulated clock
    assert balancing.states(group)[leaving.port] == "draining"
    leaving.server.slow_released.set()
    slow.join()
    assert [(answer.status, answer.backend) for answer in answers] == [(200, "leaving")]
    balancing.wait(lambda: leaving.port not in balancing.states(group))


def test_the_last_draining_target_gets_no_new_request_either(balancing, backends, browse, to):
    backend = backends()
    group = balancing.group(backend)
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    balancing.elbv2.deregister_targets(TargetGroupArn=group, Targets=[backend.target])
    assert browse(port).get().status == 503
    balancing.wait(lambda: not balancing.states(group))


def test_requests_in_flight_are_given_the_delay_in_real_seconds_only(balancing, backends, browse, to):
    backend = backends()
    group = balancing.group(backend, attributes={"deregistration_delay.timeout_seconds": "1"})
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(browse(port).get("/slow").status))
    slow.start()
    assert backend.server.slow_started.wait(30)
    started = time.monotonic()
    balancing.elbv2.deregister_targets(TargetGroupArn=group, Targets=[backend.target])
    balancing.wait(lambda: not balancing.states(group))
    assert time.monotonic() - started > 0.9
    backend.server.slow_released.set()
    slow.join()
    assert answers == [200]


def test_a_draining_target_can_be_registered_again(balancing, backends, browse, to):
    backend = backends("back")
    group = balancing.group(backend, attributes={"deregistration_delay.timeout_seconds": "3600"})
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    balancing.elbv2.deregister_targets(TargetGroupArn=group, Targets=[backend.target])
    balancing.register(group, backend)
    balancing.wait_healthy(group)
    assert browse(port).get().backend == "back"


def test_targets_replaced_one_after_another_under_load_fail_no_request(balancing, backends, browse, to):
    serving = [backends(f"old-{n}") for n in range(2)]
    group = balancing.group(*serving, attributes={"deregistration_delay.timeout_seconds": "30"})
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    stop, statuses = threading.Event(), []

    def load():
        browser = browse(port)
        while not stop.is_set():
            statuses.append(browser.get().status)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(3):
        new = backends(f"new-{number}")
        balancing.register(group, new)
        balancing.wait(lambda new=new: balancing.states(group)[new.port] == "healthy")
        old = serving.pop(0)
        serving.append(new)
        balancing.elbv2.deregister_targets(TargetGroupArn=group, Targets=[old.target])
        balancing.wait(lambda old=old: old.port not in balancing.states(group))
        old.kill()
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
