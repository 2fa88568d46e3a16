"""EC2: moto gives a gateway endpoint's routes only to the route tables that it is created with.

An endpoint that others were added to is then not deleted. The deletion of an access list's entry that is not
there has no answer.
"""

from __future__ import annotations

from typing import Any


def amend() -> None:
    """Let gateway endpoints have the routes of their route tables, and answer deletions of what is gone."""
    from moto.ec2.models import EC2Backend

    EC2Backend.modify_vpc_endpoint = _with_routes(EC2Backend.modify_vpc_endpoint)
    EC2Backend.delete_vpc_endpoints = _whatever_routes(EC2Backend.delete_vpc_endpoints)
    EC2Backend.delete_network_acl_entry = _delete_network_acl_entry


def _with_routes(modify: Any) -> Any:
    def modify_vpc_endpoint(backend: Any, vpc_id: str, **changes: Any) -> None:
        modify(backend, vpc_id=vpc_id, **changes)
        prefixes = backend.get_vpc_end_point(vpc_id).destination_prefix_list_id
        for table in changes.get("add_route_tables") or () if prefixes else ():
            if not _has_route(backend, table, prefixes):
                backend.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefixes)
        for table in changes.get("remove_route_tables") or ():
            if _has_route(backend, table, prefixes):
                backend.delete_route(table, prefixes)

    return modify_vpc_endpoint


def _whatever_routes(delete: Any) -> Any:
    def delete_vpc_endpoints(backend: Any, vpce_ids: list[str] | None = None) -> None:
        for each in vpce_ids or []:
            if endpoint := backend.vpc_end_points.get(each):
                prefixes = endpoint.destination_prefix_list_id
                tables = endpoint.route_table_ids or []
                endpoint.route_table_ids = [table for table in tables if _has_route(backend, table, prefixes)]
                endpoint.vpc_endpoint_type = endpoint.vpc_endpoint_type or "Gateway"
        delete(backend, vpce_ids)

    return delete_vpc_endpoints


def _has_route(backend: Any, table: str, prefixes: str | None) -> bool:
    from moto.ec2.utils import generate_route_id

    found = backend.route_tables.get(table)
    return found is not None and generate_route_id(table, prefixes) in found._routes  # noqa: SLF001


def _delete_network_acl_entry(backend: Any, network_acl_id: str, rule_number: Any, egress: Any) -> Any:
    from moto.ec2.exceptions import EC2ClientError

    entries = backend.get_network_acl(network_acl_id).network_acl_entries
    for entry in entries:
        if (entry.egress, entry.rule_number) == (egress, rule_number):
            entries.remove(entry)
            return entry
    raise EC2ClientError(
        "InvalidNetworkAclEntry.NotFound",
        f"The network acl entry '{rule_number}' in network acl '{network_acl_id}' does not exist",
    )
