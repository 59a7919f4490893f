"""Listens to a Mastodon server: hashtags, the public timeline, mentions and the own account.

One WebSocket carries all (streaming/index.js of mastodon/mastodon, read 2026-11-26). It needs the
token of an account. A stream has no memory, so that each connection begins with what the timelines
hold since the last id, read while the stream is open already; the same is done every five minutes,
for what the stream leaves out (statuses in a language that the account does not read, authors that
it mutes). Nothing is handed over twice in the same version.

Memory: ids and addresses of the last 20,000 statuses that this block has landed, about 6 MB, since
a deletion is told by its id alone.

Known gap: GoToSocial lets one connection follow a single hashtag; those after the first are seen
when the timelines are read.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import msgspec
from websockets.sync.client import ClientConnection

from pipelines.errors import SourceError
from pipelines.notes import why
from pipelines.sources import (
    Checkpoint,
    Collected,
    Payload,
    Request,
    _values as values,
    _websocket as websocket,
)
from pipelines.sources._mastodon_server import Server
from pipelines.sources._mastodon_timelines import (
    Run,
    Timeline,
    begun,
    handed_over,
    item_id,
    read,
    timelines,
    version_of,
)

KNOWN = 20_000  # statuses landed earlier whose edits and deletions are recognised
_READ_SECONDS = 300.0  # between two readings of the timelines
_BEAT_SECONDS = 0.5  # between two checkpoints while messages come
_QUIET_SECONDS = 1.0
# A peer that has gone is known to have by then (two pings), and not before.
_UNSURE = timedelta(seconds=2 * websocket.PING_SECONDS)
_AHEAD = timedelta(days=1)  # a server's clock may run ahead of ours: what it has now is wanted

Channel = tuple[str, str | None]


@dataclass(slots=True)
class _Ear:
    """What a reader knows; the one thing here that changes in place."""

    request: Request
    run: Run
    timelines: dict[Channel, list[Timeline]]
    known: dict[str, str]  # id to address of what was landed, the oldest first
    until: datetime
    read_at: float = 0.0  # the timelines, on the monotonic clock
    beat_at: float = 0.0
    unreadable: int = 0


def listened(request: Request) -> Iterator[Collected]:
    """What the server tells, until the connection breaks; a checkpoint every second or so.

    SourceError when it breaks or cannot be made: the next call goes on from the last ids.
    """
    ear = _begun(request)
    with _stream(ear) as stream:
        while True:
            if not ear.read_at:
                yield from _timelines_read(ear)
            elif time.monotonic() - ear.read_at > _READ_SECONDS:
                yield from _timelines_read_again(ear)
            message, is_quiet = _message(stream, ear)
            yield from _told(message, ear)
            if is_quiet or time.monotonic() - ear.beat_at > _BEAT_SECONDS:
                yield _checkpoint(ear)


def _begun(request: Request) -> _Ear:
    run = begun(replace(request, until=request.now() + _AHEAD))
    if not run.server.headers:
        raise SourceError(
            f"{run.server.options.host} streams to accounts only: set token_env to a token with "
            "read:statuses and read:notifications, or take live out of this source"
        )
    by_channel: dict[Channel, list[Timeline]] = {}
    for timeline in timelines(run):
        tag = timeline.tag.casefold() if timeline.tag else None
        by_channel.setdefault((timeline.channel, tag), []).append(timeline)
    ear = _Ear(request, run, by_channel, {}, until=request.since)
    newest_first = [_identity(payload) for payload in islice(request.landed(), KNOWN)]
    for identity in reversed(newest_first):
        _remember(ear, identity)
    return ear


def _identity(payload: Payload) -> tuple[str, str, str]:
    """The id of a landed status, its address and its version; empty where it is no status."""
    uri = values.string(values.mapping(payload.data).get("uri")) or ""
    return item_id(payload.data) or "", uri, version_of(payload.data)


def _remember(ear: _Ear, identity: tuple[str, str, str]) -> None:
    """Know a landed status again: by its id alone, and in which version it was landed."""
    key, uri, version = identity
    if not key or not uri:
        return
    for memory, value in ((ear.known, uri), (ear.run.handed, version)):
        memory.pop(key, None)
        memory[key] = value
        if len(memory) > KNOWN:
            del memory[next(iter(memory))]


@contextmanager
def _stream(ear: _Ear) -> Iterator[ClientConnection]:
    """The open stream, every channel asked for; SourceError."""
    home = ear.run.server
    first, *others = ear.timelines
    try:
        address = f"{home.stream_url}?{urlencode(_asked(first))}"
        with websocket.opened(ear.request.client, address, headers=home.headers) as stream:
            for channel in others:
                websocket.sent(stream, {"type": "subscribe", **_asked(channel)})
            yield stream
    except websocket.Broken as broken:
        raise _ended(home, broken) from broken


def _ended(home: Server, broken: websocket.Broken) -> SourceError:
    where = f"the stream of {websocket.host(home.stream_url)}"
    if isinstance(broken, websocket.Refused) and broken.status in {401, 403}:
        return SourceError(f"{where} refuses the token: {_TOKEN}")
    return SourceError(f"{where} has ended ({broken}): it goes on from the last status read")


_TOKEN = "it must be of an account, and allow read:statuses and read:notifications"  # noqa: S105


def _asked(channel: Channel) -> dict[str, str]:
    name, tag = channel
    return {"stream": name, **({"tag": tag} if tag else {})}


def _timelines_read(ear: _Ear) -> Iterator[Collected]:
    """What the timelines hold since the last ids, to their ends: what is left out would be lost,
    since the stream moves the ids on. Then all up to now has been read."""
    began_at = ear.request.now()
    ear.run.request = replace(ear.run.request, until=began_at + _AHEAD)
    for timeline in [t for listed in ear.timelines.values() for t in listed]:
        before, is_done = ear.run.positions.get(timeline.name), False
        while not is_done:
            is_done = yield from _remembered(read(timeline, ear.run, before=before), ear)
            yield _checkpoint(ear, is_beat=False)
    ear.until = max(ear.until, began_at)
    ear.read_at = time.monotonic()


def _remembered(
    items: Generator[Collected, None, bool], ear: _Ear
) -> Generator[Collected, None, bool]:
    """The same items, each status of them known from now on."""
    while True:
        try:
            item = next(items)
        except StopIteration as stop:
            return bool(stop.value)
        if isinstance(item, Payload):
            _remember(ear, _identity(item))
        yield item


def _timelines_read_again(ear: _Ear) -> Iterator[Collected]:
    """The same beside a stream that works: a failure is told, and the next time does better."""
    try:
        yield from _timelines_read(ear)
    except SourceError as error:
        ear.run.notes.append(why(error))
        ear.read_at = time.monotonic()


def _message(stream: ClientConnection, ear: _Ear) -> tuple[Mapping[str, Any], bool]:
    """The next message, an empty one where none came or it cannot be read; whether none came."""
    try:
        found = websocket.received(stream, timeout=_QUIET_SECONDS)
    except TimeoutError:
        return {}, True
    except websocket.UNREADABLE:
        ear.unreadable += 1
        return {}, False
    return values.mapping(found), False


def _told(message: Mapping[str, Any], ear: _Ear) -> Iterator[Payload]:
    """What a message says that concerns us."""
    if "error" in message:
        raise SourceError(
            f"{ear.run.server.options.host} does not stream what was asked "
            f"({websocket.said(message)}): check the token: {_TOKEN}"
        )
    event, body = message.get("event"), message.get("payload")
    if event == "delete":
        yield from _deleted(body, ear)
    elif event in ("update", "status.update", "notification"):
        told = _decoded(body, ear)
        for timeline in ear.timelines.get(_channel(message), ()):
            yield from _status_told(str(event), told, timeline, ear)


def _decoded(body: Any, ear: _Ear) -> Any:
    """The content of a message, which is JSON within JSON."""
    if not isinstance(body, str):
        return body
    try:
        return msgspec.json.decode(body)
    except websocket.UNREADABLE:
        ear.unreadable += 1
        return None


def _channel(message: Mapping[str, Any]) -> Channel:
    told = message.get("stream")
    names = [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
    name = names[0] if names else ""
    # GoToSocial names a hashtag in one word: "hashtag:valmont".
    if len(names) == 1 and name.startswith("hashtag:") and name != "hashtag:local":
        name, _, tag = name.partition(":")
        return name, tag.casefold()
    return name, names[1].casefold() if len(names) > 1 else None


def _status_told(event: str, told: Any, timeline: Timeline, ear: _Ear) -> Iterator[Payload]:
    """The status of a message, for one of the timelines of its channel."""
    notice = values.mapping(told)
    is_mention = timeline.kind == "mention"
    if is_mention != (event == "notification"):
        return
    if is_mention and notice.get("type") != "mention":
        return
    status = notice.get("status") if is_mention else told
    if not isinstance(status, dict) or (timeline.kind == "own" and not _is_own(status, ear)):
        return
    for payload in handed_over(status, timeline, ear.run):
        _remember(ear, _identity(payload))
        yield payload
    if event != "status.update":
        _move_on(timeline.name, item_id(told), ear)


def _is_own(status: Mapping[str, Any], ear: _Ear) -> bool:
    """Whether a status of the home timeline is by the institution; others are not ours to read."""
    own = (ear.run.server.options.account or "").lstrip("@").casefold()
    acct = values.string(values.mapping(status.get("account")).get("acct")) or ""
    return acct.casefold() in {own, own.removesuffix(f"@{ear.run.server.domain}")}


def _move_on(name: str, key: str | None, ear: _Ear) -> None:
    """Go on from this id next time, if it is later: ids of one server sort by length, then text."""
    before = ear.run.positions.get(name, "")
    if key and (len(key), key) > (len(before), before):
        ear.run.positions[name] = key


def _deleted(key: Any, ear: _Ear) -> Iterator[Payload]:
    uri = ear.known.get(str(key))
    if uri:
        data = {"uri": uri, "checked_at": ear.request.now().isoformat()}
        yield Payload(kind="gone", data=data, instance=ear.run.server.domain)


def _checkpoint(ear: _Ear, *, is_beat: bool = True) -> Checkpoint:
    """Where the next connection goes on; what there was to tell is told once."""
    run = ear.run
    if is_beat:
        ear.beat_at = time.monotonic()
        ear.until = max(ear.until, ear.request.now() - _UNSURE)
    if ear.unreadable:
        run.notes.append(f"{ear.unreadable} messages could not be read")
    found = replace(run.checkpoint(), until=ear.until)
    run.notes.clear()
    run.gap, run.private_count, run.is_capped, ear.unreadable = None, 0, False, 0
    return found
