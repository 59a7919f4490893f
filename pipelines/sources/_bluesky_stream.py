"""Keeps of the stream of every public post those that may name what is watched, and deletions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

from pipelines.errors import SourceError
from pipelines.notes import why
from pipelines.sources import Payload, Request, _bluesky_posts as posts, _jetstream as jetstream
from pipelines.sources._bluesky_options import Options
from pipelines.sources._bluesky_run import (
    Run,
    is_new,
    is_of_version,
    is_read,
    looked_up,
    mark,
    tell_gap,
)
from pipelines.sources._sieve import Sieve, sieve


def streamed(run: Run) -> Iterator[Payload]:
    """The deletions of the stream, then its posts as the network shows them by now.

    A post written and deleted within one reading is not handed over at all. What the stream could
    not give is left in `run.missing`.
    """
    kept: dict[str, Payload] = {}
    try:
        ending = yield from _from_stream(run, kept)
    except SourceError as error:
        if run.options.mode == "jetstream":
            raise
        run.notes.append(why(error))
        run.missing.append((run.request.since, run.request.until))
        return
    run.position = ending.position
    run.notes += [ending.note] if ending.note else []
    _note_missing(run, ending)
    yield from _filled_in(run, kept)


def _note_missing(run: Run, ending: jetstream.Ending) -> None:
    """What the stream did not give: searched for in mode `both`, told as a gap otherwise."""
    request = run.request
    missing = [ending.gap] if ending.gap else []
    if ending.is_behind and ending.position.at < request.until:
        missing.append((ending.position.at, request.until))
        run.notes.append("the stream was not read to the end of the window; the next run goes on")
    if run.options.mode == "both":
        is_first = not (request.cursor or {}).get("stream")
        run.missing += [*missing, *([(request.since, request.until)] if is_first else [])]
    elif missing:
        tell_gap(run, missing)


def _from_stream(run: Run, kept: dict[str, Payload]) -> Generator[Payload, None, jetstream.Ending]:
    """The deletions of the stream that concern us; posts that may name us go in `kept`."""
    request = run.request
    may_name = sieve(request.terms)
    reading = jetstream.read(_order(request))
    while True:
        try:
            found = next(reading)
        except StopIteration as stop:
            ending: jetstream.Ending = stop.value
            return ending
        if found.event.kind == "account":
            _account_ended(found, kept)
        elif found.event.uri:
            yield from _post_changed(run, found, kept, may_name)


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


def _account_ended(found: jetstream.Read, kept: dict[str, Payload]) -> None:
    """Nothing is kept of an account that has ended; its older posts are found when looked up."""
    if found.event.body.get("active") is False:
        for uri in [uri for uri in kept if posts.author_of(uri) == found.event.did]:
            del kept[uri]


def _post_changed(
    run: Run, found: jetstream.Read, kept: dict[str, Payload], may_name: Sieve
) -> Iterator[Payload]:
    """The deletion of a post that we may hold; a post that may name us, or one that we hold."""
    event, uri = found.event, found.event.uri or ""
    # Wrong once in a million, which harms nothing: what is deleted or edited is not found here.
    is_known = event.operation != "create" and mark(uri) in run.known
    payload = Payload(kind="event", data=found.frame)
    if event.operation == "delete":
        kept.pop(uri, None)
        if is_known:
            yield payload
    elif is_known or uri in kept or _is_ours(run, event, may_name):
        kept[uri] = payload


def _is_ours(run: Run, event: posts.Event, may_name: Sieve) -> bool:
    record = event.body.get("record")
    if not may_name(posts.seen_texts(record), posts.hashtags(record)):
        return False
    return is_read(run, record) and is_new(run, event.uri or "", event.body.get("cid"))


def _filled_in(run: Run, kept: Mapping[str, Payload]) -> Iterator[Payload]:
    """Each post kept of the stream as a look-up shows it, with handle, labels and counts.

    One that the look-up does not know (yet) in this version is handed over as the stream gave it,
    and so is each where it fails: they are looked up again later.
    """
    shown: set[str] = set()
    try:
        for view in looked_up(run.request, list(kept), {}):
            if is_of_version(view, kept[view["uri"]]):
                shown.add(view["uri"])
                yield Payload(kind="streamed_post", data=view)
    except SourceError as error:
        run.notes.append(f"posts could not be looked up: {error}")
    yield from (payload for uri, payload in kept.items() if uri not in shown)
