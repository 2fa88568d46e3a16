"""Task definitions: families, revisions and their life cycle."""

from __future__ import annotations

import copy
from typing import Any

from samjhadoo_emulator.arns import partition
from samjhadoo_emulator.ecs import definition_rules
from samjhadoo_emulator.ecs.capabilities import required_attributes
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.errors import AwsError, client_exception
from samjhadoo_emulator.pagination import ECS
from samjhadoo_emulator.service import LiveService, Params, operation


class TaskDefinitionOperations(LiveService):
    """Operations on task definitions."""

    definitions: dict[str, list[dict[str, Any]]]
    """Revisions by family, oldest first; a revision's number is its position."""
    tags: dict[str, list[dict[str, str]]]

    def task_definition(self, name: str, *, active: bool = True) -> dict[str, Any]:
        """Return a task definition by family (newest active), `family:revision` or ARN.

        Raises:
            AwsError: There is none (`ClientException`, as on AWS).
        """
        own = self.home().resource(name).removeprefix("task-definition/")
        family, _, revision = (own or name).partition(":")
        revisions = self.definitions.get(family, [])
        if revision:
            if revision.isdecimal() and 0 < int(revision) <= len(revisions):
                found: dict[str, Any] = revisions[int(revision) - 1]
                if found["status"] == "INACTIVE" and active:
                    raise client_exception("TaskDefinition is inactive")
                return found
        else:
            for found in reversed(revisions):
                if found["status"] == "ACTIVE":
                    return found
        raise client_exception(
            "TaskDefinition not found." if active else "Unable to describe task definition."
        )

    def _prefix(self) -> str:
        return f"{self.home().prefix}task-definition"

    @operation("RegisterTaskDefinition")
    async def register_task_definition(self, params: Params) -> Params:
        definition_rules.check(params)
        check_tags(params.get("tags", []))
        family = params["family"]
        revisions = self.definitions.setdefault(family, [])
        number = len(revisions) + 1
        tags = params.pop("tags", [])
        definition = {
            "networkMode": "bridge",
            "volumes": [],
            "placementConstraints": [],
            **copy.deepcopy(params),
            "taskDefinitionArn": f"{self._prefix()}/{family}:{number}",
            "revision": number,
            "status": "ACTIVE",
            "registeredAt": self.clock.now(),
            "registeredBy": f"arn:{partition(self.region)}:iam::{self.account}:root",
            "compatibilities": ["EC2", *([] if definition_rules.fargate_problem(params) else ["FARGATE"])],
        }
        for container in definition["containerDefinitions"]:
            container.setdefault("cpu", 0)
            for key in ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"):
                container.setdefault(key, [])
            container.setdefault("essential", True)
            for mapping in container["portMappings"]:
                mapping.setdefault("protocol", "tcp")
                if definition["networkMode"] in ("awsvpc", "host"):
                    mapping.setdefault("hostPort", mapping.get("containerPort"))
        for volume in definition["volumes"]:
            if volume.get("efsVolumeConfiguration"):
                volume["efsVolumeConfiguration"].setdefault("rootDirectory", "/")
        definition["requiresAttributes"] = required_attributes(definition)
        revisions.append(definition)
        if tags:
            self.tags[definition["taskDefinitionArn"]] = tags
        return {"taskDefinition": definition, "tags": tags}

    @operation("DescribeTaskDefinition")
    async def describe_task_definition(self, params: Params) -> Params:
        definition = self.task_definition(params["taskDefinition"], active=False)
        answer: Params = {"taskDefinition": definition}
        if "TAGS" in params.get("include", []):
            answer["tags"] = self.tags.get(definition["taskDefinitionArn"], [])
        return answer

    @operation("DeregisterTaskDefinition")
    async def deregister_task_definition(self, params: Params) -> Params:
        if ":" not in params["taskDefinition"].rpartition("/")[2]:
            raise client_exception("Revision is missing.")
        definition = self.task_definition(params["taskDefinition"], active=False)
        if definition["status"] == "ACTIVE":
            definition["status"] = "INACTIVE"
            definition["deregisteredAt"] = self.clock.now()
        return {"taskDefinition": definition}

    @operation("DeleteTaskDefinitions")
    async def delete_task_definitions(self, params: Params) -> Params:
        deleted, failures = [], []
        for name in params["taskDefinitions"]:
            try:
                definition = self.task_definition(name, active=False)
            except AwsError:
                failures.append({"arn": name, "reason": "MISSING"})
                continue
            if definition["status"] == "ACTIVE":
                reason = (
                    "The specified task definition is still in ACTIVE status. "
                    "Please deregister the target and try again."
                )
                failures.append({"arn": definition["taskDefinitionArn"], "reason": reason})
            else:
                definition["status"] = "DELETE_IN_PROGRESS"
                deleted.append(definition)
        return {"taskDefinitions": deleted, "failures": failures}

    @operation("ListTaskDefinitions")
    async def list_task_definitions(self, params: Params) -> Params:
        status = params.get("status", "ACTIVE")
        prefix = params.get("familyPrefix")
        arns = [
            definition["taskDefinitionArn"]
            for family in sorted(self.definitions)
            if prefix is None or family == prefix
            for definition in self.definitions[family]
            if definition["status"] == status
        ]
        if params.get("sort") == "DESC":
            arns.reverse()
        return ECS.answer("taskDefinitionArns", arns, params)

    @operation("ListTaskDefinitionFamilies")
    async def list_task_definition_families(self, params: Params) -> Params:
        status = params.get("status", "ALL")
        families = []
        for family in sorted(self.definitions):
            active = any(definition["status"] == "ACTIVE" for definition in self.definitions[family])
            if family.startswith(params.get("familyPrefix", "")) and status in (
                "ALL",
                "ACTIVE" if active else "INACTIVE",
            ):
                families.append(family)
        return ECS.answer("families", families, params)
