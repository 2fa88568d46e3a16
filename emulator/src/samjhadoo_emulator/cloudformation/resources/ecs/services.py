"""Services: a stack waits for each of their deployments, and fails with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from samjhadoo_emulator.cloudformation.resources import paths, shapes
from samjhadoo_emulator.cloudformation.resources.ecs import deployment_limits, service_deployments
from samjhadoo_emulator.cloudformation.resources.ecs.ecs_type import EcsType
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError, not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_CONFIGURATION: Final = "DeploymentConfiguration"
_FORCE: Final = "ForceNewDeployment"
_DEPLOYING: Final = (
    "LoadBalancers", "NetworkConfiguration", "PlatformVersion", "ServiceConnectConfiguration",
    "ServiceRegistries", "TaskDefinition", "VolumeConfigurations",
)  # fmt: skip
"""Properties that start a deployment where UpdateService has them: those that differ are sent."""


class EcsService(EcsType):
    """A service; `Ref` is its ARN."""

    name = "AWS::ECS::Service"
    creation, modification, deletion = "CreateService", "UpdateService", "DeleteService"
    renamed: ClassVar = {"PlacementStrategies": "placementStrategy"}
    instructions = frozenset({_FORCE})
    fixed = frozenset({"LaunchType"})
    unsupported = frozenset({"GatewayConnectors", "Monitoring", "VpcLatticeConfigurations"})
    defaults: ClassVar = {
        "AvailabilityZoneRebalancing": "DISABLED",
        "CapacityProviderStrategy": [],
        "EnableECSManagedTags": False,
        "EnableExecuteCommand": False,
        "HealthCheckGracePeriodSeconds": 0,
        "LoadBalancers": [],
        "PlacementConstraints": [],
        "PlacementStrategies": [],
        "PropagateTags": "NONE",
        "ServiceConnectConfiguration": {"Enabled": False},
        "ServiceRegistries": [],
        "VolumeConfigurations": [],
    }

    def identity(self, request: Request) -> dict[str, Any]:
        cluster = {"cluster": request.properties["Cluster"]} if "Cluster" in request.properties else {}
        return {**cluster, "service": request.id}

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for controller in paths.values(properties, "DeploymentController.Type"):
            if isinstance(controller, str) and controller != "ECS":
                raise not_implemented(
                    f"The emulator does not support DeploymentController.Type {controller} of {self.name}."
                )
        if isinstance(configuration := properties.get(_CONFIGURATION), dict):
            deployment_limits.check(configuration)

    async def make(self, request: Request) -> Resource:
        params = {"serviceName": request.generated_name(), **self.given(request)}
        if request.properties.get("SchedulingStrategy", "REPLICA") == "REPLICA":
            params.setdefault("desiredCount", 1)
        if _CONFIGURATION in request.properties:
            wanted = deployment_limits.configuration(request.properties[_CONFIGURATION], {})
            params |= shapes.parameters(self.service, self.creation, {_CONFIGURATION: wanted})
        made = (await self.call(request, self.creation, **params))["service"]
        return _resource(made)

    async def create(self, request: Request) -> Resource:
        """Create the service and wait for its first deployment."""
        await super().create(request)
        return await self._stabilised(request, "")

    async def update(self, request: Request) -> Resource:
        """Change the service and wait for the deployment that the change starts, if it starts one."""
        before = (await self._existing(request)).get("currentServiceDeployment", "")
        await super().update(request)
        return await self._stabilised(request, before)

    async def _stabilised(self, request: Request, before: str) -> Resource:
        """Wait for a deployment other than an earlier one, then for the wanted number of tasks."""
        service = await self._existing(request)
        arn = service.get("currentServiceDeployment", "")
        if arn != before:
            strategy = (service.get("deploymentConfiguration") or {}).get("strategy", "ROLLING")
            await service_deployments.finish(request, arn, rolling=strategy == "ROLLING")
        return await wait_until(request, lambda: self._steady(request), longest=service_deployments.STEADY)

    async def _steady(self, request: Request) -> Resource | None:
        service = await self._existing(request)
        only = service["deployments"][0] if len(service["deployments"]) == 1 else {}
        steady = only and only["rolloutState"] != "IN_PROGRESS"
        return _resource(service) if steady and service["runningCount"] == service["desiredCount"] else None

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        """Return all that the template says, as AWS sends it; what starts deployments only if it differs."""
        if not changed - {"Tags"}:
            return {}
        removed = {name: self.defaults[name] for name in self.defaults.keys() & changed}
        wanted = {**removed, **request.properties}
        previous = request.previous.get(_CONFIGURATION) or {}
        if configuration := deployment_limits.configuration(wanted.pop(_CONFIGURATION, {}), previous):
            wanted[_CONFIGURATION] = configuration
        params = shapes.parameters(self.service, self.modification, wanted, renamed=self.renamed)
        forced = request.properties.get(_FORCE) or {}
        params = {
            name: value for name, value in params.items() if name not in ("cluster", "forceNewDeployment")
        }
        return params | ({"forceNewDeployment": True} if forced.get("EnableForceNewDeployment") else {})

    async def call(self, request: Request, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation; an update leaves out what the service has."""
        if operation == self.modification:
            params = await self._differing(request, params)
        return await super().call(request, operation, **params)

    async def _differing(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of an update without those that would redeploy what is deployed already."""
        service = await self._existing(request)
        current = {"serviceConnectConfiguration": {"enabled": False}, **_deployed(service)}
        if "taskDefinition" in params:
            definition = {"taskDefinition": params["taskDefinition"]}
            answer = await super().call(request, "DescribeTaskDefinition", **definition)
            if answer["taskDefinition"]["taskDefinitionArn"] == current["taskDefinition"]:
                params = {name: value for name, value in params.items() if name != "taskDefinition"}
        taken = shapes.taken(self.service, self.modification)
        deploying = {taken[name] for name in _DEPLOYING}
        return {
            name: value
            for name, value in params.items()
            if name not in deploying or not _covers(current.get(name, []), value)
        }

    async def remove(self, request: Request) -> None:
        """Delete the service with its tasks, and wait until these are gone."""
        try:
            await self.call(request, self.deletion, **self.identity(request), force=True)
        except AwsError as error:
            if error.code != "ServiceNotActiveException":
                raise
        await wait_until(request, lambda: self._drained(request))

    async def _drained(self, request: Request) -> bool | None:
        service = await self._found(request)
        return True if service is None or service["status"] == "INACTIVE" else None

    async def describe(self, request: Request) -> Properties | None:
        service = await self._found(request)
        if service is None or service["status"] != "ACTIVE":
            return None
        found = in_schema(self.name, service, renamed=self.renamed)
        found |= {"Cluster": service["clusterArn"], "Role": service["roleArn"]}
        wanted = request.properties
        for name in ("Cluster", "Role", "TaskDefinition"):
            if name in wanted and _names(found[name], wanted[name]):
                found[name] = wanted[name]
        return found

    async def _found(self, request: Request) -> dict[str, Any] | None:
        identity = self.identity(request)
        params = {"services": [identity.pop("service")], "include": ["TAGS"], **identity}
        found: list[dict[str, Any]] = (await super().call(request, "DescribeServices", **params))["services"]
        return found[0] if found else None

    async def _existing(self, request: Request) -> dict[str, Any]:
        service = await self._found(request)
        if service is None or service["status"] != "ACTIVE":
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return service


def _resource(service: dict[str, Any]) -> Resource:
    arn = service["serviceArn"]
    return Resource(arn, {"ServiceArn": arn, "Name": service["serviceName"]})


def _deployed(service: dict[str, Any]) -> dict[str, Any]:
    """Return what a service's newest revision consists of."""
    deployments = service.get("deployments") or [{}]
    return {**service, **deployments[0]}


def _covers(actual: Any, wanted: Any) -> bool:
    """Return whether a value has all that is wanted; ECS adds defaults."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(
            _covers(actual.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(wanted)
            and all(_covers(one, other) for one, other in zip(actual, wanted, strict=True))
        )
    return bool(actual == wanted)


def _names(arn: str, given: str) -> bool:
    """Return whether an ARN is what a name, a family or an ARN in a template names."""
    short = arn.rpartition("/")[2]
    return given in (arn, short, short.partition(":")[0])


TYPES = (EcsService(),)
