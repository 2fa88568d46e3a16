"""The ARNs of what an environment's settings name.

Forms of the ARNs: AWS's Service Authorization Reference, "Resource types defined by …".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.database.ecs_task.definition import family, log_options, log_stream
from samjhadoo_ops.environment.schema import Settings
from samjhadoo_ops.environment.stack_output import StackOutput
from samjhadoo_ops.release import render_task_definition
from samjhadoo_ops.release.task_secrets import references, secret_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samjhadoo_ops.environment import Environment, SecretRef

Arns = tuple[str, ...]

_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")
_ANY_SUFFIX = "-??????"
_RELEASE = "release"
"""Stands for an image and a version: no ARN depends on them."""


def runs_migrations_as_task(env: Environment) -> bool:
    """Return whether Flyway runs as a task in the cluster."""
    return env.database.runner == "ecs-task" and bool(env.database.migrations)


def distinct(arns: Iterable[str]) -> Arns:
    """Return ARNs in their order, each once."""
    return tuple(dict.fromkeys(arns))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in Settings.__struct_fields__ if isinstance(value, Settings) else value.__struct_fields__:
            yield from _texts(getattr(value, name))
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


@dataclass(frozen=True)
class ServiceArns:
    """The ARNs of one service and of what a release of it uses.

    Args:
        env: The service's settings, with the outputs of stacks that they name.
        written: The settings as their files have them.
        role: The ARN of the role that releases; empty if it is not known.

    Raises:
        ConfigurationError: The task definition cannot be rendered; raised by what is read from it.
    """

    env: Environment
    written: Environment
    role: str = ""

    @property
    def cluster(self) -> Arns:
        """The cluster."""
        return (self._ecs(f"cluster/{self.env.service.cluster}"),)

    @property
    def service(self) -> Arns:
        """The service."""
        return (self._ecs(f"service/{self._path}"),)

    @property
    def deployments(self) -> Arns:
        """The service, its deployments and its revisions: AWS checks two of them for one call."""
        kinds = ("service-deployment", "service-revision")
        return (*self.service, *(self._ecs(f"{kind}/{self._path}/*") for kind in kinds))

    @property
    def tasks(self) -> Arns:
        """The tasks in the cluster; a task's ARN does not name its service."""
        return (self._ecs(f"task/{self.env.service.cluster}/*"),)

    @property
    def families(self) -> Arns:
        """The task definitions that are registered."""
        return (self._ecs(f"task-definition/{self._document['family']}:*"), *self.migrations)

    @property
    def migrations(self) -> Arns:
        """The task definitions of the task that runs Flyway, if there is one."""
        own = self._ecs(f"task-definition/{family(self.env)}:*")
        return (own,) if runs_migrations_as_task(self.env) else ()

    @cached_property
    def task_roles(self) -> Arns:
        """The roles that ECS gives to tasks, and with which it starts them."""
        own = (str(self._document.get(key, "")) for key in ("executionRoleArn", "taskRoleArn"))
        migrations = self.env.database.task.execution_role if runs_migrations_as_task(self.env) else ""
        return distinct(self._role(role) for role in (*own, migrations) if role)

    @property
    def infrastructure_role(self) -> Arns:
        """The role with which ECS shifts the traffic; none where a single target group needs no shift."""
        settings = self.env.service
        if len(settings.target_groups) == 1:
            return ()
        return (self._role(settings.infrastructure_role),)

    @property
    def ecs_role(self) -> Arns:
        """The service-linked role of ECS, which the first service of an account creates."""
        path = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        return (f"arn:aws:iam::{self.env.aws.account}:{path}",)

    @property
    def deployer(self) -> Arns:
        """The role that releases, if it is known."""
        return (self.role,) if self.role else ()

    @property
    def repository(self) -> Arns:
        """The ECR repository of the release."""
        return (self._regional("ecr", f"repository/{self.env.build.repository}"),)

    @property
    def sources(self) -> Arns:
        """The ECR repositories from which its images are copied."""
        found = []
        for name in self.env.build.pull_from:
            host, _, repository = name.partition("/")
            account, _, _, region, *_ = host.split(".")
            found.append(f"arn:aws:ecr:{region}:{account}:repository/{repository}")
        return tuple(found)

    @property
    def bucket(self) -> Arns:
        """The bucket of the journal."""
        return (f"arn:aws:s3:::{self.env.journal.bucket}",)

    @property
    def journal(self) -> Arns:
        """The journal's and the lock's objects."""
        return tuple(f"{self.bucket[0]}/{self._journal}{end}" for end in ("/*", ".lock.json"))

    @property
    def listed(self) -> Arns:
        """The prefixes of keys that the journal lists."""
        return (f"{self._journal}/*",)

    @cached_property
    def task_secrets(self) -> Arns:
        """The secrets that the task definition names."""
        named = (reference for _, reference in references(self._document))
        return distinct(arn for each in named if ":secretsmanager:" in each for arn in self._secret(each))

    @cached_property
    def task_parameters(self) -> Arns:
        """The parameters that the task definition names."""
        named = (reference for _, reference in references(self._document))
        return distinct(self._parameter(each) for each in named if ":secretsmanager:" not in each)

    @property
    def migration_secret(self) -> Arns:
        """The database's secret, if the task that runs Flyway gets it."""
        return self._secret(self.env.database.secret.name) if runs_migrations_as_task(self.env) else ()

    @property
    def read_secrets(self) -> Arns:
        """The secrets whose values the tool reads: the settings', and the tasks' to conceal them."""
        named = (each.name for each in self._settings if each.scheme == "secretsmanager")
        own = (arn for name in named for arn in self._secret(name))
        return distinct((*own, *self.task_secrets, *self.migration_secret))

    @property
    def read_parameters(self) -> Arns:
        """The parameters whose values the tool reads."""
        own = (self._parameter(each.name) for each in self._settings if each.scheme == "ssm")
        return distinct((*own, *self.task_parameters))

    @cached_property
    def logs(self) -> Arns:
        """The log streams of the tasks."""
        found = []
        for container in self._document["containerDefinitions"]:
            logging = container.get("logConfiguration") or {}
            options = logging.get("options") or {}
            if logging.get("logDriver") == "awslogs" and options.get("awslogs-group"):
                prefix = options.get("awslogs-stream-prefix", "ecs")
                found.append(self._stream(options["awslogs-group"], f"{prefix}/{container['name']}/*"))
        if runs_migrations_as_task(self.env):
            group, _, _ = log_options(self.env, self._document)
            found.append(self._stream(group, log_stream("*")))
        return distinct(found)

    @property
    def stacks(self) -> Arns:
        """The stacks whose outputs the settings name: the service's own, or else the environment's."""
        found = filter(None, map(StackOutput.parse, _texts(self.written)))
        shared = [f"{self.env.infrastructure.prefix}-{self.env.name}-{each.stack}" for each in found]
        own = [f"{name}-{self.env.key}" for name in shared] if self.env.key else []
        return distinct(self._regional("cloudformation", f"stack/{name}/*") for name in (*own, *shared))

    @property
    def quota(self) -> Arns:
        """The quota of Fargate."""
        return (self._regional("servicequotas", f"fargate/{self.env.gates.capacity.quota}"),)

    @property
    def _path(self) -> str:
        return f"{self.env.service.cluster}/{self.env.service.name}"

    @property
    def _journal(self) -> str:
        return f"{self.env.journal.prefix.strip('/')}/{self.env.name}/{self.env.service.name}"

    @property
    def _settings(self) -> Iterator[SecretRef]:
        """Yield the settings that `SecretRef.resolve` reads in a release."""
        if self.env.payments.check != "off":
            yield self.env.payments.webhook_secret
        if self.env.database.migrations and not runs_migrations_as_task(self.env):
            yield self.env.database.secret

    @cached_property
    def _document(self) -> dict[str, Any]:
        return render_task_definition(self.env, _RELEASE, _RELEASE)

    def _ecs(self, resource: str) -> str:
        return self._regional("ecs", resource)

    def _regional(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.env.aws.region}:{self.env.aws.account}:{resource}"

    def _stream(self, group: str, stream: str) -> str:
        return self._regional("logs", f"log-group:{group}:log-stream:{stream}")

    def _role(self, role: str) -> str:
        """Return a role's ARN; a task definition may name it without its account."""
        return role if role.startswith("arn:") else f"arn:aws:iam::{self.env.aws.account}:role/{role}"

    def _secret(self, reference: str) -> Arns:
        """Return a secret by its name or ARN; a whole ARN ends in six characters that AWS has added.

        An end that only looks like them may be the name's own.
        """
        if not reference.startswith("arn:"):
            return (self._regional("secretsmanager", f"secret:{reference}{_ANY_SUFFIX}"),)
        arn = secret_id(reference)
        whole = (arn,) if _SUFFIX.fullmatch(arn[-7:]) else ()
        return (*whole, f"{arn}{_ANY_SUFFIX}")

    def _parameter(self, reference: str) -> str:
        if reference.startswith("arn:"):
            return reference
        return self._regional("ssm", f"parameter/{reference.lstrip('/')}")
