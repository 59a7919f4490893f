"""Listens to the stream of every public post and keeps what may name what is watched.

What is kept waits two seconds, so that what is deleted at once is never landed, and is then looked
up, 25 posts a call, for what the stream does not tell: handle, counts, and whether the author asks
not to be shown to readers without an account. Where the look-up fails or the reader lags behind
the network, posts are handed over as the stream gave them, and looked up later by `recheck`.

Memory: the addresses of the last 20,000 posts that this block has landed, about 5 MB, by which
their edits, their deletions and the end of their accounts are recognised.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pipelines.errors import SourceError
from pipelines.notes import noted
from pipelines.sources import (
    Checkpoint,
    Collected,
    Payload,
    Request,
    _bluesky_posts as posts,
    _jetstream as jetstream,
)
from pipelines.sources._bluesky_run import Run, is_of_version, is_read, looked_up
from pipelines.sources._sieve import Sieve, sieve

KNOWN = 20_000  # posts landed earlier whose edits and deletions are recognised
HOLD_SECONDS = 2.0  # what a network's index may take to know a post
_HOLD_POSTS = 100  # posts that wait at most
_REST_SECONDS = 60.0  # without a look-up after one that failed
_BEHIND = timedelta(minutes=1)  # a reader so late has no time for look-ups


@dataclass(slots=True)
class _Ear:
    """What a reader knows; the one thing here that changes in place."""

    request: Request
    run: Run
    may_name: Sieve
    known: dict[str, str]  # address to version of what was landed, the oldest first
    waiting: dict[str, Payload] = field(default_factory=dict)
    ended: list[Payload] = field(default_factory=list)
    since: float = 0.0  # when the first that waits came, on the monotonic clock
    resting_until: float = 0.0
    notes: list[str] = field(default_factory=list)
    gap: jetstream.Window | None = None


def listened(request: Request) -> Iterator[Collected]:
    """The posts, edits and deletions that concern us, and a checkpoint after each handful."""
    ear = _begun(request)
    for heard in jetstream.follow(_order(request), now=request.now):
        if isinstance(heard, jetstream.Read):
            _hear(ear, heard)
            continue
        ear.gap = jetstream.joined(ear.gap, heard.gap)
        ear.notes += [heard.note] if heard.note else []
        if _is_due(ear):
            yield from _handed_over(ear, heard)
        if not ear.waiting:
            yield _checkpoint(ear, heard)


def _begun(request: Request) -> _Ear:
    known: dict[str, str] = {}
    for payload in request.landed():
        uri, version = _landed_as(payload)
        if uri and uri not in known:
            known[uri] = version
        if len(known) >= KNOWN:
            break
    newest_last = dict(reversed(known.items()))
    run = Run(request=request, options=request.options, known=frozenset(), marks={})
    return _Ear(request=request, run=run, may_name=sieve(request.terms), known=newest_last)


def _landed_as(payload: Payload) -> tuple[str, str]:
    """The address and the version of the post that a landed payload holds, empty where none."""
    data = payload.data if isinstance(payload.data, dict) else {}
    if payload.kind == "event":
        found = posts.event(data)
        return found.uri or "", str(found.body.get("cid"))
    is_view = payload.kind in {"post", "streamed_post"}
    return (str(data.get("uri")), str(data.get("cid"))) if is_view else ("", "")


def _order(request: Request) -> jetstream.Order:
    options = request.options
    return jetstream.Order(
        client=request.client,
        urls=options.jetstream_urls,
        position=jetstream.position((request.cursor or {}).get("stream"), default=request.since),
        until=request.until,
        read_seconds=options.read_seconds,
        idle_seconds=options.idle_seconds,
    )


def _hear(ear: _Ear, heard: jetstream.Read) -> None:
    """Take in one event: a post or an edit to keep, a deletion, the end of an account."""
    event = heard.event
    if event.kind == "account":
        _account_ended(ear, heard)
    elif event.operation == "delete":
        _deleted(ear, heard)
    elif event.uri and _is_ours(ear, event):
        ear.since = ear.since if ear.waiting else time.monotonic()
        ear.waiting[event.uri] = Payload(kind="event", data=heard.frame)


def _is_ours(ear: _Ear, event: posts.Event) -> bool:
    """Whether to keep a post: one that may name us, or an edit of one that was landed.

    Not what was landed in this version: after a reconnection some of it comes again.
    """
    uri, record = event.uri or "", event.body.get("record")
    version = ear.known.get(uri)
    if version is not None:
        return version != str(event.body.get("cid"))
    may_name = ear.may_name(posts.seen_texts(record), posts.hashtags(record))
    return (may_name and is_read(ear.run, record)) or uri in ear.waiting


def _deleted(ear: _Ear, heard: jetstream.Read) -> None:
    uri = heard.event.uri or ""
    ear.waiting.pop(uri, None)
    if uri in ear.known:
        ear.ended.append(Payload(kind="event", data=heard.frame))


def _account_ended(ear: _Ear, heard: jetstream.Read) -> None:
    if heard.event.body.get("active") is not False:
        return
    begun = f"at://{heard.event.did}/"
    for uri in [uri for uri in ear.waiting if uri.startswith(begun)]:
        del ear.waiting[uri]
    uris = [uri for uri in ear.known if uri.startswith(begun)]
    if uris:
        ear.ended.append(Payload(kind="account", data={"event": heard.frame, "uris": uris}))


def _is_due(ear: _Ear) -> bool:
    is_old = time.monotonic() - ear.since >= HOLD_SECONDS
    return bool(ear.ended) or (bool(ear.waiting) and (is_old or len(ear.waiting) >= _HOLD_POSTS))


def _handed_over(ear: _Ear, pulse: jetstream.Pulse) -> Iterator[Payload]:
    """All that waits: posts as the network shows them by now, then what has ended."""
    shown: set[str] = set()
    for view in _views(ear, pulse):
        uri = str(view.get("uri"))
        if is_of_version(view, ear.waiting[uri]):
            shown.add(uri)
            _remember(ear, uri, view.get("cid"))
            yield Payload(kind="streamed_post", data=view)
    for uri, payload in ear.waiting.items():
        if uri not in shown:
            _remember(ear, uri, posts.event(payload.data).body.get("cid"))
            yield payload
    yield from ear.ended
    ear.waiting.clear()
    ear.ended.clear()


def _views(ear: _Ear, pulse: jetstream.Pulse) -> Iterator[dict[str, Any]]:
    """What the network shows of the posts that wait; nothing where there is no time to ask."""
    is_late = ear.request.now() - pulse.until > _BEHIND
    if is_late or time.monotonic() < ear.resting_until:
        return
    try:
        yield from looked_up(ear.request, list(ear.waiting), {})
    except SourceError as error:
        ear.resting_until = time.monotonic() + _REST_SECONDS
        ear.notes.append(f"posts could not be looked up: {error}")


def _remember(ear: _Ear, uri: str, version: Any) -> None:
    ear.known.pop(uri, None)
    ear.known[uri] = str(version)
    if len(ear.known) > KNOWN:
        del ear.known[next(iter(ear.known))]


def _checkpoint(ear: _Ear, pulse: jetstream.Pulse) -> Checkpoint:
    note = noted(ear.notes)
    gap, ear.gap = ear.gap, None
    ear.notes.clear()
    return Checkpoint(
        cursor={"stream": pulse.position.as_json()}, until=pulse.until, gap=gap, note=note
    )
