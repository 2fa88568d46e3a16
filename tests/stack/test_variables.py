from __future__ import annotations

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_ops.stack.variables import FOREIGN, shell_lines

_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)))


@settings(max_examples=50, deadline=None)
@given(_VALUES)
def test_a_shell_reads_any_value_as_it_is(value: str) -> None:
    script = "\n".join(shell_lines({"VALUE": value}))
    done = subprocess.run(
        ["sh", "-euc", 'eval "$1"; printf %s "$VALUE"', "sh", script], capture_output=True, check=True
    )
    assert done.stdout.decode() == value


def test_variables_that_lead_elsewhere_are_unset() -> None:
    names = " ".join(f"${{{name}-unset}}" for name in FOREIGN)
    script = "; ".join([*shell_lines({}), f'echo "{names}"'])
    done = subprocess.run(
        ["sh", "-euc", script], env=dict.fromkeys(FOREIGN, "x"), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"unset"] * len(FOREIGN)
