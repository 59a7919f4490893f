"""Chats and SMS gateways by Apprise, each service's shape against a server on loopback."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from pipelines import channels
from pipelines.channels import chat, sms
from pipelines.errors import DeliveryError, ServerDown
from pipelines.settings import Channel, Net
from tests.pipelines.channels.answering import answering, message
from tests.pipelines.watched import settings

TEXT = (
    "[Vigie] CRITIQUE · Eau · 120 mentions\nici @channel [clic](http://mal.example) <!here> "
    "https://m.example/@u/1"
)
TOKEN = "abcdef0123456789abcdef0123"


def hand_over(
    kind: str, url: str, home: Path, *, text: str = TEXT, private: tuple[str, ...] = ("127.0.0.1",)
) -> None:
    block = Channel(name="salon", kind=kind, address_env="VIGIE_SALON")
    channels.load(kind).hand_over(
        message(text),
        recipient="salon",
        settings=settings(home, channels=(block,), net=Net(allow_private=private)),
        secrets={"VIGIE_SALON": url},
        taken=lambda: None,
    )


@pytest.mark.parametrize(
    ("url", "path", "key"),
    [
        (f"mmost://127.0.0.1:{{port}}/{TOKEN}", f"/hooks/{TOKEN}", "text"),
        (
            "matrix://jeton@127.0.0.1:{port}/!room:h?discovery=no",
            "/_matrix/client/v3/rooms/%21room%3Ah/send/m.room.message/",
            "body",
        ),
        (
            "nctalk://u:p@127.0.0.1:{port}/salle",
            "/ocs/v2.php/apps/spreed/api/v1/chat/salle",
            "message",
        ),
    ],
)
def test_a_chat_gets_the_words_and_nobody_is_called_out(
    tmp_path: Path, url: str, path: str, key: str
) -> None:
    with answering(body=b'{"room_id":"!room:h","event_id":"$e","user_id":"@u:h"}') as (port, got):
        hand_over("chat", url.format(port=port), tmp_path)
    last = got[-1]
    assert last.path.startswith(path)
    said = json.loads(last.body)[key]
    assert "CRITIQUE · Eau · 120 mentions" in said
    assert "@channel" not in said
    assert "](" not in said
    assert "<!here" not in said
    assert "https://m.example/@u/1" in said


# Services at hosts of their own, or that speak only TLS: their module's own address is led to the
# loopback, so what is seen is what Apprise would send there.
@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", b"ok"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", b'{"ok": true, "result": {}}'),
        (f"workflows://prod.example.com:443/{'a' * 32}/{'b' * 43}", b"{}"),
    ],
)
def test_a_chat_at_a_host_of_its_own_gets_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, answer: bytes
) -> None:
    with answering(body=answer) as (port, got):
        _lead_home(monkeypatch, port)
        hand_over("chat", url, tmp_path)
    said = json.dumps(json.loads(got[-1].body), ensure_ascii=False)
    assert "CRITIQUE · Eau · 120 mentions" in said
    assert "@channel" not in said
    assert "<!here" not in said


def _lead_home(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    real = requests.Session.request

    def request(session: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        path = url.split("://", 1)[1].partition("/")[2]
        return real(session, method, f"http://127.0.0.1:{port}/{path}", *args, **options)

    monkeypatch.setattr(requests.Session, "request", request)
    monkeypatch.setattr("pipelines.http.Client.addresses", lambda *_: ["127.0.0.1"])


def test_an_sms_box_gets_plain_letters(tmp_path: Path) -> None:
    # The box's own answer is not ours to know; what was posted to it is.
    with answering() as (port, got), contextlib.suppress(DeliveryError):
        hand_over("sms", f"smseagle://jeton@127.0.0.1:{port}/0611111111", tmp_path)
    assert json.loads(got[0].body)["params"]["message"].startswith("(Vigie) CRITIQUE - Eau - 120")


def test_a_french_gateway_gets_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as (port, got):
        _lead_home(monkeypatch, port)
        hand_over("sms", "freemobile://12345678@ABCDEFGHIJKLMN", tmp_path)
    body = got[-1].body.decode()
    said = json.loads(body)["msg"] if body.startswith("{") else parse_qs(body)["msg"][0]
    assert "CRITIQUE - Eau" in said


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_is_told_without_the_address(tmp_path: Path, status: int) -> None:
    with answering(status) as (port, _), pytest.raises(DeliveryError, match=str(status)) as caught:
        hand_over("chat", f"mmost://127.0.0.1:{port}/{TOKEN}", tmp_path)
    assert TOKEN not in str(caught.value)


def test_nothing_of_an_address_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(told)])
    monkeypatch.setattr(root, "level", logging.DEBUG)
    with answering(404) as (port, _), pytest.raises(DeliveryError):
        hand_over("chat", f"mmost://127.0.0.1:{port}/{TOKEN}", tmp_path)
    assert TOKEN not in told.getvalue()
    assert "CRITIQUE" not in told.getvalue()


def test_a_server_that_is_not_there_is_down(tmp_path: Path) -> None:
    with pytest.raises(ServerDown):
        hand_over("chat", f"mmost://127.0.0.1:9/{TOKEN}", tmp_path)


def test_a_private_server_must_be_allowed(tmp_path: Path) -> None:
    with answering() as (port, got), pytest.raises(DeliveryError, match="allow_private"):
        hand_over("chat", f"mmost://127.0.0.1:{port}/{TOKEN}", tmp_path, private=())
    assert got == []


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with answering(302) as (port, got), pytest.raises(DeliveryError, match="302"):
        hand_over("chat", f"mmost://127.0.0.1:{port}/{TOKEN}", tmp_path)
    assert len(got) == 1


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("chat", "file:///etc/passwd"),
        ("chat", "mailto://u:p@v.example"),
        ("chat", "octopush://a/b/0611"),
        ("sms", f"mmost://127.0.0.1/{TOKEN}"),
        ("chat", "mmost://"),
        ("chat", ""),
    ],
)
def test_an_address_of_another_kind_is_refused(tmp_path: Path, kind: str, url: str) -> None:
    with pytest.raises(DeliveryError, match="VIGIE_SALON"):
        hand_over(kind, url, tmp_path)


def test_every_service_that_is_named_is_one_of_apprise() -> None:
    manager = importlib.import_module("apprise.manager_plugins").NotificationManager()
    assert set(manager.schemas()) >= chat.SCHEMES | sms.SCHEMES


def test_an_sms_stays_within_three_messages_and_keeps_its_link() -> None:
    link = "Je m'en occupe : https://vigie.ville.example/alerts/" + "a" * 52
    spelt = sms.spelt("é" * 600 + "\n" + link)
    assert len(spelt) == sms.MOST
    assert spelt.endswith(link)
    assert sms.spelt("Ça : « œuf » … 3\u202f000 €\n日本") == 'Ça : " oeuf " ... 3 000 EUR\n'
