"""NodeBB forums: every public post as it comes, by the JSON twin of the list of recent posts.

The list is paged by number, newest first, and cut to what a guest may read *after* a page was
taken: pages are short or empty where posts are private, and an empty one is no end. What is new
since a page was taken moves everything down (a post comes twice, and is handed over once); what
is purged moves everything up, so the last minutes before the newest post are read again.

Posts kept earlier are looked up again by the public interface for programs (/api/v3/posts), which
counts no view of the topic: edits are followed, deletions honoured.

Costs one request a page of 20 posts, two a post looked up; NodeBB sets no limit of its own, so we
set one. Known gaps: 300 private posts in a row hide what lies below (told as a gap); a
forum that shows nothing to guests cannot be read, and its search wants a login.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http, plaintext
from pipelines.errors import SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.sources import (
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _nodebb_post as posts,
    _values as values,
)
from pipelines.sources._reading import Reading, begun, each
from pipelines.sources._sieve import Sieve, sieve

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="nodebb",
    label="NodeBB forums",
    access="public JSON of each forum, without an account",
    terms_url="the terms of each forum; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "id and link of the post",
        "title, tags and category of the topic",
        "text",
        "time of writing and editing",
        "member (pseudonym)",
        "links",
        "counts",
    ),
    cost="free",
    retention_days=30,
    deletion_duty="posts are looked up again; one deleted or purged is emptied",
    limits=(Limit(name="requests", most=2, per=Rolling(1)),),  # ours: NodeBB sets none
)

_EMPTY_PAGES = 3  # empty pages in a row that a first run takes for the end of the forum
_EMPTY_PAGES_KNOWN = 15  # and that another takes for a hole too deep
_RECHECKS = 30
_SEEN = 1_000  # posts of the last minutes that a cursor remembers, to be handed over once


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `nodebb`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    everything: bool = False
    label: str | None = None
    max_pages: Annotated[int, Field(ge=1, le=500)] = 50
    overlap_minutes: Annotated[int, Field(ge=0, le=1440)] = 10

    @field_validator("url")
    @classmethod
    def _is_a_forum(cls, value: str) -> str:
        return values.site(value)

    @property
    def host(self) -> str:
        """The forum's host, by which its posts are known everywhere."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class _Span:
    """Posts still to be walked through, from a page on: written from `floor` on, before `below`.

    `known` is when the newest post was written that an earlier run has read: the walk must meet
    it, or something hides it.
    """

    page: int
    floor: datetime
    below: datetime
    known: datetime | None
    empty_pages: int = 0  # in a row, just above


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a collection has reached: the time of the newest post, the spans left, what was met."""

    request: Request
    options: Options
    may_name: Sieve
    newest: datetime | None
    seen: frozenset[str]  # posts of the last minutes, handed over by the run before
    spans: list[_Span]
    pages: int
    met: dict[str, datetime] = field(default_factory=dict)
    reading: Reading

    def cursor(self) -> Cursor:
        """Where the next run goes on."""
        return {
            "url": self.options.url,
            "newest": self.newest and self.newest.isoformat(),
            "seen": self._last_minutes(),
            "spans": [
                [
                    s.page,
                    *(at and at.isoformat() for at in (s.floor, s.below, s.known)),
                    s.empty_pages,
                ]
                for s in self.spans
            ],
        }

    def _last_minutes(self) -> list[str]:
        """The posts that the next run reads again, the newest first."""
        if not self.newest or not self.met:
            return sorted(self.seen)
        floor = self.newest - timedelta(minutes=self.options.overlap_minutes)
        times = sorted(self.met.items(), key=lambda met: met[1], reverse=True)
        return [key for key, at in times if at >= floor][:_SEEN]


def collect(request: Request) -> Iterator[Collected]:
    """New public posts and those looked up again; touches the network.

    SourceError when nothing could be read; when part could, the rest is told in the note and
    comes with the next run.
    """
    run = _opened(request)
    yield from each(_spans(run), lambda span: _walked(span, run), run.reading)
    yield run.reading.checkpoint(run.cursor())
    yield from _checked_again(run)
    log.info("nodebb.read source=%s count=%d", request.name, len(run.reading.handed))
    yield run.reading.checkpoint(run.cursor())


def _opened(request: Request) -> _Run:
    options: Options = request.options
    cursor = request.cursor or {}
    if cursor.get("url") != options.url:
        cursor = {}
    return _Run(
        request=request,
        options=options,
        may_name=sieve(request.terms),
        newest=values.time(cursor.get("newest")),
        seen=frozenset(k for k in values.items(cursor.get("seen")) if isinstance(k, str)),
        spans=list(_known_spans(cursor.get("spans"))),
        pages=options.max_pages,
        reading=begun(request),
    )


def _known_spans(spans: Any) -> Iterator[_Span]:
    for span in values.items(spans):
        if not isinstance(span, list) or len(span) != 5:
            continue
        page, (floor, below, known) = values.row_id(span[0]), map(values.time, span[1:4])
        if page and floor and below:
            yield _Span(page, floor, below, known, values.count(span[4]) or 0)


def _spans(run: _Run) -> list[_Span]:
    """What there is to walk through: the new, then what earlier runs had no pages left for."""
    overlap = timedelta(minutes=run.options.overlap_minutes)
    floor = run.newest - overlap if run.newest else run.request.since
    return [_Span(1, floor, run.request.until, run.newest), *run.spans]


def _walked(span: _Span, run: _Run) -> Generator[Collected, None, None]:
    """The posts of a span, page by page; what is left of it is kept for the next run."""
    while run.pages > 0:
        page = _page(run, span.page)
        run.pages -= 1
        items = [item for item in page if _is_within(item, span)]
        yield from _handed_over(items, run)
        _remember(items, run)
        run.spans = [kept for kept in run.spans if kept != span]
        span = _further(span, page)
        if _is_below(page, span.floor) or _is_end(span, run):
            return
        run.spans.append(span)
    run.reading.cut("there are older posts, and the next run goes on there; see max_pages")


def _is_end(span: _Span, run: _Run) -> bool:
    """Whether enough empty pages were met to go no further down; what they hide is told.

    A walk that has not met what an earlier run has read goes on longer: it must lie below.
    """
    is_met = span.known is None or any(at <= span.known for at in run.met.values())
    if is_met:
        return span.empty_pages >= _EMPTY_PAGES
    if span.empty_pages < _EMPTY_PAGES_KNOWN:
        return False
    run.reading.missed(span.floor, span.below)
    run.reading.cut(
        f"{_EMPTY_PAGES_KNOWN} pages in a row hold nothing that a guest may read: what lies "
        "below was not seen"
    )
    return True


def _page(run: _Run, number: int) -> list[Any]:
    found = _asked(run, "api/recent/posts", {"page": str(number)})
    if not isinstance(found, list):
        raise _not_nodebb(run.options)
    return found


def _asked(run: _Run, path: str, params: dict[str, str]) -> Any:
    url = f"{run.options.url}/{path}"
    try:
        return run.request.client.get(url, params=params).json()
    except StatusRefused as error:
        raise _explained(error, run.options) from error


def _not_nodebb(options: Options) -> SourceError:
    return SourceError(
        f"{http.shown(options.url)} does not answer as NodeBB does: check that it is the address "
        "of a NodeBB forum"
    )


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    """The same error, with what to do where the forum keeps strangers out."""
    if error.status not in {401, 403}:
        return error
    return StatusRefused(
        f"{http.shown(options.url)} answered with status {error.status}: it shows its posts to "
        "members only, or keeps programs out; ask its owner, or take the source out of vigie.toml",
        status=error.status,
        content=error.content,
    )


def _at(item: Any) -> datetime | None:
    return values.milliseconds(values.mapping(item).get("timestamp"))


def _is_within(item: Any, span: _Span) -> bool:
    """Whether a post is of the span; one without a time is, and the parser says what it is."""
    at = _at(item)
    return at is None or span.floor <= at < span.below


def _is_below(page: list[Any], floor: datetime) -> bool:
    return any(at < floor for item in page if (at := _at(item)))


def _further(span: _Span, page: list[Any]) -> _Span:
    """The span below a page. What is written meanwhile moves posts to later pages, never back."""
    oldest = min((at for item in page if (at := _at(item))), default=span.below)
    below = min(oldest + timedelta(milliseconds=1), span.below)
    empty_pages = 0 if page else span.empty_pages + 1
    return _Span(span.page + 1, span.floor, max(below, span.floor), span.known, empty_pages)


def _remember(items: list[Any], run: _Run) -> None:
    """Note what was handed over, and the newest time; the next run reads a little before it."""
    times = [at for item in items if (at := _at(item))]
    run.newest = max([*times, *([run.newest] if run.newest else [])], default=None)
    run.met |= {key: at for item in items if (key := posts.key(item)) and (at := _at(item))}


def _handed_over(items: list[Any], run: _Run) -> Iterator[Payload]:
    """The payloads of posts that may name a subject, the oldest first, each once a run."""
    for item in reversed(items):
        key = posts.key(item)
        if key in run.seen or not _may_be_kept(item, run):
            continue
        if key is None or run.reading.is_first(key):
            yield Payload(kind="post", data=posts.kept(item), instance=run.options.host)


def _may_be_kept(item: Any, run: _Run) -> bool:
    if run.options.everything or not isinstance(item, dict):
        return True
    topic = values.mapping(item.get("topic"))
    title, _ = plaintext.plain(values.string(topic.get("title")) or "", "html")
    text, _ = plaintext.plain(values.string(item.get("content")) or "", "html")
    return run.may_name((title, text), posts.tags_of(topic))


# Looked up again


def _checked_again(run: _Run) -> Iterator[Payload]:
    """Posts kept earlier as they are now: again, or gone."""
    for native_id in run.request.recheck_ids[:_RECHECKS]:
        pid = _pid(native_id, run.options.host)
        if pid is None:
            continue
        try:
            found = _looked_up(run, pid)
        except SourceError as error:
            run.reading.notes.append(f"deletions could not be checked: {error}")
            return
        if found is None:
            data = {"native_id": native_id, "checked_at": run.request.until.isoformat()}
            yield Payload(kind="gone", data=data, instance=run.options.host)
        elif run.reading.is_first(pid):
            yield Payload(kind="post", data=posts.kept(found), instance=run.options.host)


def _pid(native_id: str, host: str) -> str | None:
    """By what this forum knows a post: its own number, or the address of one from elsewhere."""
    found_host, _, number = native_id.rpartition(":")
    if found_host == host:
        return number if values.row_id(number) else None
    return values.web_address(native_id)


def _looked_up(run: _Run, pid: str) -> dict[str, Any] | None:
    """A post as it is now, with the time of its edit; None when it is gone."""
    path = f"api/v3/posts/{quote(pid, safe='')}"
    try:
        summary, whole = (
            values.mapping(values.mapping(_asked(run, each, {})).get("response"))
            for each in (f"{path}/summary", path)
        )
    except StatusRefused as error:
        if _is_gone(error):
            return None
        raise
    if not summary:
        return None  # its topic was deleted, or is not public any more
    return {**summary, "edited": whole.get("edited")}


def _is_gone(error: StatusRefused) -> bool:
    """Whether a refusal is the forum's own word on this one post.

    A page of a firewall, or of a forum that has closed its doors, must not empty all that is kept.
    """
    if error.status not in {403, 404}:
        return False
    try:
        said = values.mapping(json.loads(error.content))
    except (ValueError, RecursionError):
        return False
    code = values.mapping(said.get("status")).get("code")
    return code in {"not-found", "forbidden"}


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post, deletion or rejection of one payload."""
    if payload.kind == "gone":
        data = values.mapping(payload.data)
        yield posts.deletion(data.get("native_id"), values.time(data.get("checked_at")))
        return
    yield posts.read(
        payload.data,
        url=options.url,
        host=payload.instance or options.host,
        label=options.label,
        seen_at=payload.fetched_at,
    )
