"""What tasks run on: Fargate's capacity providers. No cluster here has a container instance."""

from __future__ import annotations

from samjhadoo_emulator.arns import is_arn
from samjhadoo_emulator.ecs.clusters import ClusterOperations
from samjhadoo_emulator.service import Params, operation

PROVIDERS = ("FARGATE", "FARGATE_SPOT")


class CapacityOperations(ClusterOperations):
    """Operations on capacity providers, and on container instances, of which there are none."""

    @operation("DescribeCapacityProviders")
    async def describe_capacity_providers(self, params: Params) -> Params:
        if params.get("cluster"):
            self.cluster(params["cluster"])
        wanted = params.get("capacityProviders") or PROVIDERS
        names = [self.named("capacity-provider", each) for each in wanted]
        found = [
            {
                "capacityProviderArn": self.arn("capacity-provider", name),
                "name": name,
                "status": "ACTIVE",
                "tags": [],
            }
            for name in names
            if name in PROVIDERS
        ]
        failures = [
            {"arn": self._missing("capacity-provider", name), "reason": "MISSING"}
            for name in names
            if name not in PROVIDERS
        ]
        return {"capacityProviders": found, "failures": failures}

    @operation("ListContainerInstances")
    async def list_container_instances(self, params: Params) -> Params:
        self.cluster(params.get("cluster"))
        return {"containerInstanceArns": []}

    @operation("DescribeContainerInstances")
    async def describe_container_instances(self, params: Params) -> Params:
        cluster = self.cluster(params.get("cluster"))
        arns = [
            self._missing("container-instance", each, cluster.name) for each in params["containerInstances"]
        ]
        return {"containerInstances": [], "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns]}

    @operation("ListAttributes")
    async def list_attributes(self, params: Params) -> Params:
        self.cluster(params.get("cluster"))
        return {"attributes": []}

    def _missing(self, kind: str, name: str, *above: str) -> str:
        return name if is_arn(name) else self.arn(kind, *above, name)
