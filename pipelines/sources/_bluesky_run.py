"""What one collection of Bluesky knows while it runs, and the look-up that all its parts share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.errors import SourceError
from pipelines.notes import noted
from pipelines.sources import (
    Checkpoint,
    Cursor,
    Payload,
    Request,
    _bluesky_posts as posts,
    _xrpc as xrpc,
)
from pipelines.sources._bluesky_options import Options
from pipelines.sources._jetstream import Position

RECENT = 2000  # kept posts whose deletion is recognised in the stream; 8 characters each
LOOKED_UP = 25  # posts a look-up, the most that the lexicon allows


@dataclass(slots=True)
class Run:
    """What one collection knows while it runs; the one thing here that changes in place."""

    request: Request
    options: Options
    known: frozenset[str]  # marks of posts that earlier runs kept, as far as they are remembered
    marks: dict[str, None]  # of posts kept by earlier runs and by this one, the oldest first
    seen: set[tuple[str, str]] = field(default_factory=set)
    missing: list[tuple[datetime, datetime]] = field(default_factory=list)
    position: Position | None = None
    gap: tuple[datetime, datetime] | None = None
    is_capped: bool = False
    notes: list[str] = field(default_factory=list)
    other_language: int = 0


def begun(request: Request) -> Run:
    """A run that knows what the cursor tells of the runs before, and has done nothing yet."""
    kept = (request.cursor or {}).get("recent")
    marks = kept if isinstance(kept, list) else []
    before = dict.fromkeys(found for found in marks if isinstance(found, str))
    return Run(request=request, options=request.options, known=frozenset(before), marks=before)


def mark(uri: str) -> str:
    """The short mark by which a post kept earlier is recognised: not the post, not its author."""
    return hashlib.blake2b(uri.encode(errors="replace"), digest_size=4).hexdigest()


def checkpoint(run: Run) -> Checkpoint:
    """Where the next run goes on, and what this one could not see."""
    cursor: Cursor = {"until": run.request.until.isoformat()}
    if run.options.mode != "search":
        before = (run.request.cursor or {}).get("stream")
        cursor["stream"] = run.position.as_json() if run.position else before
        cursor["recent"] = list(run.marks)[-RECENT:]
    note = noted(run.notes)
    return Checkpoint(cursor=cursor, gap=run.gap, capped=run.is_capped, note=note)


def is_new(run: Run, uri: str, cid: Any) -> bool:
    """Whether this version of a post was not handed over in this run; notes that it is now."""
    version = (uri, str(cid))
    if version in run.seen:
        return False
    run.seen.add(version)
    run.marks[mark(uri)] = None
    return True


def is_read(run: Run, record: Any) -> bool:
    """Whether a post is in a language asked for; one that declares none always is."""
    wanted = {lang.lower().split("-")[0] for lang in run.options.langs}
    said = {lang.lower().split("-")[0] for lang in posts.declared_langs(record)}
    if not wanted or not said or wanted & said:
        return True
    run.other_language += 1
    return False


def tell_gap(run: Run, windows: Sequence[tuple[datetime, datetime]]) -> None:
    """Note that something of `windows`, none of them empty, was not read."""
    run.is_capped = True
    run.gap = (min(start for start, _ in windows), max(end for _, end in windows))


def looked_up(
    request: Request, uris: Iterable[str], found: dict[str, bool]
) -> Iterator[dict[str, Any]]:
    """The views of those posts that are there; `found` tells of each post asked for whether it is.

    Costs one call for 25 posts, and asks nobody where `appview` is empty. SourceError.
    """
    host = request.options.appview
    asked = [uri for uri in uris if posts.author_of(uri)] if host else []
    ask = xrpc.without_session(request.client, host)
    for start in range(0, len(asked), LOOKED_UP):
        batch = asked[start : start + LOOKED_UP]
        answer = rows(ask("app.bsky.feed.getPosts", {"uris": batch}), "posts", host)
        views = {view.get("uri"): view for view in answer if isinstance(view, dict)}
        found.update({uri: uri in views for uri in batch})
        yield from (views[uri] for uri in batch if uri in views)


def is_of_version(view: Mapping[str, Any], streamed: Payload) -> bool:
    """Whether a view shows a post as the stream told it last: an index takes its time (seconds,
    seen with Bluesky's own) to know of an edit, and would bring the old text back."""
    return view.get("cid") == posts.event(streamed.data).body.get("cid")


def rows(page: Mapping[str, Any], key: str, host: str) -> list[Any]:
    """The list that an answer holds under `key`; SourceError when it holds none."""
    found = page.get(key)
    if isinstance(found, list):
        return found
    raise SourceError(f"{host} answered without {key!r}: check that `host` is a Bluesky server")
