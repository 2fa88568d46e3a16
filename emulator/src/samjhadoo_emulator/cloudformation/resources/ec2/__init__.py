"""Amazon EC2: virtual networks and what is in them."""

from __future__ import annotations

from samjhadoo_emulator.cloudformation.resources.ec2 import (
    access_lists,
    addresses,
    dhcp,
    endpoints,
    flow_logs,
    networks,
    routing,
    security_groups,
)

TYPES = (
    *networks.TYPES,
    *routing.TYPES,
    *addresses.TYPES,
    *dhcp.TYPES,
    *security_groups.TYPES,
    *endpoints.TYPES,
    *access_lists.TYPES,
    *flow_logs.TYPES,
)
