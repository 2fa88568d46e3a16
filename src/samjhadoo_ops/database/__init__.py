"""The database's schema: Flyway and how it is run, its answers, and what the history table says."""

from __future__ import annotations

from samjhadoo_ops.database.answer import Inspection, Migration
from samjhadoo_ops.database.schema import Schema, SchemaState, inspect, peek

__all__ = ["Inspection", "Migration", "Schema", "SchemaState", "inspect", "peek"]
