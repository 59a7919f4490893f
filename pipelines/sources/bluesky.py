"""Bluesky: posts found by search, read from the stream of all posts (Jetstream), or both.

`search` asks `app.bsky.feed.searchPosts` for each watched name, hashtag and handle, newest first,
back to the start of the window. `jetstream` reads every public post and keeps those that may name
what is watched. `both` reads the stream and searches only for what the stream could not give: the
time before the first run, and gaps. Whatever the mode, posts kept earlier are looked up again
(`app.bsky.feed.getPosts`) so that one deleted at its source is deleted here, and posts found in
the stream are looked up once for what the stream does not say: handle, counts, and whether the
author asks not to be shown to readers without an account.

Costs no money. Search needs an account with an app password; stream and look-up need nothing.
Lexicons of bluesky-social/atproto, read 2026-08-20.

Known gaps: search is the host's index, not a record of everything, and a host may refuse to page
without a session (told as `capped` with its gap). A post dated back by its author comes by the
stream only. A deletion in the stream is acted on at once when the post is among the last 2,000
kept or is being looked up; an older one is found when its turn to be looked up comes.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.errors import SourceError
from pipelines.mention import CollectedVia
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    Terms,
    _bluesky_posts as posts,
    _jetstream as jetstream,
    _xrpc as xrpc,
)
from pipelines.sources._sieve import Sieve, sieve

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="bluesky",
    label="Bluesky",
    access="search API with an app password; Jetstream and look-up of posts without a key",
    terms_url="https://bsky.social/about/support/tos",
    legal_basis=(
        "Public-interest mission, GDPR art. 6(1)(e); posts that their authors made public, read "
        "through the interfaces that the network offers for it"
    ),
    fields_kept=(
        "text",
        "address of the post",
        "time",
        "declared languages",
        "hashtags",
        "links",
        "thread and quoted post",
        "counts of likes, replies, reposts, quotes and bookmarks",
        "author as a rotating pseudonym",
    ),
    cost="free",
    retention_days=30,
    deletion_duty=(
        "posts deleted at their source, or whose account is closed or suspended, are emptied: at "
        "once when the stream says so, else when they are looked up again; posts of authors who "
        "ask not to be shown to readers without an account are only counted"
    ),
    version="1",
)

HostUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+/?$")]
StreamUrl = Annotated[str, Field(pattern=r"^wss?://[^\s/?#]+(/[^\s#]*)?$")]
_STREAM = "/xrpc/network.bsky.jetstream.subscribeEvents"
_PAGE = 100  # posts a page, the most that the lexicon allows
_LOOKED_UP = 25  # posts a look-up, the most that the lexicon allows
_RECENT = 2000  # kept posts whose deletion is recognised in the stream; 8 characters each
# So many posts of many authors do not go at once; a server that lost them, or another network, may.
_TOO_MANY_GONE = 10
_OF_A_PERSON = re.compile(r"(?:^|\s)-?(?:(?:from|author|by|to):|did:)", re.IGNORECASE)


class Options(BaseModel):
    """How to read Bluesky. `password_env` names the variable that holds an app password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["search", "jetstream", "both"] = "search"
    host: HostUrl = "https://bsky.social"
    handle: str = ""
    password_env: str | None = None
    anonymous: bool = False
    queries: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    max_pages: Annotated[int, Field(ge=1, le=1000)] = 50
    overlap_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    appview: HostUrl | Literal[""] = "https://public.api.bsky.app"
    jetstream_urls: Annotated[tuple[StreamUrl, ...], Field(min_length=1)] = (
        f"wss://jetstream.us-east.bsky.network{_STREAM}",
        f"wss://jetstream.us-west.bsky.network{_STREAM}",
    )
    read_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    idle_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0

    @field_validator("handle")
    @classmethod
    def _without_at(cls, handle: str) -> str:
        return handle.strip().removeprefix("@").lower()

    @field_validator("host")
    @classmethod
    def _in_secret(cls, host: str) -> str:
        is_here = urlsplit(host).hostname in {"localhost", "127.0.0.1", "::1"}
        if host.startswith("http://") and not is_here:
            raise ValueError(f"{host} would carry the app password in clear: write https://")
        return host

    @field_validator("queries")
    @classmethod
    def _of_no_person(cls, queries: tuple[str, ...]) -> tuple[str, ...]:
        for query in queries:
            if _OF_A_PERSON.search(query):
                raise ValueError(
                    f"the query {query!r} follows an account: Vigie watches subjects, not people "
                    "(GDPR art. 9, CJEU C-184/20); search for a name, a hashtag or a handle"
                )
            if not query.strip():
                raise ValueError("a query is empty: write words, or take it out")
        return queries

    @model_validator(mode="after")
    def _can_search(self) -> Options:
        if self.mode == "jetstream" or self.anonymous:
            return self
        if not self.handle or not self.password_env:
            raise ValueError(
                f"mode {self.mode!r} needs an account: set handle, and password_env to the name "
                'of the variable that holds an app password; or set mode = "jetstream", which '
                "needs none"
            )
        return self


