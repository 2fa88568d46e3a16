"""ElastiCache: moto has no parameter groups, keeps deleted replication groups, and gives each only one node.

Nor does it modify or delete subnet groups, and a modified replication group keeps most of what it had.
"""

from __future__ import annotations

from typing import Any

_MODIFIED = {
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "CacheParameterGroupName": "cache_parameter_group_name",
    "EngineVersion": "engine_version",
    "IpDiscovery": "ip_discovery",
    "NotificationTopicArn": "notification_topic_arn",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "SecurityGroupIds": "security_group_ids",
    "SnapshotWindow": "snapshot_window",
    "TransitEncryptionEnabled": "transit_encryption_enabled",
    "TransitEncryptionMode": "transit_encryption_mode",
}
"""moto's attribute for each parameter of ModifyReplicationGroup that it ignores."""


def amend() -> None:
    """Let ElastiCache have parameter groups, all nodes of a replication group, and what changes and ends."""
    from moto.elasticache.models import ElastiCacheBackend
    from moto.elasticache.responses import ElastiCacheResponse

    for operation in (
        create_cache_parameter_group,
        describe_cache_parameter_groups,
        describe_cache_parameters,
        modify_cache_parameter_group,
        reset_cache_parameter_group,
        delete_cache_parameter_group,
        modify_cache_subnet_group,
        delete_cache_subnet_group,
        increase_replica_count,
        decrease_replica_count,
    ):
        setattr(ElastiCacheResponse, operation.__name__, operation)
    ElastiCacheResponse.modify_replication_group = _modifying_all(
        ElastiCacheResponse.modify_replication_group
    )
    ElastiCacheBackend.create_replication_group = _with_all_nodes(ElastiCacheBackend.create_replication_group)
    ElastiCacheBackend.delete_replication_group = _forgetting(ElastiCacheBackend.delete_replication_group)


def create_cache_parameter_group(response: Any) -> Any:
    """Create a parameter group of a family."""
    from moto.core.responses import ActionResult

    backend, name = response.elasticache_backend, response._get_param("CacheParameterGroupName")  # noqa: SLF001
    if name in _groups(backend):
        raise _error("CacheParameterGroupAlreadyExists", f"CacheParameterGroup already exists: {name}")
    arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:parametergroup:{name}"
    group = {
        "CacheParameterGroupName": name,
        "CacheParameterGroupFamily": response._get_param("CacheParameterGroupFamily"),  # noqa: SLF001
        "Description": response._get_param("Description"),  # noqa: SLF001
        "IsGlobal": False,
        "ARN": arn,
    }
    _groups(backend)[name] = group
    backend.tagging_service.tag_resource(arn, response._get_param("Tags", []))  # noqa: SLF001
    return ActionResult({"CacheParameterGroup": group})


def describe_cache_parameter_groups(response: Any) -> Any:
    """Describe one parameter group, or all."""
    from moto.core.responses import PaginatedResult

    name = response._get_param("CacheParameterGroupName")  # noqa: SLF001
    found = [_group(response)] if name else list(_groups(response.elasticache_backend).values())
    return PaginatedResult({"CacheParameterGroups": found})


def describe_cache_parameters(response: Any) -> Any:
    """Describe the parameters of a group that were set in it."""
    from moto.core.responses import PaginatedResult

    values = _values(response, _group(response)["CacheParameterGroupName"])
    found = [
        {"ParameterName": name, "ParameterValue": value, "Source": "user"} for name, value in values.items()
    ]
    return PaginatedResult({"Parameters": found})


def modify_cache_parameter_group(response: Any) -> Any:
    """Set parameters of a group."""
    name = _group(response)["CacheParameterGroupName"]
    for each in response._get_param("ParameterNameValues", []):  # noqa: SLF001
        _values(response, name)[each["ParameterName"]] = each["ParameterValue"]
    return _named(name)


def reset_cache_parameter_group(response: Any) -> Any:
    """Give parameters of a group, or all, their defaults again."""
    name = _group(response)["CacheParameterGroupName"]
    if response._get_bool_param("ResetAllParameters"):  # noqa: SLF001
        _values(response, name).clear()
    for each in response._get_param("ParameterNameValues", []):  # noqa: SLF001
        _values(response, name).pop(each["ParameterName"], None)
    return _named(name)


def delete_cache_parameter_group(response: Any) -> Any:
    """Delete a parameter group that no replication group uses."""
    from moto.core.responses import EmptyResult

    backend, name = response.elasticache_backend, _group(response)["CacheParameterGroupName"]
    used = [each.cache_parameter_group_name for each in backend.replication_groups.values()]
    if name in used:
        raise _error(
            "InvalidCacheParameterGroupState", "One or more cache clusters are still members of this group."
        )
    del _groups(backend)[name]
    _parameters(backend).pop(name, None)
    return EmptyResult()


