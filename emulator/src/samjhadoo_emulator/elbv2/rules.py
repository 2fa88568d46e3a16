"""Operations on rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2 import actions, conditions
from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.elbv2.model import Rule
from samjhadoo_emulator.elbv2.names import rule_arn
from samjhadoo_emulator.elbv2.tags import checked
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result


class Rules(Elbv2Base):
    """Rules of listeners. A change returns once the load balancer routes by it."""

    @operation("CreateRule")
    async def create_rule(self, params: Params) -> Result:
        listener = self.listener(params["ListenerArn"])
        _refuse_transforms(params)
        tags = checked(params.get("Tags") or [])
        rule = Rule(
            arn=rule_arn(listener.arn),
            priority=str(params["Priority"]),
            conditions=conditions.normalise(params["Conditions"]),
            actions=actions.normalise(params["Actions"], self.state.target_groups),
        )
        if any(each.priority == rule.priority for each in listener.rules.values()):
            raise AwsError("PriorityInUse", f"Priority '{rule.priority}' is currently in use")
        balancer = self.load_balancer(listener.load_balancer)
        amount = sum(len(each.rules) for each in balancer.listeners.values()) + 1
        self.check_limit("rules-per-application-load-balancer", amount, "TooManyRules")
        self.check_association(balancer.arn, rule.target_groups)
        listener.rules[rule.arn] = rule
        self.state.tags[rule.arn] = tags
        await self.plane.sync()
        return {"Rules": [rule.describe()]}

    @operation("DescribeRules")
    async def describe_rules(self, params: Params) -> Result:
        arns, listener = params.get("RuleArns") or [], params.get("ListenerArn")
        if not arns and not listener:
            raise validation_error("You must specify either listener rule ARNs or a listener ARN")
        if arns and listener:
            raise validation_error("You can't specify both listener rule ARNs and listener ARN")
        found = self.listener(listener).in_order() if listener else [self.rule(arn)[1] for arn in arns]
        return ELBV2.answer("Rules", [rule.describe() for rule in found], params)

    @operation("ModifyRule")
    async def modify_rule(self, params: Params) -> Result:
        _refuse_transforms(params)
        listener, rule = self.rule(params["RuleArn"])
        if rule.is_default:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
        if not params.get("Conditions") and not params.get("Actions"):
            raise validation_error("Either conditions or actions must be specified")
        wanted = Rule(rule.arn, rule.priority, rule.conditions, rule.actions)
        if params.get("Conditions"):
            wanted.conditions = conditions.normalise(params["Conditions"])
        if params.get("Actions"):
            wanted.actions = actions.normalise(params["Actions"], self.state.target_groups)
            self.check_association(listener.load_balancer, wanted.target_groups)
        listener.rules[rule.arn] = wanted
        await self.plane.sync()
        return {"Rules": [wanted.describe()]}

    @operation("DeleteRule")
    async def delete_rule(self, params: Params) -> Result:
        listener, rule = self.rule(params["RuleArn"])
        if rule.is_default:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be deleted")
        del listener.rules[rule.arn]
        self.state.tags.pop(rule.arn, None)
        await self.plane.sync()
        return {}

    @operation("SetRulePriorities")
    async def set_rule_priorities(self, params: Params) -> Result:
        wanted = {}
        for pair in params["RulePriorities"]:
            if "RuleArn" not in pair or "Priority" not in pair:
                raise validation_error("A rule ARN and a priority must be specified")
            wanted[pair["RuleArn"]] = str(pair["Priority"])
        found = {arn: self.rule(arn) for arn in wanted}
        for arn, (listener, rule) in found.items():
            if rule.is_default:
                raise AwsError("OperationNotPermitted", f"Default rule '{arn}' cannot be modified")
            if list(wanted.values()).count(wanted[arn]) > 1:
                raise validation_error(f"Priority '{wanted[arn]}' was provided multiple times")
            kept = {each.priority for each in listener.rules.values() if each.arn not in wanted}
            if wanted[arn] in kept:
                raise AwsError("PriorityInUse", f"Priority '{wanted[arn]}' is currently in use")
        for arn, (_, rule) in found.items():
            rule.priority = wanted[arn]
        await self.plane.sync()
        return {"Rules": [rule.describe() for _, rule in found.values()]}


def _refuse_transforms(params: Params) -> None:
    if params.get("Transforms") or params.get("ResetTransforms"):
        raise validation_error("The emulator's load balancers do not serve transforms")
