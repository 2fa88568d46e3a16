"""The ECR API's operations on the policies of a repository, and the lifecycle policies at work."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecr import lifecycle
from samjhadoo_emulator.ecr.base import RegistryService
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECR
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

log = logging.getLogger(__name__)
LIFECYCLE, POLICY = "lifecycle", "repository"
NEVER = datetime.fromtimestamp(0, UTC)
"""What ECR shows of a policy that has not been evaluated yet."""
EVERY = 3600.0
"""Emulated seconds between two runs of the lifecycle policies; ECR expires images within 24 hours."""
SHORTEST = 0.5
"""Real seconds between two runs at least, however fast the clock is."""


class PolicyOperations(RegistryService):
    """Operations on policies."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._jumped = asyncio.Event()

    async def start(self) -> None:
        """Begin to expire images."""
        await super().start()
        self.spawn(self._expire_on(), name=f"lifecycle {self.region}")

    def clock_jumped(self) -> None:
        """Run the policies now."""
        super().clock_jumped()
        self._jumped.set()

    @operation("PutLifecyclePolicy")
    async def put_lifecycle_policy(self, params: Params) -> Result:
        """Set the lifecycle policy; it takes effect within an emulated hour."""
        repository, text = self.repository(params), params["lifecyclePolicyText"]
        lifecycle.rules(text)
        repository.policies[LIFECYCLE] = text
        return self.named(repository, lifecyclePolicyText=text)

    @operation("GetLifecyclePolicy")
    async def get_lifecycle_policy(self, params: Params) -> Result:
        repository = self.repository(params)
        text = self._policy(repository, LIFECYCLE)
        evaluated = repository.evaluated_at or NEVER
        return self.named(repository, lifecyclePolicyText=text, lastEvaluatedAt=evaluated)

    @operation("DeleteLifecyclePolicy")
    async def delete_lifecycle_policy(self, params: Params) -> Result:
        answer = await self.get_lifecycle_policy(params)
        del self.repository(params).policies[LIFECYCLE]
        return answer

    @operation("StartLifecyclePolicyPreview")
    async def start_lifecycle_policy_preview(self, params: Params) -> Result:
        """Find out what a policy would expire; the repository's own one unless another is given."""
        repository = self.repository(params)
        text = params.get("lifecyclePolicyText") or self._policy(repository, LIFECYCLE)
        policy = lifecycle.rules(text)
        results = [
            {
                "imageTags": repository.tags_of(image.digest),
                "imageDigest": image.digest,
                "imagePushedAt": image.pushed_at,
                "action": {"type": "EXPIRE"},
                "appliedRulePriority": rule.priority,
            }
            for image, rule in lifecycle.expiring(repository, policy, self.clock.now())
        ]
        repository.preview = (text, results)
        return self.named(repository, lifecyclePolicyText=text, status="IN_PROGRESS")

    @operation("GetLifecyclePolicyPreview")
    async def get_lifecycle_policy_preview(self, params: Params) -> Result:
        """Return what the last preview found."""
        repository = self.repository(params)
        if repository.preview is None:
            raise AwsError(
                "LifecyclePolicyPreviewNotFoundException",
                "Lifecycle policy preview does not exist for the repository with name "
                f"'{repository.name}' in the registry with id '{self.account}'",
            )
        text, found = repository.preview
        wanted = params.get("imageIds")
        results = [each for each in found if wanted is None or _named_by(wanted, each)]
        status = params.get("filter", {}).get("tagStatus", "ANY")
        results = [each for each in results if status in ("ANY", _status(each))]
        shown, more = ECR.page(results, params)
        return self.named(
            repository,
            lifecyclePolicyText=text,
            status="COMPLETE",
            previewResults=list(shown),
            summary={"expiringImageTotalCount": len(found)},
            **more,
        )

    @operation("SetRepositoryPolicy")
    async def set_repository_policy(self, params: Params) -> Result:
        """Store who may use the repository; it is not enforced."""
        repository, text = self.repository(params), params["policyText"]
        if not _is_policy(text):
            raise invalid_parameter(
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: "
                "'Invalid repository policy provided'",
            )
        repository.policies[POLICY] = text
        return self.named(repository, policyText=text)

    @operation("GetRepositoryPolicy")
    async def get_repository_policy(self, params: Params) -> Result:
        repository = self.repository(params)
        return self.named(repository, policyText=self._policy(repository, POLICY))

    @operation("DeleteRepositoryPolicy")
    async def delete_repository_policy(self, params: Params) -> Result:
        answer = await self.get_repository_policy(params)
        del self.repository(params).policies[POLICY]
        return answer

    def expire(self) -> None:
        """Apply every lifecycle policy now."""
        now = self.clock.now()
        for repository in self.registry.repositories.values():
            text = repository.policies.get(LIFECYCLE)
            if text is None:
                continue
            repository.evaluated_at = now
            for image, rule in lifecycle.expiring(repository, lifecycle.rules(text), now):
                log.info("rule %d of %s expires %s", rule.priority, repository.name, image.digest)
                self.registry.delete_image(repository, image.digest)

    async def _expire_on(self) -> None:
        while True:
            self._jumped.clear()
            try:
                async with asyncio.timeout(max(SHORTEST, self.clock.real(EVERY))):
                    await self._jumped.wait()
            except TimeoutError:
                pass
            try:
                self.expire()
            except OSError:
                log.exception("images could not be expired")

    def _policy(self, repository: Repository, kind: str) -> str:
        if kind not in repository.policies:
            raise AwsError(
                f"{kind.capitalize()}PolicyNotFoundException",
                f"{kind.capitalize()} policy does not exist for the repository with name '{repository.name}' "
                f"in the registry with id '{self.account}'",
            )
        return repository.policies[kind]


def _is_policy(text: str) -> bool:
    """Return whether a text is an IAM policy; in ECR's, statements need no resource and may share an id."""
    from moto.iam.exceptions import MalformedPolicyDocument
    from moto.iam.policy_validation import IAMPolicyDocumentValidator

    validator: Any = IAMPolicyDocumentValidator(text)
    for rule in ("resource_exist", "version", "sid_uniqueness"):
        setattr(validator, f"_validate_{rule}", lambda: None)
    try:
        validator.validate()
    except MalformedPolicyDocument:
        return False
    return True


def _named_by(wanted: list[dict[str, str]], result: dict[str, Any]) -> bool:
    return any(
        each.get("imageDigest") == result["imageDigest"] or each.get("imageTag") in result["imageTags"]
        for each in wanted
    )


def _status(result: dict[str, Any]) -> str:
    return "TAGGED" if result["imageTags"] else "UNTAGGED"
