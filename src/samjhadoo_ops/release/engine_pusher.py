"""Pushing with a Docker engine, which leaves neither a login nor a heap of images behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.release import command, docker, ecr, engine_images
from samjhadoo_ops.release.credentials import logged_in
from samjhadoo_ops.release.image import PushedImage
from samjhadoo_ops.release.registry import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.release.image import BuiltImage

ATTEMPTS = 3
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
    with logged_in(host, lambda: ecr.password(aws), console, cwd=env.root) as variables:
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
        engine_images.keep_layers_only(built.tagged, env.build.repository)
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
