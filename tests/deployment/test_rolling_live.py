"""Rolling deployments with one target group, as many services have it, on a whole stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
        yield found


def test_a_service_with_one_target_group_is_deployed_rolling_checked_and_rolled_back(
    project: UserProject,
) -> None:
    first = project.invoke("deploy", "--json")
    assert first.code == 0, first.stdout
    release = project.change()
    second = project.invoke("deploy", "--json")
    assert (second.code, second.result["release"]) == (0, release), second.stdout
    assert project.latest_deployment()["status"] == "SUCCESSFUL"
    project.change("ENV FAULT_WEBHOOK_ERROR_RATE=100%")
    unfit = project.invoke("deploy", "--json")
    assert (unfit.code, "webhook" in unfit.result["message"]) == (5, True), unfit.stdout
    back = project.invoke("rollback", "--json")
    assert (back.code, release in back.result["release"]) == (0, True), back.stdout
