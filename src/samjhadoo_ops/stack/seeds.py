"""The init hooks (`localstack/init/ready.d/`), which create what only the local AWS has: secrets."""

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


def seed_scripts(root: Path) -> tuple[str, ...]:
    """Return the project's init hooks sorted by name, the order in which LocalStack runs them."""
    return tuple(str(path) for path in sorted((root / FOLDER).glob("*.py")))


def seed_variables(env: Environment) -> dict[str, str]:
    """Return the hooks' variables for an environment: the names of its services' secrets.

    Only secrets in Secrets Manager are created in the local AWS.
    """
    found: dict[str, dict[str, None]] = {"DATABASE": {}, "REDIS": {}, "STRIPE": {}}
    for each in env.services.values() or [env]:
        references = (each.database.secret, each.cache.secret, each.payments.secret_key)
        for names, reference in zip(found.values(), references, strict=True):
            if reference.scheme == "secretsmanager":
                names[reference.name] = None
    return {f"SAMJHADOO_SEED_{kind}_SECRETS": ",".join(names) for kind, names in found.items()}


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
