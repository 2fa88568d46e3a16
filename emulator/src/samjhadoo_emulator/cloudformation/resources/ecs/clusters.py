"""Clusters, and the capacity providers that they use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.conflicts import already_exists
from samjhadoo_emulator.cloudformation.resources.ecs.ecs_type import EcsType
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_PROVIDERS = ("CapacityProviders", "DefaultCapacityProviderStrategy")


class ClusterType(EcsType):
    """A resource type that is a cluster, or a part of it."""

    async def put_providers(self, request: Request) -> None:
        """Set the cluster's capacity providers; none if the template names none."""
        wanted = {name: request.properties.get(name) or [] for name in _PROVIDERS}
        params = shapes.parameters(self.service, "PutClusterCapacityProviders", wanted)
        await self.call(request, "PutClusterCapacityProviders", cluster=request.id, **params)

    async def cluster(self, request: Request) -> Properties | None:
        """Return the cluster as DescribeClusters does; None if there is none."""
        params = {"clusters": [request.id], "include": ["SETTINGS", "CONFIGURATIONS", "TAGS"]}
        found: list[Properties] = (await self.call(request, "DescribeClusters", **params))["clusters"]
        return found[0] if found and found[0]["status"] == "ACTIVE" else None


class EcsCluster(ClusterType):
    """A cluster; `Ref` is its name."""

    name = "AWS::ECS::Cluster"
    creation, modification, deletion = "CreateCluster", "UpdateCluster", "DeleteCluster"
    renamed: ClassVar = {"ClusterSettings": "settings"}
    defaults: ClassVar = {
        "ClusterSettings": [{"Name": "containerInsights", "Value": "disabled"}],
        "Configuration": {},
        "ServiceConnectDefaults": {"Namespace": ""},
    }

    def identity(self, request: Request) -> dict[str, Any]:
        return {"cluster": request.id}

    def arn(self, request: Request) -> str:
        return str(request.attributes["Arn"])

    async def make(self, request: Request) -> Resource:
        name = request.properties.get("ClusterName")
        if name and await self.cluster(replace(request, id=name)):
            raise already_exists(self.name, name)
        params = {"clusterName": request.generated_name(), **self.given(request)}
        made = (await self.call(request, self.creation, **params))["cluster"]
        return Resource(made["clusterName"], {"Arn": made["clusterArn"]})

    @puts(*_PROVIDERS)
    async def put_own_providers(self, request: Request) -> None:
        await self.put_providers(request)

    async def describe(self, request: Request) -> Properties | None:
        found = await self.cluster(request)
        return in_schema(self.name, found, renamed=self.renamed) if found else None


class ClusterCapacityProviderAssociations(ClusterType):
    """The capacity providers of a cluster that another resource, or nobody's template, made."""

    name = "AWS::ECS::ClusterCapacityProviderAssociations"
    creation, deletion = "PutClusterCapacityProviders", "PutClusterCapacityProviders"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"cluster": request.id}

    async def make(self, request: Request) -> Resource:
        request.id = request.properties["Cluster"]
        await self.put_providers(request)
        return Resource(request.id)

    @puts(*_PROVIDERS)
    async def put_own_providers(self, request: Request) -> None:
        await self.put_providers(request)

    async def remove(self, request: Request) -> None:
        """Leave the cluster without capacity providers."""
        none: dict[str, Any] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
        await self.call(request, self.deletion, **self.identity(request), **none)

    async def describe(self, request: Request) -> Properties | None:
        found = await self.cluster(request)
        if not found or not (found["capacityProviders"] or found["defaultCapacityProviderStrategy"]):
            return None
        return in_schema(self.name, found) | {"Cluster": request.properties["Cluster"]}


TYPES = (EcsCluster(), ClusterCapacityProviderAssociations())
