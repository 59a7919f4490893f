"""A Jetstream of both versions on loopback, and what a run of the source is asked and gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake, Response
from websockets.sync.server import ServerConnection, serve

from pipelines.http import Client
from pipelines.sources import Checkpoint, Payload, Request, Terms, bluesky
from tests.pipelines.loopback import NOON, Clock

SECOND = "/xrpc/network.bsky.jetstream.subscribeEvents"
POST = "app.bsky.feed.post"
PAYLOADS = Path(__file__).parents[2] / "payloads" / "bluesky"
ALICE = "did:plc:aaaabbbbccccddddeeee2222"
TERMS = Terms(names=("Belleroche",), hashtags=("VivreABelleroche",), handles=("@mairie.example",))
Script = Callable[[Mapping[str, list[str]]], Sequence[str]]


def uri(rkey: str, did: str = ALICE) -> str:
    """The address of a post."""
    return f"at://{did}/{POST}/{rkey}"


def view(
    rkey: str, *, at: datetime = NOON, text: str = "Belleroche", **more: Any
) -> dict[str, Any]:
    """A post as search and look-up show it."""
    stamp = at.isoformat().replace("+00:00", "Z")
    record = {"$type": POST, "text": text, "createdAt": stamp, **more.pop("record", {})}
    author = {"did": ALICE, "handle": "alice.example"}
    known = {"uri": uri(rkey), "cid": f"bafy{rkey}", "author": author, "record": record}
    return {**known, "indexedAt": stamp, "likeCount": 0, "labels": [], **more}


def commit(
    seq: int,
    rkey: str,
    *,
    at: datetime = NOON - timedelta(minutes=1),
    text: str = "Belleroche",
    operation: str = "create",
    did: str = ALICE,
) -> str:
    """A commit as Jetstream 2 sends it."""
    told = {"operation": operation, "collection": POST, "rkey": rkey, "rev": f"rev{seq}"}
    if operation != "delete":
        told |= {"record": {"$type": POST, "text": text, "createdAt": at.isoformat()}}
        told |= {"cid": f"bafy{rkey}"}
    return second("commit", seq, at, {"did": did, **told})


def account(seq: int, *, at: datetime, status: str = "deleted", did: str = ALICE) -> str:
    """The end of an account as Jetstream 2 sends it."""
    told = {"active": False, "did": did, "status": status, "seq": 1, "time": at.isoformat()}
    return second("account", seq, at, {"did": did, "account": told})


def second(kind: str, seq: int, at: datetime, told: Mapping[str, Any]) -> str:
    """A frame of Jetstream 2."""
    named = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": seq}
    payload = {**named, "time": at.isoformat(timespec="microseconds"), **told}
    return json.dumps({"$type": "message", "payload": payload})


def first(frame: str) -> str:
    """The same event as Jetstream 1 sends it."""
    payload = json.loads(frame)["payload"]
    kind = payload["$type"].partition("#")[2]
    at = datetime.fromisoformat(payload["time"])
    body = payload[kind] if kind in payload else {k: payload[k] for k in payload if k[0] != "$"}
    micros = int(at.timestamp() * 1_000_000)
    return json.dumps({"did": payload["did"], "time_us": micros, "kind": kind, kind: body})


@dataclass(slots=True)
class Host:
    """A Jetstream's address, and each query with which it was asked."""

    port: int
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)

    def url(self, path: str = SECOND, name: str = "127.0.0.1") -> str:
        return f"ws://{name}:{self.port}{path}"


