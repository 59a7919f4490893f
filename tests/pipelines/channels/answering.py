"""A server on loopback that takes whatever is posted to it, and tells what it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipelines.channels import email
from pipelines.letter import Letter


@dataclass(frozen=True)
class Posted:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def answering(status: int = 200, body: bytes = b"{}") -> Iterator[tuple[int, list[Posted]]]:
    """The port of a server that answers everything with `status` and `body`, and what it got."""
    posted: list[Posted] = []

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k.lower(): v for k, v in self.headers.items()}
            posted.append(Posted(self.command, self.path, headers, content))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _take  # noqa: N815 - the names that the library calls

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def message(text: str = "Bonjour", subject: str = "[Vigie] Avertissement · Eau") -> bytes:
    """A message of the outbox as a channel gets it."""
    return email.build(
        Letter(subject=subject, text=f"{text}\n", html=""),
        sender="vigie@valmorin.example",
        recipient="vigie@localhost",
        message_id="<m2@valmorin.example>",
        thread_id="<m1@valmorin.example>",
        date=datetime(2026, 11, 20, tzinfo=UTC),
    )
