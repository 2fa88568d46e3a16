"""Queries to ECR: a repository's URI, a tag's digest, and the login password."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from samjhadoo_ops.aws_errors import aws_errors
from samjhadoo_ops.environment import Secret
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from samjhadoo_ops.aws import Aws


def repository_uri(aws: Aws, name: str) -> str:
    """Return a repository's URI; raise `ConfigurationError` if the region has no such repository."""
    ecr = aws.client("ecr")
    with aws_errors():
        try:
            found = ecr.describe_repositories(repositoryNames=[name])["repositories"]
        except ecr.exceptions.RepositoryNotFoundException as error:
            raise ConfigurationError(
                f"ECR has no repository {name} in {aws.env.aws.region} (build.repository)",
                hint=f"aws ecr create-repository --repository-name {name}, or correct build.repository",
            ) from error
    return str(found[0]["repositoryUri"])


def find_digest(aws: Aws, repository: str, tag: str) -> str | None:
    """Return the digest of a tag; None if the repository has no such tag."""
    ecr = aws.client("ecr")
    with aws_errors():
        try:
            found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except ecr.exceptions.ImageNotFoundException:
            return None
    return str(found["imageDetails"][0]["imageDigest"])


def password(aws: Aws) -> Secret:
    """Return the password of the user `AWS`; it is valid for twelve hours."""
    with aws_errors():
        data = aws.client("ecr").get_authorization_token()["authorizationData"][0]
    return Secret(base64.b64decode(data["authorizationToken"]).decode().partition(":")[2])
