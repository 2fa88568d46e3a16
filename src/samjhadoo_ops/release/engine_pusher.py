"""Pushing with a Docker engine, which leaves neither a login nor a heap of images behind."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.release import command, docker, ecr
from samjhadoo_ops.release.credentials import borrowed_configuration
from samjhadoo_ops.release.image import PushedImage
from samjhadoo_ops.release.registry import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.release.image import BuiltImage

ATTEMPTS = 3
KEPT = "samjhadoo-ops.local"
"""Before the repository's name: the last image that was built for a local stack, kept for its layers."""
# Docker tells a failed push in words only; these are the ones that another try may change.
_MAY_PASS = (
    *("timeout", "timed out", "connection reset", "connection refused", "broken pipe", "eof"),
    *("toomanyrequests", "too many requests", "temporary failure", "server misbehaving"),
    *("500 internal server error", "502 bad gateway", "503 service unavailable", "504 gateway"),
)
_DENIED = ("no basic auth credentials", "denied", "unauthorized", "not authorized", "authorization token")


def push_by_engine(env: Environment, aws: Aws, console: Console, built: BuiltImage) -> PushedImage:
    """Push an image of the engine.

    To a registry on this machine nobody logs in, and the release's tag is taken from the engine afterwards.

    Raises:
        OpsError: The registry refused it, or told no digest.

    """
    host = built.repository_uri.removesuffix(f"/{env.build.repository}")
    if is_loopback(host):
        output = _push(env, console, built, {})
    else:
        with borrowed_configuration(host) as variables:
            password = ecr.password(aws).reveal()
            command.run(docker.login(host), console, cwd=env.root, given=password, variables=variables)
            output = _push(env, console, built, variables)
    digest = docker.pushed_digest(output) or docker.digest_in(
        command.run(docker.inspect(built.tagged), console, cwd=env.root, told=False), built.repository_uri
    )
    if not digest:
        raise OpsError(
            f"docker push told no digest of {built.tagged}",
            changed=f"an image was pushed to {built.repository_uri}",
        )
    if is_loopback(host):
        _keep_layers_only(built.tagged, f"{KEPT}/{env.build.repository}")
    return PushedImage(built.repository_uri, built.tag, digest, sent=None)


def _push(env: Environment, console: Console, built: BuiltImage, variables: Mapping[str, str]) -> str:
    """Push, again when it failed for a reason that may pass."""
    import stamina

    try:
        for again in stamina.retry_context(on=_may_pass, attempts=ATTEMPTS, timeout=None):
            with again:
                return command.run(docker.push(built.tagged), console, cwd=env.root, variables=variables)
    except command.CommandFailed as error:
        if any(word in error.output.lower() for word in _DENIED):
            error.hint = (
                "may the role push? ecr:InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, PutImage"
            )
        raise
    raise AssertionError("unreachable")  # pragma: no cover


def _may_pass(error: Exception) -> bool:
    return isinstance(error, command.CommandFailed) and any(
        sign in error.output.lower() for sign in _MAY_PASS
    )


def _keep_layers_only(tagged: str, kept: str) -> None:
    """Leave one image of a repository in the engine, whatever the number of releases.

    A stack's registry has a port, and a release a commit: each rehearsal would leave a tag. Without any, the
    classic builder would lose its cache, which is the images it made. So the newest keeps one name, and the
    one before it goes, together with those of its layers that the newest does not share. An image that a
    container or another name still uses stays. Failures are of no consequence: the image is in the registry.
    """
    before = _inspected(kept)
    _try(docker.tag(tagged, kept))
    _try(docker.remove(tagged))
    if before is None or before["Id"] == (_inspected(kept) or before)["Id"]:
        return
    now = _inspected(before["Id"])
    if now is not None and not now.get("RepoTags"):
        _try(docker.remove(before["Id"]))


def _inspected(name: str) -> dict[str, Any] | None:
    done = subprocess.run(docker.inspect(name), capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _try(arguments: list[str]) -> None:
    with suppress(OSError):
        subprocess.run(arguments, capture_output=True, check=False)
