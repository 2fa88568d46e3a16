"""Keeps the key pairs that clients import into ACM, on their way to the upstream, which never shows them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator import wire
from samjhadoo_emulator.certificates.key_pairs import KeyPair
from samjhadoo_emulator.certificates.store import CertificateStore

if TYPE_CHECKING:
    from starlette.types import Message

    from samjhadoo_emulator.exchange import Exchange, Proceed
    from samjhadoo_emulator.service import Host

_TARGET = "CertificateManager.ImportCertificate"
_OK = 200


class ImportedKeys:
    """A handler of the edge."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def handle(self, exchange: Exchange, proceed: Proceed) -> None:
        """Keep what a request imports once it has succeeded, and before the client knows that."""
        if exchange.headers.get("x-amz-target") != _TARGET:
            await proceed(exchange)
            return
        status, answer, send = 0, bytearray(), exchange.send

        async def keeping(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))
            ends = message["type"] == "http.response.body" and not message.get("more_body")
            if ends and status == _OK:
                await self._keep(wire.plain(exchange.headers, exchange.body), bytes(answer))
            await send(message)

        exchange.send = keeping
        await proceed(exchange)

    async def _keep(self, request: bytes, answer: bytes) -> None:
        arn = json.loads(answer)["CertificateArn"]
        await CertificateStore.of(self._host).keep(arn, _pair(json.loads(request)))


def _pair(request: dict[str, Any]) -> KeyPair:
    certificate, issuers, key = (
        base64.b64decode(request.get(member) or "").strip()
        for member in ("Certificate", "CertificateChain", "PrivateKey")
    )
    return KeyPair(b"\n".join(filter(None, (certificate, issuers))) + b"\n", key + b"\n")
