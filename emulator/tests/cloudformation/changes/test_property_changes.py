"""Which properties change, and what is replaced because of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.changes.property_changes import (
    ABSENT,
    Recreation,
    compare,
    replaces,
    same,
)


@dataclass(frozen=True)
class Schema:
    create_only: tuple[str, ...] = ()
    conditional_create_only: tuple[str, ...] = ()


VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = st.dictionaries(st.text(min_size=1, max_size=3), VALUES, max_size=4)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param({"Name": "a"}, {"Name": "a"}, [], id="nothing"),
        pytest.param({"Port": 80}, {"Port": "80"}, [], id="a number and its text are the same"),
        pytest.param({"On": True}, {"On": "true"}, [], id="a boolean and its text are the same"),
        pytest.param({"Name": "a"}, {"Name": "b"}, [("Name", "a", "b", "Modify")], id="a value"),
        pytest.param({}, {"Name": "b"}, [("Name", ABSENT, "b", "Add")], id="an added property"),
        pytest.param({"Name": "a"}, {}, [("Name", "a", ABSENT, "Remove")], id="a removed property"),
        pytest.param(
            {"Environment": {"Variables": {"A": "1", "B": "2"}}},
            {"Environment": {"Variables": {"A": "1", "B": "3"}}},
            [("Environment/Variables/B", "2", "3", "Modify")],
            id="a value deep inside",
        ),
        pytest.param(
            {"Tags": [{"Key": "a", "Value": "1"}]},
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]},
            [("Tags/1", ABSENT, {"Key": "b", "Value": "2"}, "Add")],
            id="an added item",
        ),
        pytest.param({"A": ["x"]}, {"A": "x"}, [("A", ["x"], "x", "Modify")], id="another kind of value"),
    ],
)
def test_the_deepest_values_that_differ_are_found(before: Any, after: Any, changes: Any) -> None:
    found = compare(before, after, None)

    assert [("/".join(each.path), each.before, each.after, each.kind) for each in found] == changes


@pytest.mark.parametrize(
    ("named", "path", "replaced"),
    [
        pytest.param(("Name",), "Name", True, id="the property itself"),
        pytest.param(("Name",), "Names", False, id="another property"),
        pytest.param(("Key.Id",), "Key/Id", True, id="a nested property"),
        pytest.param(("Key.Id",), "Key/Description", False, id="beside a nested property"),
        pytest.param(("Key.Id",), "Key", True, id="what holds a nested property"),
        pytest.param(("Key",), "Key/Id", True, id="inside a property"),
        pytest.param(("Keys.*.Id",), "Keys/0/Id", True, id="of every item"),
    ],
)
def test_create_only_properties_replace(named: tuple[str, ...], path: str, replaced: bool) -> None:
    before, after = nested(path, "a"), nested(path, "b")

    assert replaces(compare(before, after, Schema(create_only=named))) is replaced
    conditionally = compare(before, after, Schema(conditional_create_only=named))
    assert not replaces(conditionally)
    assert [each.recreation for each in conditionally] == [
        Recreation.CONDITIONALLY if replaced else Recreation.NEVER
    ]


def nested(path: str, value: Any) -> Any:
    """Return properties that have a value at a path."""
    first, _, rest = path.partition("/")
    inner = nested(rest, value) if rest else value
    return [inner] if first == "0" else {first: inner}


@given(before=PROPERTIES, after=PROPERTIES)
def test_there_is_a_change_exactly_where_properties_differ(before: Any, after: Any) -> None:
    changes = compare(before, after, None)

    assert bool(changes) is not same(before, after)
    assert all(not same(change.before, change.after) for change in changes)
    assert len({change.path for change in changes}) == len(changes)


@given(properties=PROPERTIES)
def test_properties_do_not_differ_from_themselves(properties: Any) -> None:
    assert compare(properties, properties, Schema(create_only=("*",))) == ()
