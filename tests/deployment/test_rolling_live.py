"""Rolling deployments with one target group, as many services have it, on a whole stack."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.testing import eventually
from user_project import QUICK, user_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from user_project import UserProject

ROLLING = {
    **QUICK,
    "SAMJHADOO_DEPLOYMENT__STRATEGY": "ROLLING",
    "SAMJHADOO_SERVICE__TARGET_GROUPS": '["samjhadoo-blue"]',
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserProject]:
    with user_project(tmp_path_factory.mktemp("project"), variables=ROLLING) as found:
        first = found.invoke("deploy", "--json")
        assert first.code == 0, first.stdout
        yield found


def test_a_service_with_one_target_group_is_deployed_rolling_checked_and_rolled_back(
    project: UserProject,
) -> None:
    release = project.change()
    second = project.invoke("deploy", "--json")
    assert (second.code, second.result["release"]) == (0, release), second.stdout
    assert project.latest_deployment()["status"] == "SUCCESSFUL"
    project.change("ENV FAULT_WEBHOOK_ERROR_RATE=100%")
    unfit = project.invoke("deploy", "--json")
    assert (unfit.code, "webhook" in unfit.result["message"]) == (5, True), unfit.stdout
    project.restore()
    back = project.invoke("rollback", "--json")
    assert (back.code, release in back.result["release"]) == (0, True), back.stdout


def test_it_is_adopted_for_canaries_by_the_command_that_the_refusal_shows(project: UserProject) -> None:
    groups = '["samjhadoo-blue", "samjhadoo-green"]'
    canary = {"SAMJHADOO_DEPLOYMENT__STRATEGY": "CANARY", "SAMJHADOO_SERVICE__TARGET_GROUPS": groups}
    pending = project.folder / "docker" / "backend" / "db" / "migration" / "V90__more.sql"
    pending.write_text("CREATE TABLE more (id bigint PRIMARY KEY);\n")
    release = project.commit("A migration")
    before = project.invoke("status", "--json").events[0]["deployment"]
    without_group = project.invoke("deploy", "--json", **canary)
    assert (without_group.code, "no target group" in without_group.result["message"]) == (2, True)
    command, options = shown(without_group.result["hint"])
    elbv2 = project.client("elbv2")
    assert command == "elbv2 create-target-group"
    elbv2.create_target_group(
        Name=options["--name"],
        TargetType=options["--target-type"],
        Protocol=options["--protocol"],
        Port=int(options["--port"]),
        VpcId=options["--vpc-id"],
        HealthCheckPath=options["--health-check-path"],
    )
    refused = project.invoke("deploy", "--json", **canary)
    assert refused.code == 3, refused.stdout
    assert {"service_fits", "test_rule"} <= set(refused.result["message"].partition(": ")[2].split(", "))
    assert "Pending" in project.invoke("migrate.info").stdout

    remedies = dict(shown(line) for line in refused.result["details"] if "remedy: " in line)
    options = remedies["elbv2 modify-rule"]
    kind, group = options["--actions"].split(",")
    action = dict(part.split("=", 1) for part in (kind, group))
    elbv2.modify_rule(RuleArn=options["--rule-arn"], Actions=[action])
    options = remedies["ecs update-service"]
    project.client("ecs").update_service(
        cluster=options["--cluster"],
        service=options["--service"],
        loadBalancers=json.loads(options["--load-balancers"]),
    )
    eventually(lambda: project.latest_deployment()["status"] == "SUCCESSFUL")
    assert project.latest_deployment()["serviceDeploymentArn"] != before
    adopted = project.invoke("deploy", "--json", **canary)
    assert (adopted.code, adopted.result.get("release")) == (0, release), adopted.stdout
    assert project.latest_deployment()["deploymentConfiguration"]["strategy"] == "CANARY"


def shown(text: str) -> tuple[str, dict[str, str]]:
    """Return the first command of the AWS CLI in a text, and its options."""
    words = shlex.split(text[text.index("aws ") :].partition("; ")[0])
    return " ".join(words[1:3]), dict(zip(words[3::2], words[4::2], strict=True))
