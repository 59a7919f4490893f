"""Messages pushed in: believed by their signature, kept once, read as posts."""

from __future__ import annotations

import base64
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pipelines import http
from pipelines.errors import SourceError
from pipelines.mention import Post, Rejection
from pipelines.sources import (
    Checkpoint,
    Payload,
    Request,
    Terms,
    _webhook_inbox as inbox,
    _webhook_signature as signature,
    webhook,
)
from tests.pipelines.sources.generated import answers
from tests.pipelines.sources.hearing import SINCE, UNTIL, Heard, landed, minutes, read_generated

SECRET = b"une-cle-inventee-de-trente-deux-octets"
TOLD = "whsec_" + base64.b64encode(SECRET).decode()
NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
POST = {
    "id": "msg-1",
    "created_at": "2026-11-20T08:12:04Z",
    "text": "La piscine de Valmont est fermée",
    "url": "https://reseau.example/p/1",
    "user": {"username": "odile", "display_name": "Odile Ferrand", "bio": "née en 1971"},
    "like_count": 4,
    "platform": "facebook",
}


# Signatures


def signed(body: bytes, *, message_id: str = "m1", at: datetime = NOW) -> dict[str, str]:
    return signature.sign(SECRET, message_id=message_id, at=at, body=body)


def checked(headers: dict[str, str], body: bytes, *secrets: bytes, now: datetime = NOW) -> str:
    return signature.checked(
        headers, body, secrets=secrets or (SECRET,), now=now, window=timedelta(minutes=5)
    )


def test_a_signature_is_that_of_the_standard() -> None:
    """The example of the Standard Webhooks specification and of its libraries' tests."""
    (secret,) = signature.secrets_in("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature.sign(
        secret,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_signed_is_believed_and_its_id_told() -> None:
    assert checked(signed(b"{}"), b"{}") == "m1"


def test_while_a_secret_is_replaced_both_are_believed() -> None:
    new = b"une-autre-cle-inventee-plus-neuve"
    headers = signed(b"{}")
    both = signature.sign(new, message_id="m1", at=NOW, body=b"{}")["webhook-signature"]
    assert checked(headers, b"{}", new, SECRET) == "m1"
    several = {**headers, "webhook-signature": f"v2,xx v1,AAAA {both}"}
    assert checked(several, b"{}", new) == "m1"


@pytest.mark.parametrize(
    ("changed", "body", "why"),
    [
        ({}, b"{ }", "does not fit"),
        ({"webhook-id": "m2"}, b"{}", "does not fit"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, b"{}", "does not fit"),
        ({"webhook-signature": ""}, b"{}", "does not fit"),
        ({"webhook-signature": "v1,é"}, b"{}", "does not fit"),
        ({"webhook-signature": "v1," + "A" * 44}, b"{}", "does not fit"),
        ({"webhook-id": ""}, b"{}", "webhook-id"),
        ({"webhook-id": "a b"}, b"{}", "webhook-id"),
        ({"webhook-id": "x" * 201}, b"{}", "webhook-id"),
        ({"webhook-timestamp": ""}, b"{}", "no number"),
        ({"webhook-timestamp": "-5"}, b"{}", "no number"),
        ({"webhook-timestamp": "9" * 30}, b"{}", "no number"),
    ],
)
def test_what_was_changed_is_not_believed(changed: dict[str, str], body: bytes, why: str) -> None:
    with pytest.raises(signature.Unsigned, match=why):
        checked({**signed(b"{}"), **changed}, body)


@pytest.mark.parametrize("minutes_off", [-6, 6, -60 * 24])
def test_what_comes_too_late_or_too_early_is_not_believed(minutes_off: int) -> None:
    headers = signed(b"{}", at=NOW + timedelta(minutes=minutes_off))
    with pytest.raises(signature.Unsigned, match="from our clock"):
        checked(headers, b"{}")
    assert checked(headers, b"{}", now=NOW + timedelta(minutes=minutes_off + 4)) == "m1"


@pytest.mark.parametrize("value", ["court", "whsec_Y291cnQ=", "whsec_*é*"])
def test_a_weak_secret_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|base64") as raised:
        signature.secrets_in(value)
    assert value not in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
                       st.text(max_size=40)), st.binary(max_size=40))  # fmt: skip
