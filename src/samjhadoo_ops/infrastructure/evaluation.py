"""The values of a template as far as its parameters decide them: CloudFormation evaluates the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.infrastructure.templates import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.infrastructure.templates import InfrastructureTemplate

_NOTHING = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Evaluation:
    """A template with the values of its parameters and pseudo parameters."""

    template: InfrastructureTemplate
    values: Mapping[str, str]

    def exists(self, resource: Mapping[str, Any]) -> bool:
        """Return whether a resource is made: its condition is true, or not known."""
        return "Condition" not in resource or self._condition(resource["Condition"]) is not False

    @property
    def exports(self) -> set[str]:
        """Return the names of the exports of the outputs whose conditions are true, or not known."""
        outputs = [each for each in self.template.outputs.values() if self.exists(each)]
        names = (text_of(each.get("Export", {}).get("Name"), self.values) for each in outputs)
        return {name for name in names if name}

    def value(self, node: Any) -> Any:
        """Return a value with `Ref`, `Fn::Sub`, `Fn::Join` and `Fn::If` evaluated where that is possible."""
        if isinstance(node, list):
            return [self.value(each) for each in node if each != _NOTHING]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Fn::If"}:
            name, then, otherwise = node["Fn::If"]
            return self.value(otherwise if self._condition(name) is False else then)
        text = text_of(node, self.values)
        if text is not None:
            return text
        return {key: self.value(each) for key, each in node.items() if each != _NOTHING}

    def _condition(self, name: str) -> bool | None:
        return self._truth(self.template.conditions.get(name))

    def _truth(self, node: Any) -> bool | None:
        """Return whether a condition is true; None if that is not known."""
        if not isinstance(node, dict) or len(node) != 1:
            return None
        ((function, argument),) = node.items()
        if function == "Condition":
            return self._condition(argument)
        if function == "Fn::Equals":
            one, other = (text_of(each, self.values) for each in argument)
            return None if one is None or other is None else one == other
        parts = [self._truth(each) for each in argument] if isinstance(argument, list) else []
        if function == "Fn::Not" and parts:
            return None if parts[0] is None else not parts[0]
        if function == "Fn::And":
            return False if False in parts else None if None in parts else True
        if function == "Fn::Or":
            return True if True in parts else None if None in parts else False
        return None
