"""What tests need beside Python: a Docker engine and its images."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def refuse_or_skip(reason: str) -> NoReturn:
    """Fail where containers are required (SAMJHADOO_CONTAINERS=required) and in CI, skip elsewhere."""
    if os.environ.get("SAMJHADOO_CONTAINERS") == "required" or os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
