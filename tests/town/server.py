"""The servers that the people of Valbrume post to, on loopback: a paper's RSS feed, a Mastodon
instance and a Bluesky PDS, each with the paging, headers and errors of the real one.

Nothing is served before its time: `Town.clock` says what time it is in Valbrume.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape as xml_escape

from tests.town.life import ZONE, Article, Told, two_weeks

APP_PASSWORD = "abcd-efgh-ijkl-mnop"  # of an account that exists nowhere
SOCIAL = "https://social.valbrume.example"  # addresses of the posts, wherever they are served
PAPER = "https://courrier.valbrume.example"
Query = Mapping[str, list[str]]
Answer = tuple[int, dict[str, str], bytes]


class Town:
    """What has been posted by now. The clock is set from outside, never read from the machine.

    `mastodon_down` is when the Mastodon instance does not answer, `bluesky_page` the most posts
    that a search gives a page: the troubles that a test makes.
    """

    def __init__(self, told: list[Told], articles: list[Article], clock: datetime) -> None:
        self.told = told
        self.articles = articles
        self.clock = clock
        self.url = ""
        self.mastodon_down: tuple[datetime, datetime] | None = None
        self.bluesky_page = 100

    def posts(self, network: str) -> list[Told]:
        """The posts of a network up to now, oldest first."""
        return [post for post in self.told if post.network == network and post.at < self.clock]

    def answer(self, path: str, query: Query, headers: Mapping[str, str]) -> Answer:
        """The answer to a GET or POST, by its path."""
        if path.startswith("/api/") and self._is_mastodon_down():
            return _json({"error": "Service Unavailable"}, status=503)
        if path == "/courrier.xml":
            return self._feed(headers)
        if path == "/api/v2/instance":
            access = {"hashtag_feeds": {"local": "public", "remote": "public"}}
            return _json({"version": "4.5.0", "configuration": {"timelines_access": access}})
        if path.startswith("/api/v1/timelines/tag/"):
            return self._tag(path.rsplit("/", 1)[1], query)
        if path == "/api/v1/statuses":
            return _json(self._statuses(query.get("id[]", [])))
        if path.startswith("/api/v1/statuses/") and (
            found := self._statuses([path.rsplit("/", 1)[1]])
        ):
            return _json(found[0])
        if path.startswith("/xrpc/"):
            return self._xrpc(path.removeprefix("/xrpc/"), query, headers)
        return _json({"error": "Record not found"}, status=404)

    def _is_mastodon_down(self) -> bool:
        span = self.mastodon_down
        return span is not None and span[0] < self.clock <= span[1]

    def _feed(self, headers: Mapping[str, str]) -> Answer:
        shown = [article for article in self.articles if article.at < self.clock]
        body = _rss(shown).encode()
        tag = f'"{sha256(body).hexdigest()[:16]}"'
        if headers.get("if-none-match") == tag:
            return HTTPStatus.NOT_MODIFIED, {"ETag": tag}, b""
        return 200, {"Content-Type": "application/rss+xml; charset=utf-8", "ETag": tag}, body

    def _tag(self, tag: str, query: Query) -> Answer:
        found = [(_snowflake(p), p) for p in self.posts("mastodon") if _has_tag(p, tag)]
        limit = min(int(_one(query, "limit", "20")), 40)
        if least := _one(query, "min_id", ""):
            page = [item for item in found if item[0] > int(least)][:limit][::-1]
        else:
            most = int(_one(query, "max_id", "0")) or 1 << 63
            since = int(_one(query, "since_id", "0"))
            page = [item for item in found if since < item[0] < most][-limit:][::-1]
        statuses = [_status(number, post) for number, post in page]
        headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "250"}
        headers["X-RateLimit-Reset"] = f"{datetime.now(UTC) + timedelta(minutes=5):%FT%T.000Z}"
        if statuses:
            base = f"{self.url}/api/v1/timelines/tag/{tag}"
            headers["Link"] = (
                f'<{base}?max_id={page[-1][0]}>; rel="next", '
                f'<{base}?min_id={page[0][0]}>; rel="prev"'
            )
        return _json(statuses, headers=headers)

    def _statuses(self, ids: list[str]) -> list[dict[str, Any]]:
        """The statuses of these ids that there are by now."""
        known = {str(_snowflake(post)): post for post in self.posts("mastodon")}
        return [_status(int(key), known[key]) for key in ids if key in known]

    def _xrpc(self, method: str, query: Query, headers: Mapping[str, str]) -> Answer:
        if method in ("com.atproto.server.createSession", "com.atproto.server.refreshSession"):
            session = {"did": "did:plc:veilleur", "handle": "veille.valbrume.example"}
            return _json(session | {"accessJwt": "a.b.c", "refreshJwt": "d.e.f", "active": True})
        if not headers.get("authorization"):
            error = {"error": "AuthMissing", "message": "Authentication Required"}
            return _json(error, status=401)
        if method == "app.bsky.feed.searchPosts":
            return self._search(query)
        if method == "app.bsky.feed.getPosts":
            known = {_at_uri(post): post for post in self.posts("bluesky")}
            asked = [known[uri] for uri in query.get("uris", []) if uri in known]
            return _json({"posts": [_post_view(post) for post in asked]})
        return _json({"error": "MethodNotImplemented", "message": method}, status=501)

    def _search(self, query: Query) -> Answer:
        words = _one(query, "q", "").strip('"').lower()
        since, until = _one(query, "since", ""), _one(query, "until", "9999")
        found = [
            post
            for post in reversed(self.posts("bluesky"))
            if words in post.text.lower() and since <= f"{post.at:%FT%T.%fZ}" < until
        ]
        start = int(_one(query, "cursor", "0"))
        limit = min(int(_one(query, "limit", "25")), self.bluesky_page)
        page = {"posts": [_post_view(post) for post in found[start : start + limit]]}
        more = {"cursor": str(start + limit)} if start + limit < len(found) else {}
        return _json(page | more)


def _one(query: Query, name: str, default: str) -> str:
    return query.get(name, [default])[0]


def _json(content: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return status, kind | (headers or {}), json.dumps(content).encode()


def _rss(articles: list[Article]) -> str:
    items = "".join(
        f"<item><title>{xml_escape(a.title)}</title><link>{PAPER}/article/{a.slug}</link>"
        f"<guid isPermaLink='false'>courrier:{a.slug}</guid>"
        f"<pubDate>{format_datetime(a.at)}</pubDate>"
        f"<description>{xml_escape(a.body)}</description></item>"
        for a in reversed(articles)
    )
    head = "<title>Le Courrier de la Sorne</title><language>fr</language>"
    channel = f"<channel>{head}{items}</channel>"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0">{channel}</rss>'


def _has_tag(post: Told, tag: str) -> bool:
    return tag.lower() in post.text.lower()  # the invented instance lists plain mentions too


def _snowflake(post: Told) -> int:
    spread = int(sha256(post.text.encode()).hexdigest()[:4], 16)
    return (int(post.at.timestamp() * 1000) << 16) + spread


def _handle(post: Told) -> str:
    return "valbrume" if post.is_own else f"habitant{post.author}"


def _status(number: int, post: Told) -> dict[str, Any]:
    handle = _handle(post)
    account = {
        "id": str(post.author),
        "acct": f"{handle}@social.valbrume.example",
        "username": handle,
        "url": f"{SOCIAL}/@{handle}",
        "uri": f"{SOCIAL}/users/{handle}",
        "display_name": f"Habitant {post.author}",
        "bot": False,
        "discoverable": True,
        "indexable": True,
        "noindex": False,
        "note": "",
        "followers_count": 12,
    }
    return {
        "id": str(number),
        "uri": f"{SOCIAL}/users/{handle}/statuses/{number}",
        "url": f"{SOCIAL}/@{handle}/{number}",
        "created_at": f"{post.at:%FT%T}.000Z",
        "edited_at": None,
        "content": f"<p>{escape(post.text)}</p>",
        "spoiler_text": "",
        "visibility": "public",
        "sensitive": False,
        "language": "fr",
        "account": account,
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "replies_count": post.replies,
        "reblogs_count": post.shares,
        "favourites_count": post.likes,
        "in_reply_to_id": None,
        "reblog": None,
        "poll": None,
        "card": None,
    }


def _at_uri(post: Told) -> str:
    key = sha256(f"{post.at.isoformat()}{post.text}".encode()).hexdigest()[:13]
    return f"at://did:plc:habitant{post.author}/app.bsky.feed.post/{key}"


def _post_view(post: Told) -> dict[str, Any]:
    uri = _at_uri(post)
    record = {
        "$type": "app.bsky.feed.post",
        "text": post.text,
        "createdAt": f"{post.at:%FT%T}.000Z",
        "langs": ["fr"],
    }
    return {
        "uri": uri,
        "cid": f"bafyrei{uri.rsplit('/', 1)[1]}",
        "author": {
            "did": f"did:plc:habitant{post.author}",
            "handle": f"habitant{post.author}.valbrume.example",
        },
        "record": record,
        "replyCount": post.replies,
        "repostCount": post.shares,
        "likeCount": post.likes,
        "quoteCount": 0,
        "indexedAt": f"{post.at:%FT%T}.500Z",
        "labels": [],
    }


def write_exports(town: Town, inbox: Path) -> None:
    """The export files of each past day, as a listening tool would leave them in the inbox."""
    days = sorted({post.at.astimezone(ZONE).date() for post in town.posts("export")})
    inbox.mkdir(parents=True, exist_ok=True)
    for day in days:
        rows = [p for p in town.posts("export") if p.at.astimezone(ZONE).date() == day]
        with (inbox / f"export-{day}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(
                ["Date", "Réseau", "Lien", "Compte", "Texte", "J'aime", "Partages", "Commentaires"]
            )
            writer.writerows(_row(post) for post in rows)
        # As old as its last post: the same export written again is the same file.
        os.utime(inbox / f"export-{day}.csv", (rows[-1].at.timestamp(), rows[-1].at.timestamp()))


def _row(post: Told) -> list[Any]:
    network = ("Facebook", "X", "Instagram")[post.author % 3]
    key = sha256(f"{post.at.isoformat()}{post.text}".encode()).hexdigest()[:12]
    link = f"https://{network.lower()}.example/p/{key}"
    at = f"{post.at.astimezone(ZONE):%d/%m/%Y %H:%M:%S}"
    counts = [post.likes, post.shares, post.replies]
    return [at, network, link, f"habitant{post.author}", post.text, *counts]


class _Handler(BaseHTTPRequestHandler):
    town: Town

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, answer, body = self.town.answer(parts.path, parse_qs(parts.query), headers)
        self.send_response(status)
        for name, value in answer.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing: the demo's output is for its reader."""


@contextmanager
def served(clock: datetime, port: int = 0) -> Iterator[Town]:
    """The town on loopback at `Town.url`, until the block ends."""
    told, articles = two_weeks()
    town = Town(told, articles, clock)
    handler = type("Handler", (_Handler,), {"town": town})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    town.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield town
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
