"""Flow logs: records of the traffic of networks, subnets and network interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class FlowLog(Ec2Type):
    """A flow log of one network, subnet or network interface."""

    name = "AWS::EC2::FlowLog"
    creation, deletion = "CreateFlowLogs", "DeleteFlowLogs"
    describing, id_parameter = ("DescribeFlowLogs", "FlowLogs"), "FlowLogId"
    tagged_as = "vpc-flow-log"
    made_with = frozenset({"ResourceId"})
    unsupported = frozenset({"DeliverCrossAccountRole", "DestinationOptions", "TagFieldSpecifications"})

    async def make(self, request: Request) -> Resource:
        resources = [request.properties["ResourceId"]]
        answer = await self.call(request, self.creation, ResourceIds=resources, **self.given(request))
        for failed in answer.get("Unsuccessful", ()):
            raise AwsError(failed["Error"]["Code"], failed["Error"]["Message"])
        return Resource(answer["FlowLogIds"][0], {"Id": answer["FlowLogIds"][0]})

    async def remove(self, request: Request) -> None:
        await self.call(request, self.deletion, FlowLogIds=[request.id])

    async def described(self, request: Request) -> Properties | None:

        answer = await self.call(request, "DescribeFlowLogs", FlowLogIds=[request.id])
        return next(iter(answer["FlowLogs"]), None)

    async def describe(self, request: Request) -> dict[str, Any] | None:
        found = await self.described(request)
        return found and {**found, "ResourceType": request.properties["ResourceType"]}


TYPES = (FlowLog(),)
