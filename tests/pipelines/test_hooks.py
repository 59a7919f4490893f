"""The door for pushed messages, over real HTTP: what it takes, and how it refuses the rest."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from pipelines import hooks
from pipelines.errors import SourceError, VigieError
from pipelines.settings import Settings, SourceBlock
from pipelines.sources import _webhook_inbox as inbox, _webhook_signature as signature, webhook
from tests.pipelines.sources.test_webhook import SECRET, TOLD
from tests.pipelines.watched import settings as valmorin

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
BODY = json.dumps({"id": "m-1", "text": "La piscine de Valmorin est fermée"}).encode()
JSON = {"content-type": "application/json"}


def house(home: Path, **chosen: Any) -> Settings:
    options = webhook.Options(**{"secret_env": "VIGIE_CRM", **chosen})
    block = SourceBlock(name="crm", kind="webhook", options=options)
    return valmorin(home, sources=(block,))


@dataclass
class Door:
    """A door that is open, and the clock by which it believes."""

    url: str
    port: int
    place: Path
    now: list[datetime]

    def push(self, body: bytes = BODY, *, name: str = "m1", **headers: str) -> httpx.Response:
        """Push a message as an honest sender does, with what is changed of its headers."""
        told = signature.sign(SECRET, message_id=name, at=self.now[0], body=body)
        sent = {**JSON, **told, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return httpx.post(f"{self.url}/hooks/crm", content=body, headers=sent)

    @property
    def waiting(self) -> list[inbox.Message]:
        return list(inbox.waiting(self.place, until=datetime(2099, 1, 1, tzinfo=UTC)))


@contextmanager
def open_door(home: Path, **chosen: Any) -> Iterator[Door]:
    now = [NOW]
    taking = hooks.app(house(home, **chosen), {"VIGIE_CRM": TOLD}, now=lambda: now[0])
    config = uvicorn.Config(taking, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Door(f"http://127.0.0.1:{port}", port, inbox.folder(home, "crm"), now)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("home"), max_bytes=2_000) as found:
        yield found


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "door" in request.fixturenames:
        place = request.getfixturevalue("door").place
        for path in place.rglob("*") if place.is_dir() else ():
            path.unlink()


def test_a_signed_message_is_taken_and_on_the_disk_when_it_is_answered(door: Door) -> None:
    answer = door.push()
    assert (answer.status_code, answer.json()) == (202, {"status": "new"})
    (kept,) = door.waiting
    assert kept.body == BODY.decode()
    assert kept.received_at == NOW.isoformat()


def test_the_same_message_again_changes_nothing_and_another_is_told(door: Door) -> None:
    door.push()
    again = door.push()
    assert (again.status_code, again.json()) == (200, {"status": "known"})
    assert door.push(b'{"text": "autre"}').status_code == 409
    assert len(door.waiting) == 1


def test_what_is_played_again_later_is_refused(door: Door) -> None:
    headers = signature.sign(SECRET, message_id="m9", at=NOW, body=BODY)
    door.now[0] = NOW + timedelta(minutes=6)
    try:
        answer = httpx.post(f"{door.url}/hooks/crm", content=BODY, headers={**JSON, **headers})
    finally:
        door.now[0] = NOW
    assert answer.status_code == 401
    assert door.waiting == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"webhook_signature": "v1,AAAA"}, 401),
        ({"webhook_id": "autre"}, 401),
        ({"webhook_timestamp": "1"}, 401),
        ({"content_type": "text/html"}, 415),
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_type": "application/json; charset=utf-8"}, 202),
    ],
)
def test_what_is_not_as_agreed_is_refused(door: Door, headers: dict[str, str], status: int) -> None:
    assert door.push(**headers).status_code == status
    assert len(door.waiting) == (status == 202)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 2_001, 413),
        (b'{"a": "\xff"}', 422),
        (b"{", 422),
        (b"", 422),
        (b"[" * 1_999, 422),
        (b'{"a": 1}', 202),
    ],
)
def test_bodies_that_are_too_large_or_no_json_are_refused(
    door: Door, body: bytes, status: int
) -> None:
    assert door.push(body).status_code == status
    assert len(door.waiting) == (status == 202)


def test_a_body_of_unknown_length_is_counted_as_it_comes(door: Door) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    headers = {**JSON, **signature.sign(SECRET, message_id="m1", at=NOW, body=b"")}
    answer = httpx.post(f"{door.url}/hooks/crm", content=parts(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hooks/crm", 405),
        ("POST", "/hooks/autre", 404),
        ("POST", "/hooks/..%2f..%2fkeys", 404),
        ("GET", "/", 404),
        ("GET", "/vigie.toml", 404),
        ("GET", "/health", 200),
    ],
)
def test_there_is_nothing_else_behind_the_door(
    door: Door, method: str, path: str, status: int
) -> None:
    assert httpx.request(method, door.url + path, headers=JSON).status_code == status


def test_a_body_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "BODY_SECONDS", 0.2)
    with open_door(tmp_path) as slow, socket.create_connection(("127.0.0.1", slow.port)) as sock:
        head = "POST /hooks/crm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        sock.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_sender_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with open_door(tmp_path) as found:
        with socket.create_connection(("127.0.0.1", found.port)) as sock:
            head = "POST /hooks/crm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            sock.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
        assert found.push().status_code == 202
        assert len(found.waiting) == 1


def test_more_messages_than_agreed_wait(tmp_path: Path) -> None:
    with open_door(tmp_path, max_per_minute=2) as found:
        assert [found.push(name=f"m{n}").status_code for n in range(3)] == [202, 202, 429]
        assert found.push(name="m3").headers["retry-after"] == "61"
        found.now[0] += timedelta(seconds=61)
        assert found.push(name="m3").status_code == 202


def test_a_folder_that_is_full_says_so(tmp_path: Path) -> None:
    with open_door(tmp_path, max_waiting_bytes=1_000_000, max_bytes=1_000_000) as found:
        large = json.dumps({"text": "x" * 600_000}).encode()
        assert found.push(large).status_code == 202
        full = found.push(large, name="m2")
        assert (full.status_code, full.headers["retry-after"]) == (503, "300")
        assert len(found.waiting) == 1


def test_a_disk_that_fails_says_so(tmp_path: Path) -> None:
    with open_door(tmp_path) as found:
        found.place.parent.mkdir(parents=True)
        found.place.write_text("not a folder")
        assert found.push().status_code == 503


def test_without_a_source_or_a_secret_the_door_stays_shut(tmp_path: Path) -> None:
    with pytest.raises(VigieError, match='no source of kind "webhook"'):
        hooks.app(valmorin(tmp_path), {})
    with pytest.raises(SourceError, match="VIGIE_CRM, which is not set"):
        hooks.app(house(tmp_path), {})


def test_nothing_of_a_message_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with open_door(tmp_path) as found:
        found.push()
        found.push(b"{", name="secret-id")
    said = "\n".join(record.getMessage() for record in caplog.records if "hook" in record.name)
    assert "hook.taken source=crm" in said
    for word in ("piscine", "secret-id", TOLD, SECRET.decode()):
        assert word not in caplog.text.replace("webhook", "")
