from __future__ import annotations

from typing import get_args

from samjhadoo_emulator.registry import live_services
from samjhadoo_ops.environment.schema import LiveService


def test_settings_name_the_services_that_the_emulator_has_live():
    assert sorted(get_args(LiveService)) == sorted(live_services())
