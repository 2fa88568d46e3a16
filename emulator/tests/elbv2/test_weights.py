from __future__ import annotations

import math
import threading
import time
from collections import Counter


def test_requests_are_split_in_the_proportion_of_the_weights(balancing, backends, browse, to):
    blue, green = backends("blue"), backends("green")
    groups = balancing.group(blue), balancing.group(green)
    _, port = balancing.listener(to(*groups, weights=(900, 100)))
    balancing.wait_healthy(*groups)
    browser, amount = browse(port), 1500
    seen = Counter(browser.get().backend for _ in range(amount))
    sigma = math.sqrt(amount * 0.1 * 0.9)
    assert abs(seen["green"] - amount * 0.1) < 5 * sigma, seen
    assert seen["blue"] + seen["green"] == amount


def test_a_change_of_weights_under_load_takes_effect_at_once_and_fails_no_request(
    balancing, backends, browse, to
):
    blue, green = backends("blue"), backends("green")
    groups = balancing.group(blue), balancing.group(green)
    listener, port = balancing.listener(to(*groups, weights=(1, 0)))
    balancing.wait_healthy(*groups)
    stop, answers = threading.Event(), []

    def load():
        browser = browse(port)
        while not stop.is_set():
            started = time.monotonic()
            answer = browser.get()
            answers.append((started, time.monotonic(), answer.status, answer.backend))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    changes = []
    for round_number in range(12):
        weights = (0, 1) if round_number % 2 == 0 else (1, 0)
        called = time.monotonic()
        balancing.elbv2.modify_listener(ListenerArn=listener, DefaultActions=[to(*groups, weights=weights)])
        changes.append((called, time.monotonic(), "green" if weights[1] else "blue"))
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for _, _, status, _ in answers} == {200}
    ends = [called for called, _, _ in changes[1:]] + [math.inf]
    for (_, returned, expected), end in zip(changes, ends, strict=True):
        within = {backend for started, ended, _, backend in answers if returned < started and ended < end}
        assert within <= {expected}


def test_a_rule_without_any_weight_answers_that_there_is_no_target(balancing, backends, browse, to):
    group = balancing.group(backends())
    other = balancing.group(backends())
    _, port = balancing.listener(to(group, other, weights=(0, 0)))
    answer = browse(port).get()
    assert (answer.status, answer.headers["server"]) == (503, "awselb/2.0")
    assert "503 Service Temporarily Unavailable" in answer.text


def test_clients_stick_to_their_target_group_whatever_the_weights(balancing, backends, browse, to):
    groups = balancing.group(backends("blue")), balancing.group(backends("green"))
    listener, port = balancing.listener(to(*groups, weights=(1, 0), sticky=60))
    balancing.wait_healthy(*groups)
    browser = browse(port)
    first = browser.get()
    cookie = first.headers["set-cookie"].partition(";")[0]
    assert (first.backend, cookie.partition("=")[0]) == ("blue", "AWSALBTG")
    balancing.elbv2.modify_listener(
        ListenerArn=listener, DefaultActions=[to(*groups, weights=(0, 1), sticky=60)]
    )
    assert browser.get(Cookie=f"a=b; {cookie}").backend == "blue"
    assert browser.get().backend == "green"


def test_clients_stick_to_their_target(balancing, backends, browse, to):
    group = balancing.group(
        backends("one"), backends("two"), backends("three"), attributes={"stickiness.enabled": "true"}
    )
    _, port = balancing.listener(to(group))
    balancing.wait_healthy(group)
    browser = browse(port)
    first = browser.get()
    cookie = first.headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("AWSALB=")
    assert {browser.get(Cookie=cookie).backend for _ in range(12)} == {first.backend}
    assert len({browser.get().backend for _ in range(12)}) == 3
