"""Pushing a release, and making sure that the registry holds what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.release import ecr
from samjhadoo_ops.release.engine_pusher import push_by_engine
from samjhadoo_ops.release.image import BuiltImage, PushedImage
from samjhadoo_ops.release.layout import Layout
from samjhadoo_ops.release.promotion import copy
from samjhadoo_ops.release.registry import RegistryRefused, RemoteRepository

if TYPE_CHECKING:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment


def push(env: Environment, aws: Aws, console: Console, built: BuiltImage) -> PushedImage:
    """Push an image; nothing that the registry has is sent again.

    Raises:
        OpsError: The registry refused it, or holds another digest under its tag afterwards.

    """
    if built.reused:
        console.event("push", "nothing to push: the registry has this release", digest=built.digest)
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
            hint=f"see who else pushes: aws ecr describe-images --repository-name {env.build.repository}",
        )
    sent = "" if pushed.sent is None else f" ({pushed.sent / 1e6:.1f} MB sent)"
    text = f"pushed {pushed.reference}{sent}"
    console.event("pushed", text, reference=pushed.reference, digest=pushed.digest, sent=pushed.sent)
    return pushed


def _push_layout(env: Environment, aws: Aws, layout: Layout, built: BuiltImage) -> PushedImage:
    host = _host(built.repository_uri, env.build.repository)
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
        message = f"{built.digest} was pushed as {built.tagged}, but the registry made {digest} of it"
        raise RegistryRefused(message, changed=f"an image was pushed to {built.repository_uri}")
    return PushedImage(built.repository_uri, built.tag, digest, sent)


def _host(repository_uri: str, repository: str) -> str:
    return repository_uri.removesuffix(f"/{repository}")