def test_no_headers_are_believed_by_chance(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(signature.Unsigned):
        checked(headers, body)


# Kept once


def put(place: Path, body: Any, *, message_id: str = "m1", at: datetime = NOW, **kw: str) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = kw.get("content_type", "application/json")
    return inbox.put(place, message_id=message_id, body=raw, content_type=kind, received_at=at)


def test_a_message_is_kept_once_and_another_under_its_id_is_told(tmp_path: Path) -> None:
    assert put(tmp_path, POST) == "new"
    assert put(tmp_path, POST, at=NOW + timedelta(minutes=1)) == "known"
    assert put(tmp_path, {"text": "x"}) == "other"
    (kept,) = inbox.waiting(tmp_path, until=UNTIL)
    assert kept.received_at == NOW.isoformat()
    inbox.forget(tmp_path, [kept.name])
    assert list(inbox.waiting(tmp_path, until=UNTIL)) == []
    assert put(tmp_path, POST) == "known"
    assert put(tmp_path, {"text": "x"}) == "other"
    assert list(inbox.waiting(tmp_path, until=UNTIL)) == []
    assert not list(tmp_path.glob(".*"))
    assert "piscine" not in "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file())


def test_of_many_pushed_at_once_under_one_id_one_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(put(tmp_path, POST))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["known"] * 15 + ["new"]


def test_files_of_anybody_else_are_left_alone(tmp_path: Path) -> None:
    for name, text in (("0a.json", "{"), ("0b.json", "[]"), ("notes.txt", "x"), ("0c.json", "{}")):
        (tmp_path / name).write_text(text)
    assert list(inbox.waiting(tmp_path, until=UNTIL)) == []
    inbox.forget(tmp_path, ["0a", "../../etc/passwd", "0c", ""])
    assert len(list(tmp_path.iterdir())) == 4


# Read as posts


def options(**chosen: Any) -> webhook.Options:
    return webhook.Options(**{"secret_env": "VIGIE_TEST_KEY", **chosen})


def hear(
    home: Path, cursor: dict[str, Any] | None = None, *, until: datetime = UNTIL, **chosen: Any
) -> Heard:
    of = options(**chosen)
    with http.Client() as asking:
        request = Request(
            name="crm", options=of, terms=Terms(), cursor=cursor, since=SINCE, until=until,
            client=asking, home=home,
        )  # fmt: skip
        items = list(webhook.collect(request))
    assert isinstance(items[-1], Checkpoint)
    payloads = landed(items, home)
    parsed = [p for payload in payloads for p in webhook.parse(payload, of)]
    return Heard(payloads=payloads, checkpoint=items[-1], parsed=parsed, slept=0)


def test_a_message_becomes_a_post_and_what_is_not_read_never_lands(tmp_path: Path) -> None:
    put(inbox.folder(tmp_path, "crm"), POST)
    heard = hear(tmp_path, columns={"author_handle": "user.username"})
    (found,) = heard.posts
    assert found.native_id == "msg-1"
    assert found.text == "La piscine de Valmont est fermée"
    assert found.published_at == datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
    assert (found.network, found.author_handle, found.like_count) == ("facebook", "odile", 4)
    assert found.collected_via == "mention_api"
    landed_text = json.dumps(heard.payloads[0].data)
    assert "Ferrand" not in landed_text
    assert "1971" not in landed_text


@pytest.mark.parametrize(
    "body",
    [
        [POST, {**POST, "id": "msg-2"}],
        {"data": [POST, {**POST, "id": "msg-2"}], "count": 2},
        (json.dumps(POST) + "\n\r\n" + json.dumps({**POST, "id": "msg-2"})).encode(),
        '{"id":"msg-1","text":"a\u2028b","date":"2026-11-20"}\n{"id":"msg-2","text":"c"}'.encode(),
    ],
)
def test_a_message_may_hold_several_posts(body: Any, tmp_path: Path) -> None:
    kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
    put(inbox.folder(tmp_path, "crm"), body, content_type=kind)
    assert hear(tmp_path).ids == ["msg-1", "msg-2"]


def test_a_post_without_a_time_has_that_of_its_message(tmp_path: Path) -> None:
    put(inbox.folder(tmp_path, "crm"), {"text": "Valmont", "id": "x1"})
    (found,) = hear(tmp_path).posts
    assert found.published_at == NOW


def test_a_private_message_never_lands(tmp_path: Path) -> None:
    body = [{**POST, "type": "private_message"}, {**POST, "id": "msg-2", "type": "post"}]
    put(inbox.folder(tmp_path, "crm"), body)
    heard = hear(tmp_path)
    assert (heard.ids, heard.reasons) == (["msg-2"], ["private_message"])
    assert "piscine" not in json.dumps(heard.payloads[0].data)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"[]", "no JSON object"),
        (b"3", "no JSON object"),
        (b'{"a": 1}', "the text of a post"),
        (b"[" * 50_000, "not JSON"),
        (json.dumps([{"text": "x"}] * 5_001).encode(), "5001 posts"),
    ],
)
def test_a_message_that_holds_no_post_is_rejected_with_a_reason(
    body: bytes, told: str, tmp_path: Path
) -> None:
    put(inbox.folder(tmp_path, "crm"), body)
    (found,) = hear(tmp_path).parsed
    assert isinstance(found, Rejection)
    assert (found.source, found.reason) == ("webhook", "broken_row")
    assert told in found.detail


