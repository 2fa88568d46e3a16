"""In which order resources are made."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.cloudformation.language.dependencies import order, references
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.cloudformation.language.template_text import load
from samjhadoo_emulator.errors import AwsError


def template(resources, conditions="{C: !Equals [a, a]}"):
    """Return a template whose resources have the given members, in YAML."""
    made = "".join(f"\n  {name}: {{Type: T, {members}}}" for name, members in resources.items())
    return parse(f"Parameters: {{P: {{Type: String}}}}\nConditions: {conditions}\nResources:{made}")


def test_each_resource_comes_after_what_it_refers_to_or_depends_on():
    needs = order(
        template(
            {
                "A": "Properties: {X: !Sub '${B}-${C.Arn}-${P}-${AWS::Region}'}",
                "B": "Properties: {X: [{Y: !GetAtt C.Arn}]}",
                "C": "DependsOn: [D]",
                "D": "Properties: {X: !Ref P}",
            }
        ),
        {"C": True},
    )
    assert needs == {"D": set(), "C": {"D"}, "B": {"C"}, "A": {"B", "C"}}
    assert list(needs) == ["D", "C", "B", "A"]


def test_policies_and_metadata_refer_too():
    needs = order(
        template({"A": "UpdatePolicy: {X: !Ref B}, Metadata: {M: !Ref C}", "B": "", "C": ""}), {"C": True}
    )
    assert needs["A"] == {"B", "C"}


def test_a_circle_is_refused_with_its_members():
    resources = {
        "A": "DependsOn: B",
        "B": "Properties: {X: !Ref C}",
        "C": "DependsOn: A",
        "D": "DependsOn: A",
    }
    with pytest.raises(AwsError, match=r"^Circular dependency between resources: \[A, B, C\]$"):
        order(template(resources), {"C": True})


def test_a_resource_that_refers_to_itself_is_a_circle():
    with pytest.raises(AwsError, match=r"^Circular dependency between resources: \[A\]$"):
        order(template({"A": "Properties: {X: !Ref A}"}), {"C": True})


@pytest.mark.parametrize(("holds", "needed"), [(True, {"B"}), (False, set())])
def test_only_the_chosen_branch_of_an_if_counts(holds, needed):
    resources = {"A": "Properties: {X: !If [C, !Ref B, !Ref AWS::NoValue]}", "B": "Condition: C"}
    needs = order(template(resources), {"C": holds})
    assert needs["A"] == needed
    assert ("B" in needs) is holds


def test_a_reference_to_what_is_not_made_is_refused():
    resources = {"A": "Properties: {X: !Ref B}", "B": "Condition: C"}
    with pytest.raises(AwsError) as refused:
        order(template(resources), {"C": False})
    assert refused.value.message == (
        "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"
    )


@pytest.mark.parametrize(("condition", "refused"), [("", True), ("Condition: C, ", False)])
def test_outputs_refer_to_what_is_made(condition, refused):
    text = (
        "Conditions: {C: !Equals [a, b]}\nResources: {A: {Type: T}, B: {Type: T, Condition: C}}\n"
        f"Outputs: {{O: {{{condition}Value: !Ref B}}}}"
    )
    if not refused:
        assert order(parse(text), {"C": False}) == {"A": set()}
        return
    with pytest.raises(AwsError) as found:
        order(parse(text), {"C": False})
    assert found.value.message == (
        "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template"
    )


def test_depending_on_what_is_not_made_is_no_mistake():
    assert order(template({"A": "DependsOn: B", "B": "Condition: C"}), {"C": False}) == {"A": set()}


def test_own_variables_of_a_text_are_no_references():
    assert list(references(load("!Sub ['${A}${B}${!C}', {A: !Ref D}]"))) == ["B", "D"]
