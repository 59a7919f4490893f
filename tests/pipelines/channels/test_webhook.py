"""A webhook gets the message as JSON, with the id by which it knows a repeat."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.channels import email, webhook
from pipelines.errors import DeliveryError
from pipelines.letter import Letter
from pipelines.settings import Net
from tests.pipelines.watched import settings


@contextmanager
def answering(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on loopback that answers every POST with `status`, and what it was posted."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append({**json.loads(body), "token": self.headers["Authorization"]})
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerte", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hand_over(url: str, home: Path, calls: list[str]) -> None:
    message = email.build(
        Letter(subject="[Vigie] Attention · Eau", text="Bonjour\n", html="<p>Bonjour</p>"),
        sender="vigie@valmorin.example",
        recipient="a@valmorin.example",
        message_id="<m2@valmorin.example>",
        thread_id="<m1@valmorin.example>",
        date=datetime(2026, 11, 20, tzinfo=UTC),
    )
    webhook.hand_over(
        message,
        recipient=url,
        settings=settings(home, net=Net(allow_private=("127.0.0.1",))),
        secrets={webhook.TOKEN_ENV: "jeton"},
        taken=lambda: calls.append("taken"),
    )


def test_the_message_arrives_as_json_with_its_ids_and_the_token(tmp_path: Path) -> None:
    calls: list[str] = []
    with answering(204) as (url, posted):
        hand_over(url, tmp_path, calls)
    assert posted == [
        {
            "subject": "[Vigie] Attention · Eau",
            "text": "Bonjour\n",
            "message_id": "<m2@valmorin.example>",
            "thread_id": "<m1@valmorin.example>",
            "token": "Bearer jeton",
        }
    ]
    assert calls == ["taken"]


def test_a_refusal_is_told_and_the_message_is_not_taken(tmp_path: Path) -> None:
    calls: list[str] = []
    with answering(403) as (url, _), pytest.raises(DeliveryError, match="403") as caught:
        hand_over(url, tmp_path, calls)
    assert calls == []
    assert "jeton" not in str(caught.value)