def collect(request: Request) -> Iterator[Collected]:
    """The posts of the window, deletions, and last a `Checkpoint`; touches the network.

    Raises SourceError when nothing could be read, RateLimited when the host asks for a long wait.
    A second call over the same window finds the same posts again, as far as the host still has
    them.
    """
    run = _begun(request)
    if request.options.mode == "search":
        run.missing.append((request.since, request.until))
    else:
        yield from _streamed(run)
    if run.missing:
        yield from _searched_for_missing(run)
    yield from _looked_up_again(run)
    log.info(
        "bluesky.collected source=%s kept=%d other_language=%d",
        request.name,
        len(run.seen),
        run.other_language,
    )
    yield _checkpoint(run)


@dataclass(slots=True)
class _Run:
    """What one collection knows while it runs; the one thing here that changes in place."""

    request: Request
    marks: dict[str, None]  # of posts kept now and before, the oldest first
    seen: set[tuple[str, str]] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)  # posts that the stream said are deleted
    missing: list[tuple[datetime, datetime]] = field(default_factory=list)
    position: jetstream.Position | None = None
    gap: tuple[datetime, datetime] | None = None
    is_capped: bool = False
    notes: list[str] = field(default_factory=list)
    other_language: int = 0


def _begun(request: Request) -> _Run:
    kept = (request.cursor or {}).get("recent")
    marks = [mark for mark in kept if isinstance(mark, str)] if isinstance(kept, list) else []
    return _Run(request=request, marks=dict.fromkeys(marks))


def _mark(uri: str) -> str:
    """The short mark by which a post kept earlier is recognised: not the post, not its author."""
    return hashlib.blake2b(uri.encode(errors="replace"), digest_size=4).hexdigest()


def _checkpoint(run: _Run) -> Checkpoint:
    cursor: Cursor = {"until": run.request.until.isoformat()}
    if run.request.options.mode != "search":
        before = (run.request.cursor or {}).get("stream")
        cursor["stream"] = run.position.as_json() if run.position else before
        cursor["recent"] = list(run.marks)[-_RECENT:]
    note = "; ".join(dict.fromkeys(run.notes)) or None
    return Checkpoint(cursor=cursor, gap=run.gap, capped=run.is_capped, note=note)


def _is_new(run: _Run, view: Mapping[str, Any]) -> bool:
    """Whether this version of a post was not handed over in this run; notes that it is now."""
    uri, cid = str(view.get("uri")), str(view.get("cid"))
    if (uri, cid) in run.seen:
        return False
    run.seen.add((uri, cid))
    run.marks[_mark(uri)] = None
    return True


def _is_read(run: _Run, record: Any) -> bool:
    """Whether a post is in a language asked for; one that declares none always is."""
    wanted = {lang.lower().split("-")[0] for lang in run.request.options.langs}
    said = {lang.lower().split("-")[0] for lang in posts.declared_langs(record)}
    if not wanted or not said or wanted & said:
        return True
    run.other_language += 1
    return False


# --- search -----------------------------------------------------------------------------------


