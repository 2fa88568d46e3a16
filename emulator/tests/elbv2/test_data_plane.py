from __future__ import annotations

import asyncio
import logging
import socket
import time

import pytest

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.elbv2.service import Elbv2
from samjhadoo_emulator.processes import free_port
from samjhadoo_emulator.service import Host


class Ec2:
    """The only neighbour: a network of two subnets."""

    async def call(self, service, operation, /, **params):
        subnets = [
            {"AvailabilityZone": zone, "SubnetId": f"subnet-{zone}", "VpcId": "vpc-1"} for zone in "ab"
        ]
        return {"Subnets": subnets, "SecurityGroups": [], "Vpcs": []}


@pytest.fixture
def host(tmp_path):
    return Host(account="0" * 12, clock=Clock(0.2, time.time()), data_dir=tmp_path, edge_url="")


async def listening(service):
    """Return a new listener and two target groups."""
    settings = {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"}
    created = await service.create_load_balancer({"Name": "web", "Subnets": ["subnet-a", "subnet-b"]})
    groups = []
    for name in ("blue", "green"):
        group = (await service.create_target_group({"Name": name, **settings}))["TargetGroups"][0]
        groups.append(group["TargetGroupArn"])
    listener = await service.create_listener(
        {
            "LoadBalancerArn": created["LoadBalancers"][0]["LoadBalancerArn"],
            "Port": free_port(),
            "Protocol": "HTTP",
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": groups[0]}],
        }
    )
    return listener["Listeners"][0]["ListenerArn"], groups


def test_changes_that_come_at_once_are_made_together_and_the_last_one_holds(host, to):
    async def scenario():
        service = Elbv2(host, "ap-south-1", Ec2())
        await service.start()
        listener, groups = await listening(service)
        await asyncio.gather(
            *(
                service.modify_listener(
                    {"ListenerArn": listener, "DefaultActions": [to(*groups, weights=(weight, 1))]}
                )
                for weight in range(1, 201)
            )
        )
        attempts = await service.plane.process.admin._get("/stats?filter=rds.*update_attempt")
        described = await service.describe_listeners({"ListenerArns": [listener]})
        await service.stop()
        return int(attempts.rpartition(":")[2]), described["Listeners"][0]["DefaultActions"][0]

    attempts, action = asyncio.run(scenario())
    assert action["ForwardConfig"]["TargetGroups"][0]["Weight"] == 200
    assert attempts < 10


def test_what_envoy_refuses_is_logged_with_its_reason_and_does_not_block_later_changes(host, caplog):
    async def scenario():
        service = Elbv2(host, "ap-south-1", Ec2())
        await service.start()
        arn, groups = await listening(service)
        listener = service.listener(arn)
        right = listener.bound_port
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            listener.bound_port = taken.getsockname()[1]
            started = time.monotonic()
            await service.plane.sync()
            assert time.monotonic() - started < 4
        listener.bound_port = right
        await service.plane.sync()
        await service.modify_listener(
            {"ListenerArn": arn, "DefaultActions": [{"Type": "forward", "TargetGroupArn": groups[1]}]}
        )
        await service.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert caplog.records[0].message.startswith("Envoy refused its listeners: ")
    assert "Address already in use" in caplog.text
    assert len(caplog.records) <= 2


def test_one_envoy_serves_all_regions_and_ends_with_the_last_one(host):
    async def scenario():
        services = [Elbv2(host, region, Ec2()) for region in ("ap-south-1", "eu-west-1")]
        for service in services:
            await service.start()
            await listening(service)
        processes = {service.plane.process.pid for service in services}
        await services[0].stop()
        assert services[1].plane.process is not None
        await services[1].stop()
        assert services[1].plane.process is None
        return processes

    assert len(asyncio.run(scenario())) == 1
