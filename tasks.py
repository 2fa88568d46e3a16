from __future__ import annotations

from samjhadoo_ops import ns

__all__ = ["ns"]