@contextmanager
def jetstream(
    script: Script,
    *,
    refuse: Callable[[Mapping[str, list[str]]], tuple[int, bytes] | None] = lambda _: None,
    then_close: bool = False,
) -> Iterator[Host]:
    """A host that sends what `script` gives for a query, then is silent, or closes."""
    host = Host(0)

    def query(handshake: Handshake) -> dict[str, list[str]]:
        return parse_qs(urlsplit(handshake.path).query)

    def judge(_: ServerConnection, handshake: Handshake) -> Response | None:
        asked = query(handshake)
        host.asked.append(asked)
        host.agents.append(handshake.headers["User-Agent"])
        refused = refuse(asked)
        if refused is None:
            return None
        status, body = refused
        headers = Headers(
            [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return Response(status, HTTPStatus(status).phrase, headers, body)

    def answer(stream: ServerConnection) -> None:
        assert stream.request is not None
        try:
            for frame in script(query(stream.request)):
                stream.send(frame)
            if not then_close:
                stream.recv()  # until the reader closes
        except ConnectionClosed:
            pass

    with serve(answer, "127.0.0.1", 0, process_request=judge) as server:
        host.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


def replaying(*frames: str) -> Script:
    """A host that holds `frames` of version 2 and sends those from the cursor on, inclusively."""

    def since(asked: Mapping[str, list[str]]) -> list[str]:
        cursor = int(asked["cursor"][0])
        return [frame for frame in frames if _place(frame, cursor) >= cursor]

    return since


def _place(frame: str, cursor: int) -> int:
    payload = json.loads(frame)["payload"]
    if "seq" not in payload or cursor < 10**15:
        return int(payload.get("seq", cursor))
    return int(datetime.fromisoformat(payload["time"]).timestamp() * 1_000_000)


Answer = Callable[[httpx.Request], httpx.Response]


def knowing(*views: Mapping[str, Any]) -> Answer:
    """A network that finds no post by search and shows `views` when they are looked up."""
    shown = {view["uri"]: view for view in views}

    def answer(asked: httpx.Request) -> httpx.Response:
        uris = asked.url.params.get_list("uris")
        return httpx.Response(200, json={"posts": [shown[u] for u in uris if u in shown]})

    return answer


def showing(views: Sequence[Any], cursor: str | None = None) -> httpx.Response:
    """A page of a search."""
    return httpx.Response(200, json={"posts": views, **({"cursor": cursor} if cursor else {})})


def request(
    home: Path,
    answer: Answer | None = None,
    *,
    cursor: dict[str, Any] | None = None,
    since: datetime = NOON - timedelta(hours=1),
    until: datetime = NOON,
    terms: Terms = TERMS,
    secrets: Mapping[str, str] | None = None,
    allow_private: tuple[str, ...] = ("127.0.0.0/8",),
    clock: Clock | None = None,
    **options: Any,
) -> Request:
    """What a run asks, over `answer` in place of the network."""
    quick = {"idle_seconds": 0.2, "read_seconds": 10.0}
    clock = clock or Clock()
    client = Client(
        contact="veille@belleroche.example",
        allow_private=allow_private,
        transport=httpx.MockTransport(answer or knowing()),
        sleep=clock.sleep,
        now=clock.now,
    )
    return Request(
        name="bluesky",
        options=bluesky.Options(**{**quick, **options}),
        terms=terms,
        cursor=cursor,
        since=since,
        until=until,
        client=client,
        home=home,
        secrets=secrets or {},
    )


def collected(asked: Request) -> tuple[list[Payload], Checkpoint]:
    """The payloads of a run and its checkpoint, which comes last and once."""
    *payloads, last = bluesky.collect(asked)
    assert isinstance(last, Checkpoint)
    assert all(isinstance(item, Payload) for item in payloads)
    return [item for item in payloads if isinstance(item, Payload)], last


def rkeys(payloads: Sequence[Payload]) -> list[str]:
    """The last part of the address of each post or deletion that payloads hold, in order."""
    found = []
    for payload in payloads:
        for item in bluesky.parse(payload, bluesky.Options(mode="jetstream")):
            assert item.native_id
            found.append(item.native_id.rpartition("/")[2])
    return found


def at(**ago: float) -> datetime:
    """A moment before noon, in UTC."""
    return (NOON - timedelta(**ago)).astimezone(UTC)
