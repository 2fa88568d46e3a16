"""Elastic Load Balancing v2: Application Load Balancers, their listeners, rules and target groups."""

from __future__ import annotations

from samjhadoo_emulator.cloudformation.resources.elbv2 import listeners, load_balancers, target_groups

TYPES = (*load_balancers.TYPES, *target_groups.TYPES, *listeners.TYPES)
