"""The ECR service."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecr.images import ImageOperations
from samjhadoo_emulator.ecr.layers import LayerOperations
from samjhadoo_emulator.ecr.policies import PolicyOperations
from samjhadoo_emulator.ecr.repositories import RepositoryOperations
from samjhadoo_emulator.ecr.scanning import FindingSets
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

TOKEN_LIFE = timedelta(hours=12)


class Ecr(RepositoryOperations, PolicyOperations, ImageOperations, LayerOperations):
    """The ECR API. The registry that Docker clients talk to is at `/v2` and shares its state."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.findings = FindingSets()

    @operation("GetAuthorizationToken")
    async def get_authorization_token(self, params: Params) -> Result:
        """Return a login for Docker clients; the registry asks for one where the edge asks for its key."""
        password = secrets.token_urlsafe(48)
        self.host.keys.issue(password, TOKEN_LIFE.total_seconds())
        token = base64.b64encode(f"AWS:{password}".encode()).decode()
        data = {
            "authorizationToken": token,
            "expiresAt": self.clock.now() + TOKEN_LIFE,
            "proxyEndpoint": self.host.edge_url,
        }
        return {"authorizationData": [data for _ in params.get("registryIds") or [self.account]]}
