"""A Jetstream on loopback that never ends, of both versions, with an AppView that knows its posts.

It speaks as bluesky-social/jetstream does (lexicon and handlers read 2026-11-26): numbers and
times as cursors, `CursorTooOld` before the upgrade, `OutdatedCursor` and `FutureCursor` as first
frames, `ConsumerTooSlow` before it closes, accounts whatever the collection. People and texts are
invented.

    python -m tests.pipelines.sources.firehose --seconds 600 --rate 500 --truth truth.json

serves for as long, prints its two addresses as JSON, and writes down what was true in the end.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake, Response
from websockets.sync.server import Server, ServerConnection, serve

from tests.pipelines.loopback import Answer, Asked, serving
from tests.pipelines.sources.bluesky_network import POST, SECOND

FIRST = "/subscribe"
_TIMES = 10**15  # cursors from here on are microseconds since 1970


@dataclass(frozen=True, slots=True)
class Said:
    """One event as the log keeps it: its number, its time, and what both versions make of it."""

    seq: int
    micros: int
    second: str
    first: str
    is_commit: bool


@dataclass(slots=True)
class Post:
    """A post as it is now: when it was written, its record, its version, whether it is gone."""

    micros: int
    record: dict[str, Any]
    cid: str
    is_gone: bool = False


@dataclass
class Firehose:
    """The log of all that was said, from `floor` on, and the posts that there are."""

    said: list[Said] = field(default_factory=list)
    posts: dict[str, Post] = field(default_factory=dict)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    looked_up: list[list[str]] = field(default_factory=list)
    floor: int = 1
    hides: set[str] = field(default_factory=set)  # authors who ask not to be shown to strangers
    lags: dict[str, Post] = field(default_factory=dict)  # posts as the AppView still shows them
    is_slow: bool = False  # calls the next reader too slow
    is_blind: bool = False  # the AppView fails
    changed: threading.Condition = field(default_factory=threading.Condition)
    connections: set[ServerConnection] = field(default_factory=set)
    listened: threading.Event = field(default_factory=threading.Event)  # a reader has its place
    ws_url: str = ""
    http_url: str = ""

    def write(self, did: str, rkey: str, text: str, *, operation: str = "create") -> str:
        """A post written, edited (`update`) or deleted; its address."""
        uri, micros = f"at://{did}/{POST}/{rkey}", time.time_ns() // 1000
        stamp = datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {"operation": operation, "collection": POST, "rkey": rkey}
        told["rev"] = f"rev{len(self.said)}"
        if operation == "delete":
            self.posts[uri].is_gone = True
        else:
            record = {"$type": POST, "text": text, "createdAt": stamp, "langs": ["fr"]}
            cid = f"bafy{len(self.said)}"
            before = self.posts.get(uri)
            self.posts[uri] = Post(before.micros if before else micros, record, cid)
            told |= {"record": record, "cid": cid}
        self._say("commit", did, micros, told)
        return uri

    def end_account(self, did: str, *, status: str = "deleted") -> None:
        """An account closed, with all its posts."""
        for uri, post in self.posts.items():
            post.is_gone = post.is_gone or uri.startswith(f"at://{did}/")
        self._say("account", did, time.time_ns() // 1000, {"active": False, "status": status})

    def _say(self, kind: str, did: str, micros: int, told: Mapping[str, Any]) -> None:
        with self.changed:
            seq = self.said[-1].seq + 1 if self.said else 1
            micros = max(micros, self.said[-1].micros + 1 if self.said else 0)
            moment = datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="microseconds")
            named = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": seq}
            body = told if kind == "commit" else {kind: {"did": did, **told}}
            second = {**named, "did": did, "time": moment, "witnessedAt": moment, **body}
            first = {"did": did, "time_us": micros, "kind": kind}
            first[kind] = told if kind == "commit" else {"did": did, **told}
            frame = json.dumps({"$type": "message", "payload": second}, ensure_ascii=False)
            old = json.dumps(first, ensure_ascii=False)
            self.said.append(Said(seq, micros, frame, old, kind == "commit"))
            self.changed.notify_all()

    def cut(self) -> None:
        """Break every connection, as a restart of the host does."""
        for connection in list(self.connections):
            connection.close(1012)

    def wait_for_reader(self) -> None:
        """Until somebody listens: what is written from then on is live."""
        assert self.listened.wait(10)

    # --- the two protocols

    def judge(self, _: ServerConnection, handshake: Handshake) -> Response | None:
        """Refuse a number that is older than what is kept, before the upgrade."""
        query = parse_qs(urlsplit(handshake.path).query)
        self.asked.append(query)
        cursor = int(query.get("cursor", ["0"])[0])
        is_second = urlsplit(handshake.path).path == SECOND
        if not (is_second and cursor < _TIMES and cursor < self.floor):
            return None
        words = f"cursor {cursor} is below the floor {self.floor}"
        body = json.dumps({"error": "CursorTooOld", "message": words}).encode()
        headers = Headers(
            [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return Response(400, "Bad Request", headers, body)

    def answer(self, stream: ServerConnection) -> None:
        """Send what was said since the cursor, and go on as more is."""
        assert stream.request is not None
        parts = urlsplit(stream.request.path)
        cursor = int(parse_qs(parts.query).get("cursor", ["0"])[0])
        self.connections.add(stream)
        try:
            if parts.path == SECOND:
                self._greet(stream, cursor)
            for said in self._since(stream, cursor):
                stream.send(said.second if parts.path == SECOND else said.first)
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(stream)

    def _greet(self, stream: ServerConnection, cursor: int) -> None:
        oldest = self._from(self.floor)
        if cursor >= _TIMES and self.floor > 1 and oldest and cursor < oldest[0].micros:
            stream.send(_info("OutdatedCursor", f"resumed from {self.floor}"))
        if cursor < _TIMES and cursor > len(self.said) + 1:
            stream.send(_info("FutureCursor", "started at the live tip"))
        if self.is_slow:
            self.is_slow = False
            error = {"$type": "error", "error": "ConsumerTooSlow", "message": "far behind"}
            stream.send(json.dumps(error))
            stream.close(1008)

    def _from(self, seq: int) -> list[Said]:
        return self.said[max(seq, self.floor) - 1 :]

    def _since(self, stream: ServerConnection, cursor: int) -> Iterator[Said]:
        """Everything from a cursor on, inclusively; waits at the end."""
        with self.changed:
            place = bisect_left(self.said, cursor, key=lambda s: s.micros) + 1
            seq = max(cursor if cursor < _TIMES else place, self.floor, 1)
            seq = min(seq, len(self.said) + 1)
            self.listened.set()
        while True:
            with self.changed:
                self.changed.wait_for(lambda: len(self.said) >= seq, timeout=0.2)  # noqa: B023
                found = self.said[seq - 1 : seq + 255]
            if not found and stream.state.name != "OPEN":
                return
            yield from found
            seq += len(found)

    def look_up(self, asked: Asked) -> Answer:
        """`getPosts` and `getProfiles` of the AppView."""
        if self.is_blind:
            return Answer(502)
        parts = urlsplit(asked.path)
        query = parse_qs(parts.query)
        if parts.path.endswith("getProfiles"):
            return Answer(body=json.dumps({"profiles": []}).encode())
        uris = query.get("uris", [])
        self.looked_up.append(uris)
        shown = self.posts | self.lags
        known = {uri: post for uri in uris if (post := shown.get(uri)) and not post.is_gone}
        views = [self._view(uri, post) for uri, post in known.items()]
        return Answer(body=json.dumps({"posts": views}).encode())

    def _view(self, uri: str, post: Post) -> dict[str, Any]:
        did = uri.removeprefix("at://").partition("/")[0]
        labels = [{"val": "!no-unauthenticated"}] if did in self.hides else []
        moment = datetime.fromtimestamp(post.micros / 1e6, UTC).isoformat(timespec="milliseconds")
        author = {"did": did, "handle": f"{did.rpartition(':')[2]}.example", "labels": labels}
        age = int(time.time() - post.micros / 1e6)
        counts = {"likeCount": age // 10, "replyCount": 0, "repostCount": 0, "quoteCount": 0}
        known = {"uri": uri, "cid": post.cid, "author": author, "record": post.record}
        return {**known, "indexedAt": moment, "labels": [], **counts}


def _info(name: str, words: str) -> str:
    kind = "network.bsky.jetstream.subscribeEvents#info"
    return json.dumps(
        {"$type": "message", "payload": {"$type": kind, "name": name, "message": words}}
    )


@contextmanager
def streaming(firehose: Firehose | None = None, *, port: int = 0) -> Iterator[Firehose]:
    """A firehose with its Jetstream and its AppView on loopback, closed when the block ends."""
    found = firehose or Firehose()
    with (
        serving(found.look_up) as appview,
        serve(found.answer, "127.0.0.1", port, process_request=found.judge) as server,
    ):
        found.http_url = appview.url
        found.ws_url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            _end(server, found)
            thread.join()


def _end(server: Server, firehose: Firehose) -> None:
    firehose.cut()
    server.shutdown()


_WORDS = ("le", "la", "un", "une", "rue", "place", "école", "piscine", "marché", "neige", "vélo")


@dataclass
class Life:
    """Strangers and townspeople who write; what of it is true in the end."""

    firehose: Firehose
    share: float
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    numbers: int = 0
    mine: list[tuple[str, str]] = field(default_factory=list)  # whose posts may change, not yet

    def go_on(self, events: int) -> None:
        """So many things happen."""
        for _ in range(events):
            self._one()

    def _one(self) -> None:
        self.numbers += 1
        did, rkey = f"did:plc:someone{self.numbers % 5000}", f"3k{self.numbers:011d}"
        words = " ".join(self.dice.choices(_WORDS, k=18))
        chance = self.dice.random()
        if chance < self.share:
            tone = self.dice.choice(("encore en retard", "enfin à l'heure", "fermée ce matin"))
            text = f"Valbrume, message {self.numbers} : la ligne {self.numbers % 9} {tone}. {words}"
            self.firehose.write(did, rkey, text)
            self.mine.append((did, rkey))
        elif chance < self.share * 1.1 and len(self.mine) > 50:
            self._change(*self.mine.pop(self.dice.randrange(len(self.mine) - 40)))
        else:
            self.firehose.write(did, rkey, words)

    def _change(self, did: str, rkey: str) -> None:
        if self.dice.random() < 0.5:
            self.firehose.write(did, rkey, "", operation="delete")
        else:
            edited = f"Valbrume, je me suis trompé ({rkey})"
            self.firehose.write(did, rkey, edited, operation="update")

    def truth(self) -> dict[str, dict[str, Any]]:
        """Each post that named the town: when it was written, its text, whether it is gone."""
        return {
            uri: {"micros": p.micros, "text": p.record["text"], "is_gone": p.is_gone}
            for uri, p in self.firehose.posts.items()
            if "Valbrume" in p.record["text"]
        }


def main() -> None:
    """Serve for so many seconds at so many events a second; then write the truth down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--wait", action="store_true", help="begin when a line comes in")
    parser.add_argument("--quiet-seconds", type=float, default=0, help="after its end")
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--truth", type=Path, required=True)
    options = parser.parse_args()
    with streaming() as firehose:
        addresses = {"ws": firehose.ws_url, "http": firehose.http_url}
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        if options.wait:
            sys.stdin.readline()
        life, begun, done = Life(firehose, options.share), time.monotonic(), 0
        while (passed := time.monotonic() - begun) < options.seconds:
            due = int(passed * options.rate) - done
            life.go_on(due)
            done += due
            time.sleep(0.02)
        options.truth.write_text(json.dumps({"events": done, "posts": life.truth()}))
        time.sleep(options.quiet_seconds)


if __name__ == "__main__":
    main()
