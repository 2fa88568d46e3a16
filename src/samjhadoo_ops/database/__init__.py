"""The database's schema: runs Flyway, and reads its output and the history table."""

from __future__ import annotations

from samjhadoo_ops.database.answer import Inspection, Migration
from samjhadoo_ops.database.schema import Schema, SchemaState, inspect, peek

__all__ = ["Inspection", "Migration", "Schema", "SchemaState", "inspect", "peek"]
