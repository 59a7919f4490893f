"""Mastodon listened to: a server on loopback that streams as streaming/index.js does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake, Response
from websockets.sync.server import ServerConnection, serve

from pipelines import http
from pipelines.errors import SourceError
from pipelines.mention import Deletion, Post
from pipelines.sources import (
    Checkpoint,
    Payload,
    Request,
    Terms,
    _mastodon_server as servers,
    _mastodon_stream as ears,
    mastodon,
)
from tests.pipelines.loopback import Answer, serving
from tests.pipelines.sources.test_mastodon import Instance, sample, status

TOKEN = "jeton"
NAMES = Terms(names=("Valmont",), hashtags=("valmont",), handles=("@mairie@valmont.example",))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ears, "_QUIET_SECONDS", 0.05)
    monkeypatch.setattr(ears, "_BEAT_SECONDS", 0.05)


@dataclass
class Server:
    """An instance with its timelines, and those who listen to it, by what they asked for."""

    instance: Instance
    url: str = ""
    ws_url: str = ""
    listeners: list[tuple[ServerConnection, list[list[str]]]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    refusal: str | None = None

    def judge(self, _: ServerConnection, handshake: Handshake) -> Response | None:
        self.tokens.append(handshake.headers.get("Authorization", ""))
        if handshake.headers.get("Authorization") == f"Bearer {TOKEN}":
            return None
        return Response(401, "Unauthorized", handshake.headers.__class__())

    def answer(self, stream: ServerConnection) -> None:
        assert stream.request is not None
        query = parse_qs(urlsplit(stream.request.path).query)
        asked = [[query["stream"][0], *query.get("tag", [])]]
        self.listeners.append((stream, asked))
        self.channels.append(asked[0])
        if self.refusal:
            stream.send(json.dumps({"error": self.refusal, "status": 401}))
        try:
            while True:
                message = json.loads(stream.recv())
                assert message["type"] == "subscribe"
                asked.append([message["stream"], *([message["tag"]] if "tag" in message else [])])
                self.channels.append(asked[-1])
        except ConnectionClosed:
            self.listeners = [pair for pair in self.listeners if pair[0] is not stream]

    def say(self, event: str, payload: Any, *channel: str) -> None:
        """An event on a channel, to each who has asked for it."""
        body = payload if isinstance(payload, str) else json.dumps(payload)
        for stream, asked in list(self.listeners):
            for found in asked:
                if [part.casefold() for part in found] == [part.casefold() for part in channel]:
                    told = {"stream": found, "event": event, "payload": body}
                    stream.send(json.dumps(told))

    def post(self, told: dict[str, Any], tag: str = "valmont") -> None:
        """A status on a hashtag: in its timeline, and to those who listen to it."""
        self.instance.tags.setdefault(tag, []).append(told)
        self.say("update", told, "hashtag", tag)

    def cut(self) -> None:
        for stream, _ in list(self.listeners):
            stream.close(1001)

    def wait_for_listeners(self, channels: int) -> None:
        """Until a reader has asked for so many channels."""
        deadline = time.monotonic() + 5
        while sum(len(asked) for _, asked in self.listeners) < channels:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def streaming(instance: Instance | None = None) -> Iterator[Server]:
    found = Server(instance or Instance())
    with (
        serving(found.instance) as peer,
        serve(found.answer, "127.0.0.1", 0, process_request=found.judge) as server,
    ):
        found.url = peer.url
        found.ws_url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        if found.instance.about is not None:
            found.instance.about["configuration"]["urls"] = {"streaming": found.ws_url}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            found.cut()
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with streaming() as found:
        yield found


def _request(server: Server, **changes: Any) -> Request:
    now = datetime.now(UTC)
    options = mastodon.Options(
        **{"instance": server.url, "token_env": "JETON", **changes.pop("options", {})}
    )
    values: dict[str, Any] = {"name": "mastodon", "options": options, "terms": NAMES}
    values |= {"cursor": None, "since": now - timedelta(hours=1), "until": now}
    client = http.Client(allow_private=("127.0.0.0/8",), sleep=lambda _: None)
    values |= {"client": client, "home": Path(), "secrets": {"JETON": TOKEN}}
    return Request(**(values | changes))


class Heard:
    """What a reader has handed over."""

    def __init__(self, options: Any) -> None:
        self.options = options
        self.payloads: list[Payload] = []
        self.checkpoints: list[Checkpoint] = []

    @property
    def items(self) -> list[Any]:
        return [item for p in self.payloads for item in mastodon.parse(p, self.options)]

    @property
    def uris(self) -> list[str]:
        return [item.native_id for item in self.items if isinstance(item, Post)]

    @property
    def gone(self) -> list[str]:
        return [item.native_id for item in self.items if isinstance(item, Deletion)]

    @property
    def cursor(self) -> dict[str, Any]:
        return self.checkpoints[-1].cursor


Meanwhile = Callable[[threading.Event], object]


def _hear(
    request: Request, enough: Callable[[Heard], bool], *, meanwhile: Meanwhile = bool
) -> Heard:
    """Listen until enough is heard and a checkpoint stands after it.

    `meanwhile` is told by an event that the timelines have been read.
    """
    heard, deadline, calm = Heard(request.options), time.monotonic() + 10, threading.Event()
    thread = threading.Thread(target=meanwhile, args=(calm,))
    thread.start()
    with closing(mastodon.listen(request)) as items:
        for item in items:
            assert time.monotonic() < deadline, (heard.payloads, heard.checkpoints[-3:])
            if isinstance(item, Payload):
                heard.payloads.append(item)
                continue
            heard.checkpoints.append(item)
            if item.until and item.until > request.since:
                calm.set()
            if enough(heard):
                thread.join()
                return heard
    raise AssertionError("a reader has no end")


def _some(count: int) -> Callable[[Heard], bool]:
    return lambda heard: len(heard.payloads) >= count


def _now(seconds: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _calm(server: Server, channels: int, *told: Callable[[], object]) -> Meanwhile:
    """Says things once the reader listens and has read its timelines."""

    def say(calm: threading.Event) -> None:
        server.wait_for_listeners(channels)
        assert calm.wait(10)
        for each in told:
            each()

    return say


def test_a_reader_hears_what_there_is_and_then_what_is_written(server: Server) -> None:
    before, after = status(_now(-600)), status(_now())
    server.instance.tags["valmont"] = [before]
    heard = _hear(
        _request(server), _some(2), meanwhile=_calm(server, 1, lambda: server.post(after))
    )
    assert heard.uris == [before["uri"], after["uri"]]
    assert server.tokens == [f"Bearer {TOKEN}"]
    assert heard.cursor["positions"] == {"tag:valmont": after["id"]}


def test_a_status_written_while_the_timelines_are_read_is_heard_once(server: Server) -> None:
    early = status(_now(-600))
    server.instance.tags["valmont"] = [early]
    fresh = status(_now())

    def trouble(path: str, number: int) -> None:
        if path.endswith("/tag/valmont") and fresh not in server.instance.tags["valmont"]:
            server.wait_for_listeners(1)
            server.post(fresh)

    server.instance.trouble = trouble
    later = status(_now(1))
    heard = _hear(
        _request(server), _some(3), meanwhile=_calm(server, 1, lambda: server.post(later))
    )
    assert heard.uris == [early["uri"], fresh["uri"], later["uri"]]


def test_what_was_written_while_nobody_listened_is_read_first(server: Server) -> None:
    first = status(_now(-60))
    server.instance.tags["valmont"] = [first]
    before = _hear(_request(server), _some(1))
    missed = [status(_now(-30 + n)) for n in range(90)]
    server.instance.tags["valmont"] += missed
    again = _request(server, cursor=before.cursor, landed=lambda: iter(before.payloads))
    heard = _hear(again, _some(90))
    assert heard.uris == [s["uri"] for s in missed]


def test_an_edit_and_a_deletion_of_what_was_landed_are_heard(server: Server) -> None:
    kept, gone, other = status(_now(-60)), status(_now(-50)), status(_now(-40))
    server.instance.tags["valmont"] = [kept, gone]
    before = _hear(_request(server), _some(2))
    edited = kept | {"content": "<p>corrigé</p>", "edited_at": _now().isoformat()}

    def say() -> None:
        server.say("status.update", kept, "hashtag", "valmont")  # the same version
        server.say("status.update", edited, "hashtag", "valmont")
        server.say("delete", other["id"], "hashtag", "valmont")
        server.say("delete", gone["id"], "hashtag", "valmont")

    again = _request(server, cursor=before.cursor, landed=lambda: iter(before.payloads))
    heard = _hear(again, _some(2), meanwhile=_calm(server, 1, say))
    posts = [item for item in heard.items if isinstance(item, Post)]
    assert [(post.native_id, post.text) for post in posts] == [(kept["uri"], "<p>corrigé</p>")]
    assert heard.gone == [gone["uri"]]


def test_several_channels_go_over_one_connection(server: Server) -> None:
    options = {"tags": ("valmont", "Fete"), "mentions": True, "account": "mairie", "public": "all"}
    notice = {"id": "900", "type": "mention", "status": status(_now())}
    own = status(_now(1))
    own["account"] = own["account"] | {"acct": "mairie"}
    friend = status(_now(2))
    named = status(_now(3)) | {"content": "<p>Valmont, enfin</p>"}
    stranger = status(_now(4)) | {"content": "<p>rien</p>", "tags": [], "mentions": []}

    def say() -> None:
        server.say("notification", notice, "user")
        server.say("notification", notice | {"type": "favourite", "id": "901"}, "user")
        server.say("update", own, "user")
        server.say("update", friend, "user")  # followed by the account: not ours to read
        server.say("update", named, "public")
        server.say("update", stranger, "public")
        server.post(status(_now(5)), "Fete")

    heard = _hear(_request(server, options=options), _some(4), meanwhile=_calm(server, 4, say))
    assert [p.kind for p in heard.payloads] == ["mention", "own", "status", "status"]
    assert heard.uris[:3] == [notice["status"]["uri"], own["uri"], named["uri"]]  # type: ignore[index]
    assert {p.collected_via for p in heard.items} == {"mention_api", "timeline", "search"}
    assert server.channels == [["hashtag", "valmont"], ["hashtag", "fete"], ["public"], ["user"]]
    assert len(server.tokens) == 1


def test_private_statuses_never_reach_the_landing_and_are_counted(server: Server) -> None:
    hidden = [status(_now()) | {"visibility": v} for v in ("private", "direct", "unlisted", 3)]
    shown = status(_now(1))

    def say() -> None:
        for told in hidden:
            server.say("update", told, "hashtag", "valmont")
        server.post(shown)

    heard = _hear(_request(server), _some(1), meanwhile=_calm(server, 1, say))
    assert heard.uris == [shown["uri"]]
    notes = " ".join(c.note or "" for c in heard.checkpoints)
    assert "not public were left alone" in notes


def test_a_stream_that_breaks_ends_the_reading_with_its_place_kept(server: Server) -> None:
    server.instance.tags["valmont"] = [status(_now(-60))]

    def cut(calm: threading.Event) -> None:
        server.wait_for_listeners(1)
        assert calm.wait(10)
        server.cut()

    with pytest.raises(SourceError, match="has ended"):
        _hear(_request(server), _some(2), meanwhile=cut)


def test_a_token_that_is_refused_is_told_with_the_remedy(server: Server) -> None:
    wrong = _request(server, secrets={"JETON": "faux"})
    with pytest.raises(SourceError, match=r"refuses the token.*read:statuses"):
        _hear(wrong, _some(1))
    server.refusal = "Access token does not have the required scopes"
    with pytest.raises(SourceError, match=r"does not have the required scopes.*check the token"):
        _hear(_request(server), _some(1))


def test_without_a_token_nothing_is_listened_to(server: Server) -> None:
    with pytest.raises(SourceError, match="streams to accounts only: set token_env"):
        _hear(_request(server, options={"token_env": None}), _some(1))


def test_hostile_messages_are_counted_and_the_rest_is_heard(server: Server) -> None:
    good = status(_now())
    bad = ["{", "null", "[" * 3000, "3", '"x"']

    def say() -> None:
        for stream, _ in server.listeners:
            for text in bad:
                stream.send(text)
        for payload in (*bad, "{}", '{"id": 3}', '{"id": "x", "visibility": []}'):
            for event in ("update", "status.update", "notification", "delete", "unheard-of"):
                server.say(event, payload, "hashtag", "valmont")
        server.post(good)

    heard = _hear(
        _request(server), lambda h: good["uri"] in h.uris, meanwhile=_calm(server, 1, say)
    )
    assert heard.uris == [good["uri"]]
    assert any("could not be read" in (c.note or "") for c in heard.checkpoints)


def test_the_timelines_are_read_again_for_what_the_stream_leaves_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears, "_READ_SECONDS", 0.3)
    server.instance.tags["valmont"] = [status(_now(-60))]
    muted = status(_now())

    def write(calm: threading.Event) -> None:
        assert calm.wait(10)
        server.instance.tags["valmont"].append(muted)

    heard = _hear(_request(server), _some(2), meanwhile=write)
    assert heard.uris[1] == muted["uri"]


def test_a_long_backlog_is_read_to_its_end_before_the_stream_moves_the_place_on(
    server: Server,
) -> None:
    server.instance.tags["valmont"] = [status(_now(-600))]
    before = _hear(_request(server, options={"max_pages": 1}), _some(1))
    missed = [status(_now(-500 + n)) for n in range(130)]  # four pages, of which one a reading
    server.instance.tags["valmont"] += missed
    fresh = status(_now())
    again = _request(
        server,
        options={"max_pages": 1},
        cursor=before.cursor,
        landed=lambda: iter(before.payloads),
    )
    heard = _hear(again, _some(131), meanwhile=_calm(server, 1, lambda: server.post(fresh)))
    assert sorted(heard.uris) == sorted(s["uri"] for s in [*missed, fresh])
    assert heard.cursor["positions"]["tag:valmont"] == fresh["id"]


def test_what_fails_beside_a_stream_that_works_is_a_note(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears, "_READ_SECONDS", 0.2)
    server.instance.tags["valmont"] = [status(_now(-60))]

    def trouble(path: str, number: int) -> Answer | None:
        return Answer(403) if number > 6 and "timelines" in path else None

    server.instance.trouble = trouble
    heard = _hear(_request(server), lambda h: any("403" in (c.note or "") for c in h.checkpoints))
    assert len(heard.payloads) == 1


def test_up_to_when_it_has_read_is_told_and_grows(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears, "_UNSURE", timedelta(seconds=0.2))
    request = _request(server)
    heard = _hear(request, lambda h: len(h.checkpoints) > 12)
    told = [c.until for c in heard.checkpoints if c.until]
    assert told == sorted(told)
    assert told[0] == request.since
    assert told[-1] > told[4] > _now(-60)


def test_the_token_goes_to_no_address_in_clear_that_an_encrypted_server_names() -> None:
    about = sample("instance")
    about["configuration"]["urls"] = {"streaming": "ws://ailleurs.example"}
    options = mastodon.Options(instance="https://valmont.example")
    url = servers._stream_url(about["configuration"]["urls"], options)
    assert url == "wss://valmont.example/api/v1/streaming"
    told = servers._stream_url({"streaming": "wss://flux.valmont.example"}, options)
    assert told == "wss://flux.valmont.example/api/v1/streaming"
    for odd in (3, "wss://a@b", "https://x", "wss://x y", "wss://x/?a", ""):
        assert servers._stream_url({"streaming": odd}, options) == url
