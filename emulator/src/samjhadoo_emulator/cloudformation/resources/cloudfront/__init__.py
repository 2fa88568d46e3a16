"""Amazon CloudFront: distributions, access to their origins, and functions."""

from __future__ import annotations

from samjhadoo_emulator.cloudformation.resources.cloudfront import distributions, origin_access

TYPES = (*distributions.TYPES, *origin_access.TYPES)
