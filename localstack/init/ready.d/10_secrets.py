"""Create the secrets of the local AWS: the databases' addresses and passwords, and random ones of Stripe.

At AWS, people and the stack `data` make these; everything else that a deployment needs comes from the
templates in `infrastructure/`, here as there.

This runs beside the embedded stack, or as an init hook inside a LocalStack container. It needs only boto3,
calls AWS_ENDPOINT_URL or the local edge (never the real AWS), and can run again at any time: the addresses
are updated, and Stripe's secrets are left unchanged. Names and addresses come from SAMJHADOO_SEED_ variables;
the defaults are those of the project's local environment.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from typing import Any

# A hook is a program of its own, not a module of the library.
import boto3  # noqa: TID253
from botocore.config import Config  # noqa: TID253

DEFAULTS = {
    # Names of secrets, separated by commas: several services may have several.
    "DATABASE_SECRETS": "samjhadoo/local/database",
    "REDIS_SECRETS": "samjhadoo/local/redis",
    "STRIPE_SECRETS": "samjhadoo/local/stripe",
    # The databases' addresses as JSON. The embedded stack sets its own; containers reach each other by name.
    "DATABASE": json.dumps(
        {
            "host": "postgres",
            "port": 5432,
            "dbname": "samjhadoo",
            "username": "samjhadoo",
            "password": "samjhadoo",
        }
    ),
    "REDIS": json.dumps({"host": "redis", "port": 6379}),
}
MANAGER = boto3.client(
    "secretsmanager",
    region_name=os.environ.get("AWS_DEFAULT_REGION", "ap-south-1"),
    endpoint_url=os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
    aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    config=Config(retries={"mode": "standard", "max_attempts": 4}, proxies={}),
)


def setting(name: str) -> str:
    """Return a setting: its variable's value, or the default."""
    return os.environ.get(f"SAMJHADOO_SEED_{name}", DEFAULTS[name])


def names(setting_name: str) -> list[str]:
    """Return the names of a setting."""
    return [name for name in setting(setting_name).split(",") if name]


def seed_addresses(kind: str) -> None:
    """Create or update the secrets with the address of a database."""
    for name in names(f"{kind}_SECRETS"):
        try:
            MANAGER.create_secret(Name=name, SecretString=setting(kind))
        except MANAGER.exceptions.ResourceExistsException:
            MANAGER.put_secret_value(SecretId=name, SecretString=setting(kind))


def seed_stripe() -> None:
    """Create Stripe's secrets once, at random."""
    for name in names("STRIPE_SECRETS"):
        value: dict[str, Any] = {
            "secret_key": f"sk_test_{secrets.token_hex(16)}",
            "webhook_secret": f"whsec_{secrets.token_hex(16)}",
        }
        with suppress(MANAGER.exceptions.ResourceExistsException):
            MANAGER.create_secret(Name=name, SecretString=json.dumps(value))


seed_addresses("DATABASE")
seed_addresses("REDIS")
seed_stripe()
