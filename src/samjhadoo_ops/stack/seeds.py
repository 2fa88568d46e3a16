"""The init hooks (`localstack/init/ready.d/`), which create what the local AWS has when it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.aws import LOCAL_SECRET, local_key
from samjhadoo_ops.processes import LOOPBACK
from samjhadoo_ops.stack.postgres import NAME

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.plan import Ports, StackPlan

FOLDER = Path("localstack") / "init" / "ready.d"
_ROLES = ("executionRoleArn", "taskRoleArn")


def seed_scripts(root: Path) -> tuple[str, ...]:
    """Return the project's init hooks sorted by name, the order in which LocalStack runs them."""
    return tuple(str(path) for path in sorted((root / FOLDER).glob("*.py")))


def seed_variables(env: Environment) -> dict[str, str]:
    """Return the hooks' variables for an environment: names, ports and settings of health checks.

    Raises:
        ConfigurationError: The task definition of one of several services is missing or malformed.
    """
    variables = {f"SAMJHADOO_SEED_{name}": value for name, value in _values(env).items()}
    if env.services:
        services = [_values(each) | _named_in_task_definition(each) for each in env.services.values()]
        variables["SAMJHADOO_SEED_SERVICES"] = json.dumps(services)
    return variables


def _values(env: Environment) -> dict[str, str]:
    service = env.service
    blue, green = service.target_groups[0], service.target_groups[-1]
    values = {
        "CLUSTER": service.cluster,
        "SERVICE": service.name,
        "CONTAINER_PORT": service.container_port,
        "LOAD_BALANCER": service.load_balancer,
        "BLUE": blue,
        "GREEN": green,
        "PRODUCTION_PORT": service.production_listener_port,
        "TEST_PORT": service.test_listener_port,
        "INFRASTRUCTURE_ROLE": service.infrastructure_role,
        "HEALTH_PATH": env.smoke.health_path,
        "UNHEALTHY_THRESHOLD": env.rollback.failed_health_checks,
        "REPOSITORY": env.build.repository,
        "JOURNAL_BUCKET": env.journal.bucket,
        "TOPIC": env.notifications.topic,
        "ENVIRONMENT": env.name,
    }
    secrets = {
        "DATABASE_SECRET": env.database.secret,
        "REDIS_SECRET": env.cache.secret,
        "STRIPE_SECRET": env.payments.secret_key,
    }
    # Only secrets in Secrets Manager are created in the local AWS.
    held = {name: each.name for name, each in secrets.items() if each.scheme == "secretsmanager"}
    return {name: str(value) for name, value in values.items()} | held


def _named_in_task_definition(env: Environment) -> dict[str, str]:
    """Return the roles and log groups that a service's task definition expects to exist."""
    from samjhadoo_ops.release import render_task_definition

    document = render_task_definition(env, "unbuilt", "unbuilt")
    roles = [document[key].rpartition("/")[2] for key in _ROLES if document.get(key)]
    logging = [each.get("logConfiguration", {}) for each in document["containerDefinitions"]]
    groups = [each.get("options", {}).get("awslogs-group", "") for each in logging]
    return {"ROLES": ",".join(roles), "LOG_GROUPS": ",".join(group for group in groups if group)}


def seed_environment(plan: StackPlan, ports: Ports) -> dict[str, str]:
    """Return an init hook's variables: those of the plan, the local AWS and its databases."""
    database = {
        "host": LOOPBACK,
        "port": ports.postgres,
        "dbname": NAME,
        "username": NAME,
        "password": plan.password,
    }
    cache = {"host": LOOPBACK, "port": ports.redis, "password": plan.redis_password}
    return {
        **plan.seed_variables,
        "SAMJHADOO_SEED_DATABASE": json.dumps(database),
        "SAMJHADOO_SEED_REDIS": json.dumps(cache),
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{ports.edge}",
        "AWS_ACCESS_KEY_ID": local_key(Path(plan.root)),
        "AWS_SECRET_ACCESS_KEY": LOCAL_SECRET,
        "AWS_DEFAULT_REGION": plan.region,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
