"""Tags of clusters, services, task definitions and tasks."""

from __future__ import annotations

from samjhadoo_emulator.ecs.clusters import ClusterOperations
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.service import Params, operation


class TagOperations(ClusterOperations):
    """Operations on tags."""

    def _tags(self, arn: str) -> list[dict[str, str]]:
        kind = arn.partition("/")[0].rpartition(":")[2]
        if kind == "service":
            for service in self.services.values():
                if service.arn == arn:
                    return service.tags
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if kind == "task":
            if arn not in self.tasks.tasks:
                raise AwsError("ResourceNotFoundException", "The specified task is not found.")
            return self.tasks.tasks[arn].tags
        if kind not in ("cluster", "task-definition"):
            raise invalid_parameter("Invalid ARN")
        return self.tags.setdefault(arn, [])

    @operation("TagResource")
    async def tag_resource(self, params: Params) -> Params:
        tags = self._tags(params["resourceArn"])
        check_tags(params["tags"], tags)
        given = {tag["key"]: tag for tag in params["tags"]}
        tags[:] = [*(tag for tag in tags if tag["key"] not in given), *given.values()]
        return {}

    @operation("UntagResource")
    async def untag_resource(self, params: Params) -> Params:
        tags = self._tags(params["resourceArn"])
        tags[:] = [tag for tag in tags if tag["key"] not in params["tagKeys"]]
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, params: Params) -> Params:
        return {"tags": list(self._tags(params["resourceArn"]))}
