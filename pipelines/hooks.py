"""The door for messages that are pushed in: `POST /hooks/<source>`, signed, on 127.0.0.1.

Where `[web]` gives an address, the pages of the links in alert mails stand behind it as well
(`link_pages.py`), and another application may be mounted beside: the board.

A message is believed only by its signature (`sources/_webhook_signature.py`), written down once
and answered with 202 when it is on the disk; the next run of `watch` takes it. The same id again
is answered with 200 and changes nothing; under another body, with 409.

Whatever else comes is refused before it costs much: another path or method (404, 405), another
content type or a compressed one (415), more bytes than the source takes (413, without reading
them), a body that takes too long (408), one that is not JSON (422), more messages in a minute than
agreed (429 with Retry-After), a full disk (503). Nothing of a body or a header is logged.

TLS and the outside are for a proxy on this machine: this server listens on loopback alone. One
process; the count of messages in a minute is its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from pipelines import link_pages
from pipelines.errors import VigieError
from pipelines.settings import Settings
from pipelines.sources import _webhook_inbox as inbox, _webhook_signature as signature, webhook

log = logging.getLogger(__name__)

BOARD = "/board"
BODY_SECONDS = 20.0  # for the whole body, however slowly it drips
_TYPES = ("application/json", "application/x-ndjson", "application/jsonl")
_SPAN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """One source that may be pushed to, and when its last messages came."""

    name: str
    options: webhook.Options
    secrets: tuple[bytes, ...]
    place: Path
    came_at: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """The seconds until another message may come, 0 when one may now."""
        while self.came_at and now - self.came_at[0] >= _SPAN_SECONDS:
            self.came_at.popleft()
        if len(self.came_at) < self.options.max_per_minute:
            self.came_at.append(now)
            return 0.0
        return _SPAN_SECONDS - (now - self.came_at[0])


class _Refused(Exception):
    """An answer that ends a request: its status, and what to say."""

    def __init__(self, status: int, said: str, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(said)


def app(
    settings: Settings,
    secrets: Mapping[str, str],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    board: ASGIApp | None = None,
    turn: threading.Lock | None = None,
    behind: timedelta = timedelta(),
) -> Starlette:
    """The application that takes the messages of every source of kind `webhook`, and shows pages.

    A `board` is mounted under BOARD, and `turn` is the lock under which both open the warehouse.
    Over data that has ended, links of mails hold as they did then, so far `behind` the clock.
    VigieError when there is nothing to serve, or the secret of a source is missing or weak.
    """
    doors = {
        block.name: _Door(
            name=block.name,
            options=block.options,
            secrets=webhook.secrets_of(block.name, block.options, secrets),
            place=inbox.folder(settings.home, block.name),
        )
        for block in settings.sources
        if block.kind == webhook.MANIFEST.name
    }
    pages = link_pages.routes(settings, now=lambda: now() - behind, turn=turn)
    if not doors and not pages and board is None:
        raise VigieError(
            'vigie.toml has no source of kind "webhook", and no url in [web]: add one of the two '
            "(docs/sources.md, docs/alerts.md), start again"
        )

    async def push(request: Request) -> Response:
        try:
            return await _taken(request, doors, now)
        except _Refused as refused:
            log.info("hook.refused status=%d", refused.status)
            said = {"error": str(refused)}
            return JSONResponse(said, status_code=refused.status, headers=refused.headers)

    found = Starlette(
        routes=[
            Route("/hooks/{name}", push, methods=["POST"]),
            Route("/health", _healthy, methods=["GET"]),
            *pages,
            *([Route(p, _to_board) for p in ("/", BOARD)] if board else []),
            *([Mount(BOARD, app=board)] if board else []),
        ]
    )
    found.router.redirect_slashes = False  # it would go where the Host header says
    return found


async def _to_board(_: Request) -> Response:
    return RedirectResponse(f"{BOARD}/", status_code=307)


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _taken(
    request: Request, doors: Mapping[str, _Door], now: Callable[[], datetime]
) -> Response:
    """The answer to a message; _Refused for what is not taken."""
    door = doors.get(request.path_params["name"])
    if door is None:
        raise _Refused(404, "no such source")
    content_type = _content_type(request)
    body = await _body(request, door.options.max_bytes)
    message_id = _believed(request, body, door, now())
    if wait := door.wait(now().timestamp()):
        raise _Refused(429, "more messages than agreed", Retry_After=str(int(wait) + 1))
    _check_json(body, content_type)
    done = await run_in_threadpool(_written, door, message_id, body, content_type, now())
    log.info("hook.taken source=%s bytes=%d result=%s", door.name, len(body), done)
    if done == "other":
        raise _Refused(409, "this id was used for another message")
    return JSONResponse({"status": done}, status_code=202 if done == "new" else 200)


def _content_type(request: Request) -> str:
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in _TYPES:
        raise _Refused(415, f"send {', '.join(_TYPES)}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _Refused(415, "send the body as it is, not compressed")
    return said


async def _body(request: Request, limit: int) -> bytes:
    """The body, counted as it comes; refused as soon as it is too large or takes too long."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise _Refused(413, f"send {limit} bytes at most", Connection="close")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise _Refused(413, f"send {limit} bytes at most", Connection="close")
    except TimeoutError as error:
        raise _Refused(408, "the body took too long", Connection="close") from error
    except ClientDisconnect as error:
        raise _Refused(400, "the body was cut short") from error
    return bytes(body)


def _believed(request: Request, body: bytes, door: _Door, now: datetime) -> str:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        return signature.checked(
            headers, body, secrets=door.secrets, now=now, window=door.options.window
        )
    except signature.Unsigned as error:
        raise _Refused(401, str(error)) from error


def _check_json(body: bytes, content_type: str) -> None:
    try:
        text = body.decode("utf-8")
        lines = [text] if content_type == _TYPES[0] else filter(str.strip, text.split("\n"))
        for line in lines:
            json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Refused(422, "the body is not JSON in UTF-8") from error


def _written(
    door: _Door, message_id: str, body: bytes, content_type: str, at: datetime
) -> inbox.Put:
    """Put a message on the disk; _Refused where there is no room for it."""
    if inbox.size(door.place) + len(body) > door.options.max_waiting_bytes:
        raise _Refused(503, "too much waits to be read", Retry_After="300")
    try:
        return inbox.put(
            door.place, message_id=message_id, body=body, content_type=content_type, received_at=at
        )
    except OSError as error:
        log.error("hook.disk source=%s error=%s", door.name, type(error).__name__)
        raise _Refused(503, "it cannot be written down now", Retry_After="300") from error