def queries(terms: Terms) -> tuple[str, ...]:
    """What to search for: exact names, hashtags, and those handles that are Bluesky's.

    A handle goes without @: with it, a host was seen to answer with everything (2025-07).
    """
    names = (_phrase(name) for name in terms.names)
    tags = (f"#{tag.lstrip('#')}" for tag in terms.hashtags)
    handles = (handle.lstrip("@") for handle in terms.handles)
    found = (*names, *tags, *(h for h in handles if "." in h and "@" not in h))
    return tuple({query.casefold(): query for query in found if query.strip('#" ')}.values())


def _phrase(name: str) -> str:
    words = " ".join(name.replace('"', " ").split())
    return f'"{words}"' if not words.isalnum() else words


def _caller(request: Request) -> xrpc.Ask:
    options: Options = request.options
    if options.anonymous or not options.password_env:
        return xrpc.without_session(request.client, options.host)
    password = request.secrets.get(options.password_env, "")
    if not password:
        raise SourceError(
            f"the variable {options.password_env} is empty: put the app password of "
            f'{options.handle} in it, or set mode = "jetstream" for {request.name}'
        )
    account = xrpc.Account(
        host=options.host,
        handle=options.handle,
        password=password,
        password_env=options.password_env,
        path=xrpc.session_path(request.home, host=options.host, handle=options.handle),
    )
    return xrpc.with_session(request.client, account)


def _searched_for_missing(run: _Run) -> Iterator[Payload]:
    """The posts of the windows that are missing; what cannot be had either is told as a gap.

    An error passes through where the search is all there is: without a stream, and in the first
    run, so that it is tried again.
    """
    is_all = run.position is None or not (run.request.cursor or {}).get("stream")
    windows = tuple(run.missing)
    try:
        yield from _searched(run)
    except SourceError as error:
        if is_all:
            raise
        run.notes.append(str(error))
        _tell_gap(run, windows)


def _tell_gap(run: _Run, windows: Sequence[tuple[datetime, datetime]]) -> None:
    run.is_capped = True
    run.gap = (min(start for start, _ in windows), max(end for _, end in windows))


def _searched(run: _Run) -> Iterator[Payload]:
    """The posts of every query over the windows that are missing, each version once."""
    since = min(start for start, _ in run.missing)
    until = max(end for _, end in run.missing)
    ask = _caller(run.request)
    asked = run.request.options.queries or queries(run.request.terms)
    if not asked:
        run.notes.append("nothing to search for: give the subjects names, hashtags or handles")
    cut = since
    for query in asked:
        reached = yield from _pages(run, ask, query, since, until)
        run.is_capped = run.is_capped or reached is not None
        cut = max(cut, reached or since)
    run.gap = (since, cut) if cut > since else None


def _pages(
    run: _Run, ask: xrpc.Ask, query: str, since: datetime, until: datetime
) -> Generator[Payload, None, datetime | None]:
    """The posts of one query, newest first; then None, or the moment before which none was read.

    A post counts by the time at which the network saw it, since its own date is its author's
    word; pages come in the order of the earlier of the two.
    """
    options: Options = run.request.options
    floor = since - timedelta(minutes=options.overlap_minutes)
    params: dict[str, Any] = {"q": query, "sort": "latest", "limit": _PAGE}
    params |= {"since": _stamp(floor), "until": _stamp(until)}
    reached, cursor = until, ""
    for number in range(options.max_pages):
        try:
            page = ask("app.bsky.feed.searchPosts", params | _if_any(cursor))
        except xrpc.XrpcError as error:
            if number == 0 or not _is_cursor_refused(error, options):
                raise
            run.notes.append(f"{options.host} does not page without a session")
            return reached
        views = [view for view in _rows(page, "posts", options.host) if isinstance(view, dict)]
        yield from _kept(run, views, floor, until)
        seen = [posts.times(view) for view in views]
        reached = min([reached, *(at for _, at in seen if at)])
        previous, cursor = cursor, _next(page)
        if any(at and at < floor for _, at in seen) or cursor in ("", previous):
            return None
    run.notes.append(f"a search was cut after {options.max_pages} pages: raise max_pages")
    return reached


def _next(page: Mapping[str, Any]) -> str:
    cursor = page.get("cursor")
    return cursor if isinstance(cursor, str) else ""


