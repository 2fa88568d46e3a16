from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from samjhadoo_ops.deployment.rollback import roll_back_deployment
from samjhadoo_ops.errors import Refused

SERVICE = "arn:aws:ecs:ap-south-1:000000000000:service/shop/worker"


def test_another_services_deployment_is_not_touched() -> None:
    document = {
        "serviceDeploymentArn": SERVICE.replace(":service/", ":service-deployment/") + "/x",
        "serviceArn": SERVICE,
        "status": "IN_PROGRESS",
    }
    # It has nothing by which anything could be changed.
    ecs = SimpleNamespace(cluster="shop", name="api", deployment=lambda _arn: document)
    with pytest.raises(Refused, match="a deployment of shop/worker, not of shop/api"):
        roll_back_deployment(cast("Any", SimpleNamespace(ecs=ecs)), str(document["serviceDeploymentArn"]))
