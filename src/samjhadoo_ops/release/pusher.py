"""Push a release, and verify that the registry has what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.processes import is_loopback
from samjhadoo_ops.release import command, docker, ecr
from samjhadoo_ops.release.credentials import logged_in
from samjhadoo_ops.release.image import BuiltImage, PushedImage
from samjhadoo_ops.release.oci import Layout
from samjhadoo_ops.release.promotion import copy
from samjhadoo_ops.release.registry import RegistryRefused, RemoteRepository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment

ATTEMPTS = 3
# Docker reports a failed push only in words; these name failures that another attempt may solve.
_TRANSIENT = (
    *("timeout", "timed out", "connection reset", "connection refused", "broken pipe", "eof"),
    *("toomanyrequests", "too many requests", "temporary failure", "server misbehaving"),
    *("500 internal server error", "502 bad gateway", "503 service unavailable", "504 gateway"),
)
_DENIED = ("no basic auth credentials", "denied", "unauthorized", "not authorized", "authorization token")


def push(env: Environment, aws: Aws, console: Console, built: BuiltImage) -> PushedImage:
    """Push what the registry lacks of an image; raise `OpsError` if it refuses, or has another digest."""
    if built.reused:
        console.event("push", "nothing to push: the registry already has this release", digest=built.digest)
        return PushedImage(built.repository_uri, built.tag, built.digest)
    if built.source is not None:
        pushed = copy(env, aws, built)
    elif built.layout is not None:
        pushed = _push_layout(env, aws, Layout(built.layout), built)
    else:
        pushed = push_by_engine(env, aws, console, built)
    found = ecr.find_digest(aws, env.build.repository, pushed.tag)
    if found != pushed.digest:
        raise OpsError(
            f"ECR has {found} under {built.tagged}, but {pushed.digest} was pushed",
            changed=f"an image was pushed to {built.repository_uri}",
            hint=f"check who else pushes: aws ecr describe-images --repository-name {env.build.repository}",
        )
    sent = "" if pushed.sent is None else f" ({pushed.sent / 1e6:.1f} MB sent)"
    text = f"pushed {pushed.reference}{sent}"
    console.event("pushed", text, reference=pushed.reference, digest=pushed.digest, sent=pushed.sent)
    return pushed


def _push_layout(env: Environment, aws: Aws, layout: Layout, built: BuiltImage) -> PushedImage:
    host = built.registry_host
    repository = RemoteRepository(host, env.build.repository, lambda: ecr.password(aws))
    content, manifest = layout.manifest()
    sent = 0
    with repository.session() as session:
        for part in (*manifest["layers"], manifest["config"]):
            if not repository.has(session, part["digest"]):
                repository.push_blob(session, layout.blob(part["digest"]), part["digest"])
                sent += int(part["size"])
        digest = repository.push_manifest(session, content, built.tag)
    if digest != built.digest:
        message = f"{built.digest} was pushed as {built.tagged}, but the registry reports {digest}"
        raise RegistryRefused(message, changed=f"an image was pushed to {built.repository_uri}")
    return PushedImage(built.repository_uri, built.tag, digest, sent)


def push_by_engine(env: Environment, aws: Aws, console: Console, built: BuiltImage) -> PushedImage:
    """Push an image from the Docker engine.

    A registry on this machine needs no login; the release's tag is removed from the engine afterwards.

    Raises:
        OpsError: The registry refused it, or Docker printed no digest.
    """
    host = built.registry_host
    with logged_in(host, lambda: ecr.password(aws), console, cwd=env.root) as variables:
        output = _push(env, console, built, variables)
    digest = docker.pushed_digest(output) or docker.digest_in(
        command.run(docker.inspect(built.tagged), console, cwd=env.root, show=False), built.repository_uri
    )
    if not digest:
        raise OpsError(
            f"docker push printed no digest for {built.tagged}",
            changed=f"an image was pushed to {built.repository_uri}",
        )
    if is_loopback(host):
        docker.keep_layers_only(built.tagged, env.build.repository)
    return PushedImage(built.repository_uri, built.tag, digest, sent=None)


def _push(env: Environment, console: Console, built: BuiltImage, variables: Mapping[str, str]) -> str:
    """Push, with further attempts after transient failures."""
    import stamina

    try:
        for again in stamina.retry_context(on=_is_transient, attempts=ATTEMPTS, timeout=None):
            with again:
                return command.run(docker.push(built.tagged), console, cwd=env.root, variables=variables)
    except command.CommandFailed as error:
        if any(word in error.output.lower() for word in _DENIED):
            error.hint = (
                "the role needs ecr:InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and PutImage"
            )
        raise
    raise AssertionError("unreachable")  # pragma: no cover


def _is_transient(error: Exception) -> bool:
    return isinstance(error, command.CommandFailed) and any(
        sign in error.output.lower() for sign in _TRANSIENT
    )
