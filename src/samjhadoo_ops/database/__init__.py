"""The database's schema: Flyway's own command line, its answers, and what the history table says."""

from __future__ import annotations

from samjhadoo_ops.database.answer import Inspection, Migration
from samjhadoo_ops.database.schema import Schema, SchemaState, inspect, migrate

__all__ = ["Inspection", "Migration", "Schema", "SchemaState", "inspect", "migrate"]
