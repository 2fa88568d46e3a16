"""A fake registry: holds images in memory and serves the pulling half of the distribution protocol."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from samjhadoo_emulator.ecs.runtime.distribution import INDEXES, MANIFESTS, host_architecture

Files = dict[str, "str | bytes | tarfile.TarInfo"]


def layer(files: Files) -> bytes:
    """Return an uncompressed layer; text and bytes are executable files, whatever else is a ready member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                data = content.encode() if isinstance(content, str) else content
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o755
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def link(target: str, *, hard: bool = False) -> tarfile.TarInfo:
    member = tarfile.TarInfo()
    member.type, member.linkname = (tarfile.LNKTYPE if hard else tarfile.SYMTYPE), target
    return member


def special(kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo()
    member.type = kind
    return member


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class FakeRegistry:
    """Serves what `push` has put into it."""

    def __init__(self) -> None:
        self.contents: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                kind, body = registry.contents.get(self.path, ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def push(
        self,
        name: str,
        layers: list[Files | bytes],
        *,
        tag: str = "1",
        index: bool = False,
        base: str = "",
        **config: Any,
    ) -> str:
        """Put an image in; returns the digest by which it is pulled."""
        blobs = [each if isinstance(each, bytes) else gzip.compress(layer(each), 1) for each in layers]
        settings = json.dumps({"architecture": host_architecture(), "os": "linux", "config": config}).encode()
        for blob in (*blobs, settings):
            self.contents[f"/v2/{name}/blobs/{digest_of(blob)}"] = ("application/octet-stream", blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFESTS[0],
            "config": {"digest": digest_of(settings), "size": len(settings)},
            "layers": [{"digest": digest_of(blob), "size": len(blob)} for blob in blobs],
            "annotations": {"org.opencontainers.image.base.name": base},
        }
        digest = self._manifest(name, MANIFESTS[0], manifest)
        if index:
            platforms = (("s390x", digest_of(b"other")), (host_architecture(), digest))
            entries = [
                {"digest": each, "platform": {"os": "linux", "architecture": machine}}
                for machine, each in platforms
            ]
            digest = self._manifest(name, INDEXES[0], {"mediaType": INDEXES[0], "manifests": entries})
        self.contents[f"/v2/{name}/manifests/{tag}"] = self.contents[f"/v2/{name}/manifests/{digest}"]
        return digest

    def reference(self, name: str, version: str = ":1") -> str:
        return f"localhost:{self.port}/{name}{version}"

    def _manifest(self, name: str, kind: str, document: dict[str, Any]) -> str:
        body = json.dumps(document).encode()
        self.contents[f"/v2/{name}/manifests/{digest_of(body)}"] = (kind, body)
        return digest_of(body)