def modify_cache_subnet_group(response: Any) -> Any:
    """Change the description or the subnets of a group."""
    from moto.core.responses import ActionResult
    from moto.elasticache.models import CacheSubnetGroup

    backend, group = response.elasticache_backend, _subnet_group(response)
    name = group.cache_subnet_group_name
    changed = CacheSubnetGroup(
        account_id=backend.account_id,
        region_name=backend.region_name,
        cache_subnet_group_name=name,
        cache_subnet_group_description=response._get_param("CacheSubnetGroupDescription")  # noqa: SLF001
        or group.cache_subnet_group_description,
        subnet_ids=response._get_param("SubnetIds") or group.subnet_ids,  # noqa: SLF001
        tags=group.tags,
    )
    backend.cache_subnet_groups[name] = changed
    return ActionResult({"CacheSubnetGroup": changed})


def delete_cache_subnet_group(response: Any) -> Any:
    """Delete a subnet group that no replication group uses."""
    from moto.core.responses import EmptyResult

    backend, name = response.elasticache_backend, _subnet_group(response).cache_subnet_group_name
    if name in [each.cache_subnet_group_name for each in backend.replication_groups.values()]:
        raise _error(
            "CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by a cache cluster."
        )
    del backend.cache_subnet_groups[name]
    return EmptyResult()


def increase_replica_count(response: Any) -> Any:
    """Change the number of replicas of each shard."""
    from moto.core.responses import ActionResult

    name = response._get_param("ReplicationGroupId")  # noqa: SLF001
    group = response.elasticache_backend.describe_replication_groups(name)[0]
    _resize(group, response._get_int_param("NewReplicaCount"))  # noqa: SLF001
    return ActionResult({"ReplicationGroup": group})


def decrease_replica_count(response: Any) -> Any:
    """Change the number of replicas of each shard."""
    return increase_replica_count(response)


def _with_all_nodes(create: Any) -> Any:
    def create_replication_group(backend: Any, **params: Any) -> Any:
        group = create(backend, **params)
        nodes = params.get("num_cache_clusters")
        if nodes and not params.get("num_node_groups"):
            _resize(group, nodes - 1)
        for node_group in group.node_groups if group.cluster_mode != "enabled" else ():
            address = node_group["reader_endpoint_address"]
            node_group["reader_endpoint"] = {"address": address, "port": group.port}
        return group

    return create_replication_group


def _resize(group: Any, replicas: int) -> None:
    """Give each shard of a replication group a primary node and that many replicas."""
    group.member_clusters.clear()
    for node_group in group.node_groups:
        node_group["node_group_members"] = []
        shared = {
            "member_clusters": group.member_clusters,
            "replication_group_id": group.replication_group_id,
            "node_group": node_group,
            "replicas_per_node_group": replicas,
        }
        if group.cluster_mode == "enabled":
            outposts = group.member_clusters_outpost_arns
            group._set_node_members_clusters_enabled(  # noqa: SLF001
                **shared, node_group_configuration=[], member_clusters_outpost_arns=outposts
            )
        else:
            domain = node_group["primary_endpoint_address"].removeprefix("master.")
            group._set_node_members_clusters_disabled(  # noqa: SLF001
                **shared,
                replication_group_domain=domain,
                preferred_cache_cluster_azs=[],
                num_cache_clusters=replicas + 1,
            )


def _modifying_all(modify: Any) -> Any:
    def modify_replication_group(response: Any) -> Any:
        name = response._get_param("ReplicationGroupId")  # noqa: SLF001
        group = response.elasticache_backend.describe_replication_groups(name)[0]
        for parameter, attribute in _MODIFIED.items():
            if (value := response._get_param(parameter)) is not None:  # noqa: SLF001
                setattr(group, attribute, value)
        if response._get_param("AuthToken"):  # noqa: SLF001
            group.auth_token_enabled = True
        return modify(response)

    return modify_replication_group


def _forgetting(delete: Any) -> Any:
    def delete_replication_group(backend: Any, *values: Any, **named: Any) -> Any:
        group = delete(backend, *values, **named)
        backend.replication_groups.pop(group.replication_group_id, None)
        return group

    return delete_replication_group


def _groups(backend: Any) -> dict[str, dict[str, Any]]:
    """Return the parameter groups of a region; a reset makes the backend anew, without them."""
    groups: dict[str, dict[str, Any]] = vars(backend).setdefault("cache_parameter_groups", {})
    return groups


def _parameters(backend: Any) -> dict[str, dict[str, str]]:
    parameters: dict[str, dict[str, str]] = vars(backend).setdefault("cache_parameters", {})
    return parameters


def _values(response: Any, name: str) -> dict[str, str]:
    return _parameters(response.elasticache_backend).setdefault(name, {})


def _group(response: Any) -> dict[str, Any]:
    """Return the parameter group that a request is about."""
    name = response._get_param("CacheParameterGroupName")  # noqa: SLF001
    if (group := _groups(response.elasticache_backend).get(name)) is None:
        raise _error("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {name}")
    return group


def _subnet_group(response: Any) -> Any:
    name = response._get_param("CacheSubnetGroupName")  # noqa: SLF001
    return response.elasticache_backend.describe_cache_subnet_groups(name)[0]


def _named(name: str) -> Any:
    from moto.core.responses import ActionResult

    return ActionResult({"CacheParameterGroupName": name})


def _error(code: str, message: str) -> Exception:
    from moto.core.exceptions import ServiceException

    error: Exception = type(code, (ServiceException,), {"code": code})(message)
    return error
