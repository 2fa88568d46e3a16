"""Amazon S3: buckets and their policies."""

from __future__ import annotations

from samjhadoo_emulator.cloudformation.resources.s3 import buckets

TYPES = buckets.TYPES
