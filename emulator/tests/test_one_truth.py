"""The upstream never answers for the resources of live services: it would know of others, or of none."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.mark.parametrize(
    "asked",
    [{}, {"ResourceTypeFilters": ["ecs:service"]}, {"ResourceTypeFilters": ["s3", "elasticloadbalancing"]}],
)
def test_the_tagging_api_does_not_answer_for_live_services(noop_emulator: Any, asked: dict[str, Any]) -> None:
    tagging = noop_emulator.client("resourcegroupstaggingapi")
    with pytest.raises(ClientError, match="NotImplemented.*tags of"):
        tagging.get_resources(**asked)
    assert tagging.get_resources(ResourceTypeFilters=["s3"])["ResourceTagMappingList"] == []


@pytest.mark.parametrize("path", ["/moto-api/reset", "/_localstack/state/reset", "/_ministack/reset"])
def test_a_reset_by_any_of_its_names_resets_the_live_services_too(noop_emulator: Any, path: str) -> None:
    import urllib.request

    from samjhadoo_emulator.testing import CONTROL_HEADERS

    ecs = noop_emulator.client("ecs")
    ecs.create_cluster(clusterName="before")
    request = urllib.request.Request(noop_emulator.url + path, data=b"{}", headers=CONTROL_HEADERS)
    urllib.request.urlopen(request, timeout=20).close()
    assert ecs.list_clusters()["clusterArns"] == []