def test_every_message_is_taken_once_and_emptied_when_it_is_loaded(tmp_path: Path) -> None:
    place = inbox.folder(tmp_path, "crm")
    for n in range(5):
        put(place, {**POST, "id": f"msg-{n}"}, message_id=f"m{n}", at=minutes(n))
    first = hear(tmp_path, until=minutes(3))
    again = hear(tmp_path, until=minutes(3))  # a run done again finds what it found
    assert sorted(first.ids) == sorted(again.ids) == ["msg-0", "msg-1", "msg-2"]
    second = hear(tmp_path, first.cursor)
    assert sorted(second.ids) == ["msg-3", "msg-4"]
    assert len(list(place.glob("*.json"))) == 2
    assert hear(tmp_path, second.cursor).ids == []
    (place / "gone.json").symlink_to(place / "taken meanwhile")
    assert inbox.size(place) == 0


def test_more_messages_than_a_run_takes_are_taken_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_MESSAGES", 3)
    for n in range(5):
        put(inbox.folder(tmp_path, "crm"), {**POST, "id": f"msg-{n}"}, message_id=f"m{n}")
    first = hear(tmp_path)
    second = hear(tmp_path, first.cursor)
    assert first.checkpoint.capped
    assert len(first.ids) == 3
    assert sorted(first.ids + second.ids) == [f"msg-{n}" for n in range(5)]


def test_cursors_of_other_shapes_do_no_harm(tmp_path: Path) -> None:
    put(inbox.folder(tmp_path, "crm"), POST)
    for cursor in ({"taken": 3}, {"taken": [None, {}, "../x"]}, {"x": 1}):
        assert hear(tmp_path, cursor).ids == ["msg-1"]


def test_three_hundred_generated_messages_give_posts_and_reasons_and_no_crash(
    tmp_path: Path,
) -> None:
    of = options(columns={"text": "text", "author_handle": "user.username"})
    place = inbox.folder(tmp_path, "crm")
    made = list(answers(POST))
    for n in range(0, 300, 3):  # each is written to the disk for good, which takes its time
        put(place, made[n : n + 3], message_id=f"m{n}")
    with http.Client() as asking:
        request = Request(
            name="crm", options=of, terms=Terms(), cursor=None, since=SINCE, until=UNTIL,
            client=asking, home=tmp_path,
        )  # fmt: skip
        payloads = [item for item in webhook.collect(request) if isinstance(item, Payload)]
    parsed = read_generated(webhook, of, payloads, tmp_path)
    assert len(parsed) > 250  # three that hold no object at all are one refusal
    assert sum(isinstance(item, Post) for item in parsed) > 100


def test_what_the_doctor_says(tmp_path: Path) -> None:
    put(inbox.folder(tmp_path, "crm"), POST)
    with http.Client() as asking:
        request = Request(
            name="crm", options=options(), terms=Terms(), cursor=None, since=SINCE, until=UNTIL,
            client=asking, home=tmp_path, secrets={"VIGIE_TEST_KEY": TOLD},
        )  # fmt: skip
        assert webhook.check(request) == "is ready for `vigie serve`; 1 message waits"
    for secrets in ({}, {"VIGIE_TEST_KEY": "court"}):
        with pytest.raises(SourceError, match=re.escape("openssl rand -base64 32")):
            webhook.secrets_of("crm", options(), secrets)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret_env": "la clé"},
        {"preset": "zapier"},
        {"columns": {"colour": "x"}},
        {"network": "carrier pigeon"},
        {"max_bytes": 1},
        {"window_seconds": 1},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        options(**wrong)
