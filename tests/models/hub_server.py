"""A hub on loopback: the part of huggingface.co's interface that `models.pull` calls.

Large files are answered as the hub does: a redirect that carries the digest (`X-Linked-Etag`), to
where the bytes are. Small ones have git's blob id as ETag. Endpoints as huggingface_hub 2.4 asks
for them: `/api/models/{id}[/revision/{commit}]?blobs=true`, `/api/models/{id}/tree/{commit}`,
`/{id}/resolve/{commit}/{file}`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_LARGE = (".safetensors", ".onnx", ".bin")


@dataclass(slots=True)
class Hub:
    """One repository: its files, its commit, its card; and every path that was asked for."""

    repo: str
    commit: str
    files: dict[str, bytes]
    card: dict[str, Any]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    altered: str = ""  # a file whose bytes are not those that its digest says

    def fetched(self) -> set[str]:
        """The names of the files whose bytes were asked for."""
        return {path.rsplit("/", 1)[-1] for path in self.asked if path.startswith("GET /bytes/")}


def of_folder(folder: Path, *, repo: str, licence: str = "mit", languages: Any = "fr") -> Hub:
    """A repository that holds the files of a folder, and a pickle that nobody should fetch."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    files["pytorch_model.bin"] = b"never"
    card = {"license": licence, "language": languages}
    head = "\n".join(["---", f"license: {licence}", "language: fr", "---", "# A model"])
    files["README.md"] = head.encode()
    commit = hashlib.sha1(repr(sorted(files)).encode(), usedforsecurity=False).hexdigest()
    return Hub(repo=repo, commit=commit, files=files, card=card)


def _blob_id(data: bytes) -> str:
    head = f"blob {len(data)}\0".encode()
    return hashlib.sha1(head + data, usedforsecurity=False).hexdigest()


def _entry(name: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"size": len(data), "blobId": _blob_id(data), "rfilename": name}
    if name.endswith(_LARGE):
        sha256 = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
    return entry


def _in_tree(name: str, data: bytes) -> dict[str, Any]:
    entry = _entry(name, data)
    found = {"type": "file", "path": name, "size": len(data), "oid": entry["blobId"]}
    if "lfs" in entry:
        lfs = entry["lfs"]
        found["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": 134}
    return found


class _Answering(BaseHTTPRequestHandler):
    """Answers for `hub`, which a subclass names."""

    hub: Hub

    def _answer(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        own, files = f"/api/models/{hub.repo}", f"/{hub.repo}/resolve/{hub.commit}/"
        if path in (own, f"{own}/revision/{hub.commit}"):
            self._send_json(_info(hub))
        elif path == f"{own}/tree/{hub.commit}":
            self._send_json([_in_tree(name, data) for name, data in hub.files.items()])
        elif path.startswith(files):
            self._resolve(path.removeprefix(files))
        elif path.startswith("/bytes/"):
            self._send_bytes(path.removeprefix("/bytes/"))
        else:
            code = "RevisionNotFound" if path.startswith(f"{own}/") else "RepoNotFound"
            self._send(404, {"X-Error-Code": code}, b"")

    def _send_json(self, answer: Any) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _resolve(self, name: str) -> None:
        """Where the bytes are, with their digest; small ones at once."""
        entry = _entry(name, self.hub.files[name])
        head = {"X-Repo-Commit": self.hub.commit, "ETag": f'"{entry["blobId"]}"'}
        if "lfs" not in entry:
            self.hub.asked.append(f"{self.command} /bytes/{name}")
            self._send(200, head, _sent(self.hub, name))
            return
        head["X-Linked-Etag"] = f'"{entry["lfs"]["sha256"]}"'
        head["X-Linked-Size"] = str(entry["size"])
        elsewhere = self.hub.url.replace("127.0.0.1", "localhost")  # as the hub, on another host
        self._send(302, head | {"Location": f"{elsewhere}/bytes/{name}"}, b"")

    def _send_bytes(self, name: str) -> None:
        etag = hashlib.sha256(self.hub.files[name]).hexdigest()
        self._send(200, {"ETag": f'"{etag}"'}, _sent(self.hub, name))

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = _answer  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub on a port of 127.0.0.1, closed when the block ends; `hub.url` is its address."""
    answering = type("Bound", (_Answering,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _info(hub: Hub) -> dict[str, Any]:
    return {
        "id": hub.repo,
        "modelId": hub.repo,
        "sha": hub.commit,
        "private": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "cardData": hub.card,
        "siblings": [_entry(name, data) for name, data in hub.files.items()],
    }


def _sent(hub: Hub, name: str) -> bytes:
    data = hub.files[name]
    return data[:-1] + bytes([data[-1] ^ 1]) if name == hub.altered else data
