"""The template language at random: whatever is written, the answer is a result or AWS's error."""

from __future__ import annotations

import contextlib
import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.language import (
    conditions,
    dependencies,
    functions,
    schemas,
    shapes,
    template,
)
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN, Context
from samjhadoo_emulator.cloudformation.language.summary import summary, validation
from samjhadoo_emulator.cloudformation.language.template_text import load
from samjhadoo_emulator.cloudformation.language.transforms import transformed
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import AwsError

NAMES = st.sampled_from(["A", "B", "List", "Text", "Nope", "A.Arn", "A.List", "AWS::Region", "AWS::NoValue"])
SCALARS = st.one_of(
    NAMES, st.text(max_size=8), st.integers(-3, 300), st.booleans(), st.floats(allow_nan=False), st.none()
)
TEXTS = st.lists(st.one_of(NAMES.map("${{{}}}".format), st.text(max_size=4)), max_size=4).map("".join)
FUNCTIONS = [*shapes.SHAPES, "Fn::Contains", "Fn::RefAll", "Fn::Nope"]


def called(arguments):
    """Return a strategy of functions with these arguments, right or wrong."""
    return st.one_of(
        st.tuples(st.sampled_from(FUNCTIONS), arguments).map(lambda call: {call[0]: call[1]}),
        st.tuples(st.sampled_from(FUNCTIONS), st.lists(arguments, min_size=2, max_size=3)).map(
            lambda call: {call[0]: call[1]}
        ),
        TEXTS.map(lambda text: {"Fn::Sub": text}),
        NAMES.map(lambda name: {"Ref": name}),
    )


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=5) | NAMES, inner, max_size=4),
        called(inner),
    ),
    max_leaves=20,
)
CONTEXTS = st.builds(
    Context,
    parameters=st.just({"Text": "a,b", "List": ["x", "y"]}),
    mappings=st.just({"A": {"B": {"Text": "1", "List": ["l"]}}}),
    conditions=st.just({"A": True, "B": False}),
    pseudo=st.just({"AWS::Region": "eu-west-1"}),
    resources=st.just({"A": Resource("a-1", {"Arn": "arn:a", "List": ["1"], "Object": {"k": UNKNOWN}})}),
    zones=st.just({"eu-west-1": ["eu-west-1a"]}),
    unknown_resources=st.booleans(),
    extensions=st.booleans(),
)


@given(VALUES, CONTEXTS)
def test_evaluation_returns_a_value_without_functions_or_an_error_of_aws(value, context):
    with contextlib.suppress(AwsError):
        found = functions.evaluate(value, context)
        functions.is_unknown(found)
        assert functions.evaluate("x", context) == "x"


@given(VALUES, CONTEXTS)
def test_conditions_hold_or_not_or_are_refused(value, context):
    with contextlib.suppress(AwsError):
        found = conditions.evaluate_conditions({"Tested": value, "A": {"Fn::Equals": ["a", "a"]}}, context)
        assert set(map(type, found.values())) == {bool}


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_template_or_refused(text):
    with contextlib.suppress(AwsError):
        template.parse(text)


SECTIONS = ("Parameters", "Mappings", "Conditions", "Rules", "Resources", "Outputs", "Transform", "Metadata")
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "Type": st.sampled_from(["AWS::SNS::Topic", "AWS::EC2::VPC", "Custom::X", "String", "Nope"]) | VALUES,
        "Properties": st.dictionaries(NAMES, VALUES, max_size=3) | VALUES,
        "DependsOn": NAMES | VALUES,
        "Condition": NAMES | VALUES,
        "Value": VALUES,
        "Export": VALUES,
        "Default": VALUES,
        "Fn::Equals": VALUES,
    },
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(SECTIONS),
    st.dictionaries(NAMES | st.just("Fn::ForEach::X"), MEMBERS | VALUES, max_size=4) | VALUES,
    max_size=6,
)


@given(DOCUMENTS)
def test_any_document_is_a_template_or_refused(document):
    with contextlib.suppress(AwsError):
        parsed = template.parse(json.dumps(document))
        validation(parsed)
        summary(parsed)
        done = transformed(parsed, {}, {"AWS::Region": "eu-west-1"})
        schemas.check_types(done)
        dependencies.order(done, dict.fromkeys(done.conditions, True))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=15,
    )
)
def test_yaml_and_json_say_the_same(value):
    document = {"Wrapped": value}
    assert load(json.dumps(document)) == document
    assert load(yaml.safe_dump(document)) == document


@st.composite
def graphs(draw):
    """Return resources by name, each depending only on earlier ones, in any order."""
    names = [f"R{number}" for number in range(draw(st.integers(1, 12)))]
    needs = {
        name: draw(st.sets(st.sampled_from(names[:index]))) if index else set()
        for index, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


@given(graphs(), st.data())
def test_the_order_is_topological(needs, data):
    resources = {}
    for name, needed in needs.items():
        by_reference = data.draw(st.sets(st.sampled_from(sorted(needed)))) if needed else set()
        resources[name] = {
            "Type": "T",
            "DependsOn": sorted(needed - by_reference),
            "Properties": {"P": [{"Fn::Sub": f"${{{each}.Arn}}"} for each in sorted(by_reference)]},
        }
    order = dependencies.order(template.parse(json.dumps({"Resources": resources})), {})
    assert order == needs
    done = set()
    for name, needed in order.items():
        assert needed <= done
        done.add(name)


@given(
    st.sampled_from(["AWS::EC2::Subnet", "AWS::ECS::Service", "AWS::S3::Bucket", "AWS::RDS::DBInstance"]),
    st.data(),
)
def test_conversion_never_makes_properties_worse(type_name, data):
    names = sorted(schemas.schema(type_name).document["properties"])
    properties = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=4))
    before = schemas.problems(type_name, properties)
    coerced = schemas.coerce(type_name, properties)
    assert len(schemas.problems(type_name, coerced)) <= len(before)
    assert schemas.coerce(type_name, coerced) == coerced