def _if_any(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _is_cursor_refused(error: xrpc.XrpcError, options: Options) -> bool:
    """Whether a host that answered the first page refuses the next for want of a session."""
    return options.anonymous and error.status in {400, 401, 403}


def _kept(
    run: _Run, views: Iterable[dict[str, Any]], floor: datetime, until: datetime
) -> Iterator[Payload]:
    """The posts of a page that lie in the window; one without a time is kept, to be told."""
    for view in views:
        _, indexed_at = posts.times(view)
        is_inside = indexed_at is None or floor <= indexed_at < until
        if is_inside and _is_read(run, view.get("record")) and _is_new(run, view):
            yield Payload(kind="post", data=view)


def _rows(page: Mapping[str, Any], key: str, host: str) -> list[Any]:
    found = page.get(key)
    if isinstance(found, list):
        return found
    raise SourceError(f"{host} answered without {key!r}: check that `host` is a Bluesky server")


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


# --- stream -----------------------------------------------------------------------------------


def _streamed(run: _Run) -> Iterator[Payload]:
    """The deletions of the stream, then its posts as the network shows them by now.

    A post written and deleted within one reading is not handed over at all. What the stream could
    not give is left in `run.missing`.
    """
    kept: dict[str, Payload] = {}
    try:
        ending = yield from _from_stream(run, kept)
    except SourceError as error:
        if run.request.options.mode == "jetstream":
            raise
        run.notes.append(str(error))
        run.missing.append((run.request.since, run.request.until))
        return
    run.position = ending.position
    run.notes += [ending.note] if ending.note else []
    _note_missing(run, ending)
    yield from _filled_in(run, kept)


def _note_missing(run: _Run, ending: jetstream.Ending) -> None:
    """What the stream did not give: searched for in mode `both`, told as a gap otherwise."""
    request = run.request
    missing = [ending.gap] if ending.gap else []
    if ending.is_behind and ending.position.at < request.until:
        missing.append((ending.position.at, request.until))
        run.notes.append("the stream was not read to the end of the window; the next run goes on")
    if request.options.mode == "both":
        is_first = not (request.cursor or {}).get("stream")
        run.missing += [*missing, *([(request.since, request.until)] if is_first else [])]
    elif missing:
        _tell_gap(run, missing)


def _from_stream(run: _Run, kept: dict[str, Payload]) -> Generator[Payload, None, jetstream.Ending]:
    """The deletions of the stream that concern us; posts that may name us go in `kept`."""
    request = run.request
    rechecked = frozenset(map(_mark, request.recheck_ids))
    may_name = sieve(request.terms)
    reading = jetstream.read(_order(request))
    while True:
        try:
            found = next(reading)
        except StopIteration as stop:
            ending: jetstream.Ending = stop.value
            return ending
        if found.event.kind == "account":
            yield from _account_ended(run, found, kept)
        elif found.event.uri:
            yield from _post_changed(run, found, kept, may_name, rechecked)


def _order(request: Request) -> jetstream.Order:
    options: Options = request.options
    # In mode `both` the past comes by search, so the stream begins at the end of the window.
    start = request.until if options.mode == "both" else request.since
    return jetstream.Order(
        client=request.client,
        urls=options.jetstream_urls,
        position=jetstream.position((request.cursor or {}).get("stream"), default=start),
        until=request.until,
        read_seconds=options.read_seconds,
        idle_seconds=options.idle_seconds,
    )


def _account_ended(run: _Run, found: jetstream.Read, kept: dict[str, Payload]) -> Iterator[Payload]:
    """The end of an account, with those of its posts that are being looked up."""
    if found.event.body.get("active") is not False:
        return
    did = found.event.did
    for uri in [uri for uri in kept if posts.author_of(uri) == did]:
        del kept[uri]
    uris = [uri for uri in run.request.recheck_ids if posts.author_of(uri) == did]
    run.ended.update(uris)
    if uris:
        yield Payload(kind="account", data={"event": found.frame, "uris": uris})


def _post_changed(
    run: _Run,
    found: jetstream.Read,
    kept: dict[str, Payload],
    may_name: Sieve,
    rechecked: frozenset[str],
) -> Iterator[Payload]:
    """The deletion of a post that we may hold; a post that may name us, or one that we hold."""
    event, uri = found.event, found.event.uri or ""
    is_known = event.operation != "create" and _is_known(run, uri, rechecked)
    payload = Payload(kind="event", data=found.frame)
    if event.operation == "delete":
        kept.pop(uri, None)
        if uri in run.request.recheck_ids:
            run.ended.add(uri)
        if is_known:
            yield payload
    elif is_known or _is_ours(run, event, may_name):
        kept[uri] = payload


def _is_known(run: _Run, uri: str, rechecked: frozenset[str]) -> bool:
    """Whether a post may be one that was kept; wrong once in a million, which harms nothing."""
    mark = _mark(uri)
    return mark in run.marks or mark in rechecked


def _is_ours(run: _Run, event: posts.Event, may_name: Sieve) -> bool:
    record = event.body.get("record")
    if not may_name(posts.seen_texts(record), posts.hashtags(record)):
        return False
    version = {"uri": event.uri, "cid": event.body.get("cid")}
    return _is_read(run, record) and _is_new(run, version)


# --- look-up ----------------------------------------------------------------------------------


def _filled_in(run: _Run, kept: Mapping[str, Payload]) -> Iterator[Payload]:
    """Each post kept of the stream as a look-up shows it, with handle, labels and counts.

    One that the look-up does not know (yet) is handed over as the stream gave it.
    """
    found: dict[str, bool] = {}
    for view in _looked_up(run, list(kept), found):
        yield Payload(kind="streamed_post", data=view)
    yield from (payload for uri, payload in kept.items() if not found.get(uri))


def _looked_up_again(run: _Run) -> Iterator[Payload]:
    """Posts kept earlier as they are now: again with fresh counts, or gone."""
    request = run.request
    found: dict[str, bool] = {}
    kind = "post" if request.options.mode == "search" else "streamed_post"
    uris = [uri for uri in request.recheck_ids if uri not in run.ended]
    for view in _looked_up(run, uris, found):
        if _is_new(run, view):
            yield Payload(kind=kind, data=view)
    missing = [uri for uri, is_there in found.items() if not is_there]
    if len(missing) >= _TOO_MANY_GONE and len(missing) == len(found):
        run.notes.append(
            f"{request.options.appview} knows none of {len(missing)} posts: none is taken for "
            "deleted; check appview"
        )
        return
    for uri in missing:
        yield Payload(kind="gone", data={"uri": uri}, fetched_at=request.until)


def _looked_up(run: _Run, uris: list[str], found: dict[str, bool]) -> Iterator[dict[str, Any]]:
    """The views of those posts that are there; `found` tells of each post asked for whether it is.

    A look-up that fails is told in a note and costs nothing else: the next run asks again.
    """
    request, host = run.request, run.request.options.appview
    asked = [uri for uri in uris if posts.author_of(uri)]
    ask = xrpc.without_session(request.client, host)
    for start in range(0, len(asked) if host else 0, _LOOKED_UP):
        batch = asked[start : start + _LOOKED_UP]
        try:
            rows = _rows(ask("app.bsky.feed.getPosts", {"uris": batch}), "posts", host)
        except SourceError as error:
            run.notes.append(f"posts could not be looked up: {error}")
            return
        views = {view.get("uri"): view for view in rows if isinstance(view, dict)}
        found.update({uri: uri in views for uri in batch})
        yield from (views[uri] for uri in batch if uri in views)


# --- parse ------------------------------------------------------------------------------------


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:  # noqa: ARG001
    """What a payload says: a `Post`, a `Deletion`, or a `Rejection` with its reason. Pure."""
    data, seen_at = payload.data, payload.fetched_at
    via: Mapping[str, CollectedVia] = {"post": "search", "streamed_post": "stream"}
    held = data if isinstance(data, dict) else {}
    if payload.kind in via:
        yield from posts.from_view(data, via=via[payload.kind])
    elif payload.kind == "event":
        yield from posts.from_event(data)
    elif payload.kind == "account":
        uris = held.get("uris")
        uris = uris if isinstance(uris, list) else []
        yield from posts.account_deletions(held.get("event"), uris, seen_at=seen_at)
    elif payload.kind == "gone":
        yield posts.gone(held.get("uri"), seen_at=seen_at)
    else:
        yield posts.unknown(payload.kind)
