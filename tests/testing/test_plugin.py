"""The pytest plugin."""

from __future__ import annotations

import subprocess
import sys


def test_the_plugin_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, samjhadoo_ops.testing.plugin;"
        "print(*({'boto3', 'botocore', 'moto', 'starlette', 'invoke', 'msgspec'} & set(sys.modules)))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert outcome.stdout.split() == []
