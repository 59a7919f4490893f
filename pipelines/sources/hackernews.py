"""Hacker News: stories and comments that name what is watched, by Algolia's search of it.

A query gives 1,000 hits at most, whatever its pages: a full answer is gone on from its oldest hit,
so that the window slides back to where it began. Algolia forgives typing errors, which turns one
town into another: that is turned off, and what comes is sifted by whole words all the same.

Costs one request a query and run, of some 10,000 an hour for an address. Known gaps: more than
1,000 hits in one second (told as a gap); votes of comments, which are not public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.mention import ContentType, Deletion, Post, Rejection
from pipelines.sources import (
    Collected,
    Manifest,
    Parsed,
    Payload,
    Request,
    _rounds as rounds,
    _values as values,
)
from pipelines.sources._rounds import Queries, Round
from pipelines.sources._sieve import Sieve, sieve

MANIFEST = Manifest(
    name="hackernews",
    label="Hacker News",
    access="search interface of Algolia for Hacker News; no account, no key",
    terms_url="https://www.ycombinator.com/legal/",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "number and address of the item",
        "title, text, link",
        "time",
        "account (pseudonym)",
        "points, number of comments",
    ),
    cost="free",
    retention_days=180,
    deletion_duty="looked up again while kept, and emptied when gone",
    limits=(Limit(name="calls", most=10_000, per=Rolling(3600)),),
)

_MOST = 1_000  # hits a query
_LATE = timedelta(minutes=30)  # an item may take as long to be indexed
_RECHECKS = 10  # each a request of its own
_FEW = 5  # items that may all be gone at once
_SITE = "https://news.ycombinator.com/item?id="


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `hackernews`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = "https://hn.algolia.com"
    queries: Queries = ()
    max_pages: Annotated[int, Field(ge=1, le=100)] = 10


def collect(request: Request) -> Iterator[Collected]:
    """The stories and comments of the window that name a subject, and those gone; the network.

    SourceError when no query could be read.
    """
    options: Options = request.options
    run = rounds.begun(request, kind=MANIFEST.name, of=options.host.rstrip("/"))
    queries = rounds.wanted(options.queries, request)
    run.forget_all_but(queries)
    may_name = None if options.queries else sieve(request.terms)
    yield from rounds.asked(run, queries, lambda query: _asked(run, query, may_name))
    if run.retry_at is None:
        yield from _looked_up_again(run)
    yield run.checkpoint()


def _asked(run: Round, query: str, may_name: Sieve | None) -> Iterator[Payload]:
    """What a query finds, answer after answer back to the start of its window."""
    since, end = run.since(query, overlap=_LATE), run.request.until
    for _ in range(run.request.options.max_pages):
        hits = _hits(run, query, since, end)
        for hit in hits:
            if _is_watched(hit, may_name) and run.is_new(_key(hit)):
                yield Payload(kind="hit", data=hit)
        oldest = min(filter(None, map(_at, hits)), default=since)
        if len(hits) < _MOST or oldest <= since:
            run.reached[query] = run.request.until
            return
        if oldest >= end:  # one second that holds more than an answer
            run.tell_cut((oldest, oldest + timedelta(seconds=1)), f"{_MOST} hits in a second")
            oldest -= timedelta(seconds=1)
        end = oldest
    run.tell_cut((since, end), "there are more hits than max_pages allows")
    run.reached[query] = run.request.until


def _hits(run: Round, query: str, since: datetime, end: datetime) -> list[Any]:
    options: Options = run.request.options
    window = f"created_at_i>={int(since.timestamp())},created_at_i<={int(end.timestamp())}"
    answer = run.request.client.get(
        f"{options.host.rstrip('/')}/api/v1/search_by_date",
        params={
            "query": query,
            "tags": "(story,comment)",
            "numericFilters": window,
            "hitsPerPage": str(_MOST),
            "typoTolerance": "false",
            "advancedSyntax": "true",
            "attributesToHighlight": "[]",
        },
    )
    hits = values.mapping(answer.json()).get("hits")
    if not isinstance(hits, list):
        raise SourceError(f"{options.host} answered without hits: check that `host` is Algolia's")
    return hits


def _key(hit: Any) -> str:
    return values.identifier(values.mapping(hit).get("objectID")) or repr(hit)


def _at(hit: Any) -> datetime | None:
    told = values.mapping(hit)
    return values.epoch(told.get("created_at_i")) or values.time(told.get("created_at"))


def _is_watched(hit: Any, may_name: Sieve | None) -> bool:
    """Whether a hit may name a subject; what is no hit is handed over, for the parser to say so."""
    if may_name is None or not isinstance(hit, dict):
        return True
    names = ("title", "story_title", "comment_text", "story_text")
    return may_name([text for name in names if (text := values.string(hit.get(name)))], ())


def _looked_up_again(run: Round) -> Iterator[Payload]:
    """Items kept earlier that are not there any more; a failure is told and costs no more."""
    ids = run.request.recheck_ids[:_RECHECKS]
    gone = []
    for native_id in ids:
        try:
            run.request.client.get(f"{run.of}/api/v1/items/{native_id}")
        except StatusRefused as error:
            if error.status != 404:
                run.notes.append(f"deletions could not be checked: {error}")
                return
            gone.append(native_id)
        except SourceError as error:
            run.notes.append(f"deletions could not be checked: {error}")
            return
    if len(gone) == len(ids) > _FEW:
        run.notes.append(f"none of {len(ids)} items is known: none is taken for deleted")
        return
    for native_id in gone:
        data = {"id": native_id, "checked_at": run.request.until.isoformat()}
        yield Payload(kind="gone", data=data)


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:  # noqa: ARG001
    """The story, comment, deletion or rejection of a payload. Pure."""
    told = values.mapping(payload.data)
    if payload.kind == "gone":
        yield _deletion(told)
        return
    native_id = values.identifier(told.get("objectID"))
    if native_id is None or not native_id.isdecimal():
        yield _rejection(None, "no_id", "the hit has no number of an item")
    else:
        yield _post(told, native_id)


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=MANIFEST.name, native_id=native_id, reason=reason, detail=detail)


def _deletion(told: Mapping[str, Any]) -> Deletion | Rejection:
    native_id, at = values.string(told.get("id")), values.time(told.get("checked_at"))
    if native_id is None or at is None:
        return _rejection(native_id, "no_id", "a deletion has no id or no time")
    return Deletion(source=MANIFEST.name, native_id=native_id, deleted_at=at, reason="gone")


def _post(told: Mapping[str, Any], native_id: str) -> Post:
    at, author = _at(told), values.string(told.get("author"))
    thread = values.identifier(told.get("story_id")) or native_id
    parent = values.identifier(told.get("parent_id"))
    kind = _content_type(thread, parent)
    link = values.web_address(told.get("url"))
    text = values.string(told.get("comment_text")) or values.string(told.get("story_text"))
    return Post(
        native_id=native_id,
        text=text or "",
        text_format="html",
        title=values.string(told.get("title")) if kind == "post" else None,
        published_at=at,
        published_precision="second" if at else "unknown",
        network="hackernews",
        content_type=kind,
        url=f"{_SITE}{native_id}",
        lang_declared="en",
        author_id=author,
        author_handle=author,
        thread_id=thread,
        parent_native_id=parent,
        root_native_id=thread if kind != "post" else None,
        reply_count=values.count(told.get("num_comments")),
        platform_score=values.number(told.get("points")),
        urls=(link,) if link else (),
        context=values.string(told.get("story_title")) if kind != "post" else None,
    )


def _content_type(thread: str, parent: str | None) -> ContentType:
    if parent is None:
        return "post"
    return "comment" if parent == thread else "reply"
