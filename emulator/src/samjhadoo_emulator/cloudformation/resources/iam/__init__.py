"""AWS Identity and Access Management: roles, users, groups, their policies, and identity providers."""

from __future__ import annotations

from samjhadoo_emulator.cloudformation.resources.iam import policies, principals, providers

TYPES = (*principals.TYPES, *policies.TYPES, *providers.TYPES)
