"""Clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.arns import is_arn
from samjhadoo_emulator.ecs.definition_rules import FAMILY
from samjhadoo_emulator.ecs.model import Cluster, Service
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECS
from samjhadoo_emulator.service import LiveService, Params, operation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.ecs.tasks import Task, Tasks

DEFAULT_CLUSTER = "default"


class ClusterOperations(LiveService):
    """Operations on clusters."""

    clusters: dict[str, Cluster]
    services: dict[str, Service]
    tasks: Tasks
    tags: dict[str, list[dict[str, str]]]

    def cluster(self, name: str | None) -> Cluster:
        """Return an active cluster by name or ARN."""
        cluster = self.clusters.get(self.named("cluster", name or DEFAULT_CLUSTER))
        if cluster is None:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        if cluster.status != "ACTIVE":
            raise AwsError("ClusterNotFoundException", "The referenced cluster was inactive.")
        return cluster

    def arn(self, kind: str, *parts: str) -> str:
        """Return an ECS ARN of this account and region."""
        return f"{self.home().prefix}{kind}/{'/'.join(parts)}"

    def named(self, kind: str, given: str) -> str:
        """Return the name in an ARN of a kind, or what is no such ARN as it is: it names nothing here."""
        own, _, name = self.home().resource(given).partition("/")
        return name if own == kind else given

    def in_cluster(self, kind: str, given: str, cluster: str) -> str:
        """Return `cluster/name` of a name or an ARN; what is no ARN of the kind here names nothing.

        Raises:
            AwsError: The ARN is of another cluster.
        """
        name = self.named(kind, given)
        other, _, last = name.rpartition("/")
        if name == given:
            return f"{cluster}/{given}"
        if other not in ("", cluster):
            raise invalid_parameter(
                f"Invalid identifier: Identifier is for cluster {other}. Your cluster is {cluster}"
            )
        return f"{cluster}/{last}"

    @operation("CreateCluster")
    async def create_cluster(self, params: Params) -> Params:
        name = params.get("clusterName", DEFAULT_CLUSTER)
        if not FAMILY.match(name):
            raise invalid_parameter(
                "Identifier must contain only alphanumeric characters, hyphens and underscores; 255 at most.",
            )
        check_tags(params.get("tags", []))
        cluster = self.clusters.get(name)
        if cluster is None or cluster.status != "ACTIVE":
            cluster = Cluster(self.arn("cluster", name), name)
            self.clusters[name] = cluster
        self._configure(cluster, params)
        if params.get("tags"):
            self.tags[cluster.arn] = params["tags"]
        return {"cluster": self._view(cluster, {"SETTINGS", "TAGS", "CONFIGURATIONS"})}

    @operation("UpdateCluster")
    async def update_cluster(self, params: Params) -> Params:
        return self._update(params)

    @operation("UpdateClusterSettings")
    async def update_cluster_settings(self, params: Params) -> Params:
        return self._update(params)

    def _update(self, params: Params) -> Params:
        cluster = self.cluster(params["cluster"])
        self._configure(cluster, params)
        return {"cluster": self._view(cluster, {"SETTINGS", "CONFIGURATIONS"})}

    @operation("PutClusterCapacityProviders")
    async def put_cluster_capacity_providers(self, params: Params) -> Params:
        cluster = self.cluster(params["cluster"])
        cluster.capacity_providers = params["capacityProviders"]
        cluster.default_strategy = params["defaultCapacityProviderStrategy"]
        return {"cluster": self._view(cluster, {"SETTINGS"})}

    @operation("DescribeClusters")
    async def describe_clusters(self, params: Params) -> Params:
        include = set(params.get("include", []))
        found, failures = [], []
        for name in params.get("clusters") or [DEFAULT_CLUSTER]:
            cluster = self.clusters.get(self.named("cluster", name))
            if cluster is None:
                arn = name if is_arn(name) else self.arn("cluster", name)
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(self._view(cluster, include))
        return {"clusters": found, "failures": failures}

    @operation("ListClusters")
    async def list_clusters(self, params: Params) -> Params:
        arns = [cluster.arn for cluster in self.clusters.values() if cluster.status == "ACTIVE"]
        return ECS.answer("clusterArns", arns, params)

    @operation("DeleteCluster")
    async def delete_cluster(self, params: Params) -> Params:
        cluster = self.cluster(params["cluster"])
        if any(service.status == "ACTIVE" for service in self._services_of(cluster)):
            raise AwsError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(task.last_status != "STOPPED" for task in self._tasks_of(cluster)):
            raise AwsError(
                "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."
            )
        cluster.status = "INACTIVE"
        return {"cluster": self._view(cluster, set())}

    def _configure(self, cluster: Cluster, params: Params) -> None:
        cluster.settings = params.get("settings", cluster.settings) or [
            {"name": "containerInsights", "value": "disabled"}
        ]
        cluster.configuration = params.get("configuration", cluster.configuration)
        cluster.capacity_providers = params.get("capacityProviders", cluster.capacity_providers)
        cluster.default_strategy = params.get("defaultCapacityProviderStrategy", cluster.default_strategy)
        cluster.service_connect = params.get("serviceConnectDefaults", cluster.service_connect)

    def _services_of(self, cluster: Cluster) -> Iterable[Service]:
        return (service for service in self.services.values() if service.cluster is cluster)

    def _tasks_of(self, cluster: Cluster) -> Iterable[Task]:
        return (task for task in self.tasks.tasks.values() if task.cluster_arn == cluster.arn)

    def _view(self, cluster: Cluster, include: set[str]) -> dict[str, Any]:
        tasks = list(self._tasks_of(cluster))
        view: dict[str, Any] = {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": sum(task.last_status == "RUNNING" for task in tasks),
            "pendingTasksCount": sum(
                task.last_status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in tasks
            ),
            "activeServicesCount": sum(service.status == "ACTIVE" for service in self._services_of(cluster)),
            "statistics": [],
            "settings": cluster.settings if "SETTINGS" in include else [],
            "tags": self.tags.get(cluster.arn, []) if "TAGS" in include else [],
            "capacityProviders": cluster.capacity_providers,
            "defaultCapacityProviderStrategy": cluster.default_strategy,
        }
        if cluster.service_connect and cluster.service_connect.get("namespace"):
            view["serviceConnectDefaults"] = cluster.service_connect
        if "CONFIGURATIONS" in include and cluster.configuration:
            view["configuration"] = cluster.configuration
        return view
