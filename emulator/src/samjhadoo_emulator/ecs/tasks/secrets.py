"""Resolves what a container definition refers to: secrets, parameters, environment files.

A task reads them when it starts and never again, as on AWS. A reference is the ARN of a secret, with up to
three further fields (`:json-key:version-stage:version-id`), the ARN of a parameter, or a parameter's name.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.internal import in_region

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.service import AwsApi

SECRET_FIELDS = 7
_FAILED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: "
    "execution resource retrieval failed: "
)
_FROM_ASM = f"{_FAILED}unable to retrieve secret from asm: service call has been retried 1 time(s): "
_FROM_SSM = f"{_FAILED}unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
_FROM_S3 = (
    "ResourceInitializationError: failed to download env files: "
    "file download command: non empty error stream: "
)


class CannotResolveError(Exception):
    """A reference leads nowhere; the text is the task's stopped reason, as on AWS."""


class References:
    """The references of one task; what is read once is not read again.

    Args:
        aws: Where they lead.
    """

    def __init__(self, aws: AwsApi) -> None:
        self._aws = aws
        self._read: dict[str, asyncio.Task[str]] = {}

    async def environment(self, definition: dict[str, Any], override: dict[str, Any]) -> dict[str, str]:
        """Return a container's variables: files, then environment, then secrets, then overrides.

        Raises:
            CannotResolveError: A file, a secret or a key in it does not exist.
        """
        environment: dict[str, str] = {}
        files = [*definition.get("environmentFiles", []), *override.get("environmentFiles", [])]
        for file in files:
            environment |= await self._file(file["value"])
        environment |= _pairs(definition.get("environment", []))
        secrets = definition.get("secrets", [])
        values = await asyncio.gather(*(self.value(secret["valueFrom"]) for secret in secrets))
        environment |= {secret["name"]: value for secret, value in zip(secrets, values, strict=True)}
        return environment | _pairs(override.get("environment", []))

    async def value(self, reference: str) -> str:
        """Return what a reference leads to."""
        fields = reference.split(":")
        if reference.startswith("arn:") and fields[2] == "secretsmanager":
            return await self._secret(fields)
        is_arn = reference.startswith("arn:")
        name, region = (fields[5].removeprefix("parameter"), fields[3]) if is_arn else (reference, "")
        # arn:…:parameter/a/b names /a/b, but arn:…:parameter/a may name a or /a.
        if is_arn and name.count("/") == 1:
            try:
                return await self._once(f"ssm {region} {name[1:]}", self._parameter(name[1:], region))
            except CannotResolveError:
                pass
        return await self._once(f"ssm {region} {name}", self._parameter(name, region))

    async def _secret(self, fields: list[str]) -> str:
        arn = ":".join(fields[:SECRET_FIELDS])
        key, stage, version = (*fields[SECRET_FIELDS:], "", "", "")[:3]
        text = await self._once(f"asm {arn} {stage} {version}", self._secret_text(arn, stage, version))
        if not key:
            return text
        try:
            document = json.loads(text)
            value = document[key]
        except (KeyError, TypeError) as error:
            raise CannotResolveError(
                f"{_FROM_ASM}retrieved secret from Secrets Manager did not contain json key {key}"
            ) from error
        except ValueError as error:
            raise CannotResolveError(
                f"{_FROM_ASM}invalid character in secret {arn}: the secret value is not valid JSON"
            ) from error
        return value if isinstance(value, str) else json.dumps(value)

    async def _secret_text(self, arn: str, stage: str, version: str) -> str:
        params = {"SecretId": arn}
        if stage:
            params["VersionStage"] = stage
        if version:
            params["VersionId"] = version
        try:
            aws = in_region(self._aws, arn.split(":")[3])
            answer = await aws.call("secretsmanager", "GetSecretValue", **params)
        except AwsError as error:
            raise CannotResolveError(
                f"{_FROM_ASM}failed to fetch secret {arn} from secrets manager: {error.code}: {error.message}"
            ) from error
        if "SecretString" in answer:
            return str(answer["SecretString"])
        return bytes(answer["SecretBinary"]).decode(errors="replace")

    async def _parameter(self, name: str, region: str) -> str:
        try:
            aws = in_region(self._aws, region)
            answer = await aws.call("ssm", "GetParameters", Names=[name], WithDecryption=True)
        except AwsError as error:
            raise CannotResolveError(f"{_FROM_SSM}{error.code}: {error.message}") from error
        if not answer.get("Parameters"):
            raise CannotResolveError(f"{_FROM_SSM}invalid ssm parameters: {name}")
        return str(answer["Parameters"][0]["Value"])

    async def _file(self, arn: str) -> dict[str, str]:
        bucket, _, key = arn.split(":", 5)[-1].partition("/")
        try:
            answer = await self._aws.call("s3", "GetObject", Bucket=bucket, Key=key)
            body = await asyncio.to_thread(answer["Body"].read)
        except AwsError as error:
            raise CannotResolveError(f"{_FROM_S3}{error.code}: {error.message}") from error
        lines = (line.strip() for line in body.decode().splitlines())
        entries = (line.partition("=") for line in lines if line and not line.startswith("#"))
        return {name: value for name, equals, value in entries if equals}

    async def _once(self, key: str, read: Any) -> str:
        if key in self._read:
            read.close()
        else:
            self._read[key] = asyncio.get_running_loop().create_task(read)
        return await asyncio.shield(self._read[key])


def _pairs(entries: Iterable[dict[str, str]]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in entries}
