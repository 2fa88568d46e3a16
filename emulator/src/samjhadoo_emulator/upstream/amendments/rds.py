"""RDS: moto forgets a subnet group that is modified, some settings of instances, and resets no parameters.

A promoted replica stays one of its source. A replica of an instance in another region fails if this has a
parameter group of its own, and at its deletion.
"""

from __future__ import annotations

from typing import Any

_FORGOTTEN = {
    "db_port_number": "port",
    "enable_performance_insights": "performance_insights_enabled",
    "engine_lifecycle_support": "engine_lifecycle_support",
    "performance_insights_retention_period": "performance_insights_retention_period",
}
"""The attribute that an instance answers with, for each parameter that moto would ignore."""


def amend() -> None:
    """Let RDS keep what is created and modified, reset parameters, and make and promote replicas."""
    from moto.rds.models import DBInstance, RDSBackend
    from moto.rds.responses import RDSResponse

    RDSBackend.modify_db_subnet_group = _modify_db_subnet_group
    RDSBackend.create_db_instance = _remembering(RDSBackend.create_db_instance)
    RDSBackend.modify_db_instance = _remembering(RDSBackend.modify_db_instance)
    RDSBackend.create_db_instance_read_replica = _remembering(
        _replica_with_default_group(RDSBackend.create_db_instance_read_replica)
    )
    DBInstance.remove_replica = _remove_replica
    RDSResponse.reset_db_parameter_group = _reset_db_parameter_group
    RDSResponse.promote_read_replica = _promote_read_replica


def _modify_db_subnet_group(
    backend: Any, subnet_name: str, description: str | None, subnets: list[Any]
) -> Any:
    from moto.rds.exceptions import DBSubnetGroupNotFoundError

    group = backend.subnet_groups.get(subnet_name)
    if group is None:
        raise DBSubnetGroupNotFoundError(subnet_name)
    group.subnets = subnets
    if description is not None:
        group.description = description
    return group


def _remembering(operation: Any) -> Any:
    def create_or_modify(backend: Any, *values: Any, **named: Any) -> Any:
        instance = operation(backend, *values, **named)
        given = named.get("db_kwargs") or values[-1]
        for parameter, attribute in _FORGOTTEN.items():
            if given.get(parameter) is not None:
                setattr(instance, attribute, given[parameter])
        return instance

    return create_or_modify


def _replica_with_default_group(create: Any) -> Any:
    def create_db_instance_read_replica(backend: Any, db_kwargs: dict[str, Any]) -> Any:
        source = db_kwargs["source_db_instance_identifier"]
        if backend.arn_regex.match(source) and f":{backend.region_name}:" not in source:
            primary = backend.find_db_from_id(source)
            _, default = primary.default_db_parameter_group_details()
            # First in order, because the copy of the source looks for its subnet group in its backend.
            db_kwargs = {"backend": backend, "db_parameter_group_name": default, **db_kwargs}
        replica = create(backend, db_kwargs)
        # The copy of the source has the source's very list.
        replica.enabled_cloudwatch_logs_exports = [*replica.enabled_cloudwatch_logs_exports]
        return replica

    return create_db_instance_read_replica


def _remove_replica(instance: Any, replica: Any) -> None:
    """Remove a replica, which an instance knows by its ARN if it is in another region."""
    named = (replica.db_instance_identifier, replica.db_instance_arn)
    instance.replicas = [each for each in instance.replicas if each not in named]


def _reset_db_parameter_group(response: Any) -> Any:
    from moto.core.responses import ActionResult
    from moto.rds.exceptions import DBParameterGroupNotFoundError

    name = response.params.get("DBParameterGroupName")
    group = response.backend.db_parameter_groups.get(name)
    if group is None:
        raise DBParameterGroupNotFoundError(name)
    if response.params.get("ResetAllParameters"):
        group.parameters.clear()
    for each in response.params.get("Parameters", []):
        group.parameters.pop(each.original_dict()["ParameterName"], None)
    return ActionResult({"DBParameterGroupName": group.name})


def _promote_read_replica(response: Any) -> Any:
    from moto.core.responses import ActionResult

    backend = response.backend
    replica = backend.describe_db_instances(response.params["DBInstanceIdentifier"])[0]
    if replica.is_replica:
        backend.find_db_from_id(replica.source_db_instance_identifier).remove_replica(replica)
        replica.is_replica = False
        replica.source_db_instance_identifier = None
    return ActionResult({"DBInstance": replica})
