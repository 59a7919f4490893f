"""Discourse forums: every public post as it comes, or what their search finds.

`posts` walks /posts.json back from the newest post to the last one read: one request a run on a
quiet forum, and nothing is missed. `search` asks for each watched name and then reads the topics
found, for the past of a forum too busy to walk through. Posts kept earlier are looked up again,
so that an edit is followed and a deletion honoured.

Up to 2026-07 `before` was the last id of a page and a page held at most fifty *ids*, later it is
a bound that the page stays below and a page holds fifty *posts* (app/queries/
latest_posts_query.rb, read 2026-11-26): the walk takes both, and an empty page for a hole, not
for the end.

Costs one request a page of 50 posts and one a post looked up; a forum lets an address make 200 a
minute and 50 in ten seconds by default. Known gaps: search gives one post a topic, so of a topic
that names the institution the twenty posts around that one are read; a post moved to a private
category is known as gone only when it is looked up.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http, plaintext
from pipelines.errors import SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.said import say
from pipelines.sources import (
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _backwards as backwards,
    _discourse_post as posts,
    _values as values,
)
from pipelines.sources._reading import Reading, begun, each
from pipelines.sources._sieve import Sieve, sieve

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="discourse",
    label="Discourse forums",
    access="public JSON of each forum, without an account; a key where a forum asks for one",
    terms_url="the terms of each forum, at /tos; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "id and link of the post",
        "title of the topic",
        "text",
        "time of writing and editing",
        "member (pseudonym)",
        "links",
        "counts",
        "language",
    ),
    cost="free",
    retention_days=30,
    deletion_duty="posts are looked up again; one gone, hidden or deleted is emptied",
    limits=(
        Limit(name="requests", most=50, per=Rolling(10)),
        Limit(name="requests", most=200, per=Rolling(60)),
    ),
)

_STEP = 50  # ids that a page of the older kind spans
_RECHECKS = 50
_SEARCH_PAGES = 10  # a search gives no further page
_SHORTEST = 3  # characters of a search
_TOPICS = 100  # topics of a search that one run reads
_OF_A_PERSON = re.compile(
    r"(?:^|\s)-?(?:@|user:|assigned:|group_messages:|in:personal|in:messages)"
)


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `discourse`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    mode: Literal["posts", "search"] = "posts"
    queries: tuple[str, ...] = ()
    everything: bool = False
    label: str | None = None
    key_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    user: str = "system"
    max_pages: Annotated[int, Field(ge=1, le=500)] = 50
    overlap_minutes: Annotated[int, Field(ge=0, le=1440)] = 10

    @field_validator("url")
    @classmethod
    def _is_a_forum(cls, value: str) -> str:
        return values.site(value)

    @field_validator("queries")
    @classmethod
    def _of_no_person(cls, queries: tuple[str, ...]) -> tuple[str, ...]:
        for query in queries:
            if _OF_A_PERSON.search(query):
                raise ValueError(
                    f"the query {query!r} follows a person or reads messages: Vigie watches "
                    "subjects (GDPR art. 9); search for words"
                )
            if len(query.strip()) < _SHORTEST:
                raise ValueError(f"the query {query!r} is too short: a forum wants 3 characters")
        return queries

    @property
    def host(self) -> str:
        """The forum's host, by which its posts are known everywhere."""
        return urlsplit(self.url).netloc


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a collection has reached and met so far."""

    request: Request
    options: Options
    headers: Mapping[str, str]
    may_name: Sieve
    open_categories: frozenset[int] | None  # None: without a key, all that is shown is public
    walk: backwards.Walk | None = None
    reading: Reading

    def cursor(self) -> Cursor:
        """Where the next run goes on."""
        return {"url": self.options.url, **(self.walk.cursor() if self.walk else {})}


def collect(request: Request) -> Iterator[Collected]:
    """New public posts and those looked up again; touches the network.

    SourceError when nothing could be read; when part could, the rest is told in the note and
    comes with the next run.
    """
    run = _opened(request)
    if run.walk:
        walk = run.walk
        yield from each(walk.todo(), lambda span: _walked(span, walk, run), run.reading)
    else:
        yield from each(_searches(run), lambda query: _searched(query, run), run.reading)
    yield run.reading.checkpoint(run.cursor())
    yield from _checked_again(run)
    log.info("discourse.read source=%s count=%d", request.name, len(run.reading.handed))
    yield run.reading.checkpoint(run.cursor())


def _opened(request: Request) -> _Run:
    options: Options = request.options
    cursor = request.cursor or {}
    if cursor.get("url") != options.url:
        cursor = {}
    headers = _credentials(request)
    run = _Run(
        request=request,
        options=options,
        headers=headers,
        may_name=sieve(request.terms),
        open_categories=None,
        reading=begun(request),
    )
    if headers:
        run.open_categories = frozenset(_public_categories(run))
    if options.mode == "posts":
        run.walk = _begun(cursor, run)
    return run


def _begun(cursor: Cursor, run: _Run) -> backwards.Walk:
    listed = backwards.Listed(
        page=lambda before: _page(run, before), number=_id, at=_at, step=_STEP
    )
    return backwards.begun(
        cursor,
        listed,
        since=run.request.since,
        until=run.request.until,
        pages=run.options.max_pages,
    )


def _credentials(request: Request) -> dict[str, str]:
    name = request.options.key_env
    if name is None:
        return {}
    key = request.secrets.get(name, "").strip()
    if not key:
        raise SourceError(
            f"{request.name} names the variable {name}, which is not set: put the forum's API key "
            "in it, or take key_env out of vigie.toml"
        )
    return {"api-key": key, "api-username": request.options.user}


def _public_categories(run: _Run) -> Iterator[int]:
    """The categories that everybody may read: a key may see more than may be kept."""
    found = _asked(run, "categories.json", {"include_subcategories": "true"})
    waiting = [values.mapping(found.get("category_list")).get("categories")]
    while waiting:
        for item in values.items(waiting.pop()):
            category = values.mapping(item)
            number = values.row_id(category.get("id"))
            if number and category.get("read_restricted") is False:
                yield number
            waiting.append(category.get("subcategory_list"))


def _asked(run: _Run, path: str, params: Mapping[str, str]) -> dict[str, Any]:
    """An answer of the forum; StatusRefused with what to do about it."""
    url = f"{run.options.url}/{path}"
    try:
        found = run.request.client.get(url, params=params, headers=run.headers).json()
    except StatusRefused as error:
        raise _explained(error, run.options) from error
    if not isinstance(found, dict):
        raise _not_discourse(run.options)
    return found


def _not_discourse(options: Options) -> SourceError:
    return SourceError(
        f"{http.shown(options.url)} does not answer as Discourse does: check that it is the "
        "address of a Discourse forum"
    )


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    """The same error, with what to do where the forum wants to know who asks."""
    if error.status not in {401, 403}:
        return error
    remedy = (
        f"check the key in {options.key_env} and the name in user"
        if options.key_env
        else "it shows its posts to members only, or keeps programs out: ask its owner for a key "
        "and name the variable that holds it in key_env, or take the source out of vigie.toml"
    )
    return StatusRefused(
        f"{http.shown(options.url)} answered with status {error.status}: {remedy}",
        status=error.status,
        content=error.content,
    )


# The walk


def _walked(
    span: backwards.Span, walk: backwards.Walk, run: _Run
) -> Generator[Collected, None, None]:
    """The posts of a span; what pages were too few for comes with the next run."""
    for page in backwards.walked(span, walk):
        yield from _handed_over(iter(page), run)
    if walk.spans and walk.pages <= 0:
        run.reading.cut("there are older posts, and the next run goes on there; see max_pages")


def _page(run: _Run, before: int | None) -> list[Any]:
    params = {} if before is None else {"before": str(before)}
    found = _asked(run, "posts.json", params).get("latest_posts")
    if not isinstance(found, list):
        raise _not_discourse(run.options)
    return found


def _id(item: Any) -> int | None:
    return values.row_id(values.mapping(item).get("id"))


def _at(item: Any) -> datetime | None:
    return values.time(values.mapping(item).get("created_at"))


# Search


def _searches(run: _Run) -> list[str]:
    """What to search for; SourceError when there is nothing."""
    options, names = run.options, run.request.terms.names
    quoted = [f'"{name.replace(chr(34), "")}"' for name in names if len(name) >= _SHORTEST]
    found = list(options.queries or quoted)
    if not found:
        raise SourceError(
            f"{run.request.name} has nothing to search for: give a subject a name of three "
            "letters or more, or the source queries"
        )
    return found


def _searched(query: str, run: _Run) -> Generator[Collected, None, None]:
    """The posts of the topics that a search finds in the window."""
    topics = _topics_found(query, run)
    if len(topics) > _TOPICS:
        run.reading.cut(f"{len(topics)} topics were found and {_TOPICS} read: narrow the search")
    for topic_id, number in list(topics.items())[:_TOPICS]:
        found = _asked(run, f"t/{topic_id}/{number}.json", {})
        said = {key: found.get(key) for key in ("title", "slug", "category_id")}
        stream = values.items(values.mapping(found.get("post_stream")).get("posts"))
        items = [{**said, **values.mapping(item)} for item in stream]
        yield from _handed_over((i for i in items if _is_wanted(i, run)), run)


def _is_wanted(item: Any, run: _Run) -> bool:
    at = _at(item)
    return at is not None and _start(run) <= at < run.request.until


def _start(run: _Run) -> datetime:
    """A little before the window: a search finds a post some time after it was written."""
    return run.request.since - timedelta(minutes=run.options.overlap_minutes)


def _topics_found(query: str, run: _Run) -> dict[int, int]:
    """The topics with a hit in the window, and the number of the newest post that is one."""
    topics: dict[int, int] = {}
    day = _start(run).date() - timedelta(days=1)  # `after` is a day, in the forum's own zone
    params = {"q": f"{query} after:{day} order:latest"}
    for page in range(1, _SEARCH_PAGES + 1):
        found = _asked(run, "search.json", {**params, "page": str(page)})
        hits = [values.mapping(hit) for hit in values.items(found.get("posts"))]
        for hit in filter(lambda hit: _is_wanted(hit, run), hits):
            topic, number = (values.row_id(hit.get(key)) for key in ("topic_id", "post_number"))
            if topic and number:
                topics[topic] = max(number, topics.get(topic, 0))
        result = values.mapping(found.get("grouped_search_result"))
        if result.get("error"):
            raise SourceError(
                f'{http.shown(run.options.url)} refuses to search: set mode = "posts"'
            )
        if (
            not hits
            or not result.get("more_full_page_results")
            or backwards.is_older(hits, _start(run), _at)
        ):
            return topics
    run.reading.cut(f"a search gives {_SEARCH_PAGES} pages, and there were more")
    return topics


# What is handed over, and what is looked up again


def _handed_over(items: Iterator[Any], run: _Run) -> Iterator[Payload]:
    """The payloads of posts that may name a subject, each once a run."""
    for item in items:
        if not _may_be_kept(item, run):
            continue
        number = _id(item)
        if number is None or run.reading.is_first(str(number)):
            yield _payload(item, run)


def _payload(item: Any, run: _Run) -> Payload:
    post = values.mapping(item)
    data = {name: post[name] for name in posts.KEPT if name in post} if post else item
    return Payload(kind="post", data=data, instance=run.options.host)


def _may_be_kept(item: Any, run: _Run) -> bool:
    post = values.mapping(item)
    if run.open_categories is not None and post.get("category_id") not in run.open_categories:
        why = say("posts of categories that are not public were left alone")
        run.reading.left_alone[why] += 1
        return False
    if run.options.everything or not post:
        return True
    text, _ = plaintext.plain(values.string(post.get("cooked")) or "", "html")
    return run.may_name((posts.title_of(post) or "", text), ())


def _checked_again(run: _Run) -> Iterator[Payload]:
    """Posts kept earlier as they are now: again, or gone."""
    host = run.options.host
    for native_id in run.request.recheck_ids[:_RECHECKS]:
        found_host, _, number = native_id.rpartition(":")
        if found_host != host or not values.row_id(number):
            continue
        try:
            found: Any = _asked(run, f"posts/{number}.json", {})
        except SourceError as error:
            if not _is_gone(error):
                run.reading.notes.append(f"deletions could not be checked: {error}")
                return
            found = None
        yield from _found_again(native_id, found, run)


def _is_gone(error: SourceError) -> bool:
    """Whether a refusal is the forum's word on this one post, not on who asks.

    A page of a firewall, or of a forum that has closed its doors, must not empty all that is kept.
    """
    if not isinstance(error, StatusRefused) or error.status not in {403, 404, 410}:
        return False
    try:
        said = json.loads(error.content)
    except (ValueError, RecursionError):
        return False
    return values.mapping(said).get("error_type") in {"not_found", "invalid_access"}


def _found_again(native_id: str, found: Any, run: _Run) -> Iterator[Payload]:
    number = native_id.rpartition(":")[2]
    is_closed = (
        found is not None
        and run.open_categories is not None
        and values.mapping(found).get("category_id", 0) not in {0, *run.open_categories}
    )
    if found is None or is_closed:
        data = {"native_id": native_id, "checked_at": run.request.until.isoformat()}
        yield Payload(kind="gone", data=data, instance=run.options.host)
    elif run.reading.is_first(number):
        yield _payload(found, run)


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post, deletion or rejection of one payload."""
    if payload.kind == "gone":
        data = values.mapping(payload.data)
        yield posts.deletion(data.get("native_id"), values.time(data.get("checked_at")), "gone")
        return
    host = payload.instance or options.host
    yield posts.read(
        payload.data,
        url=options.url,
        host=host,
        label=options.label or host,
        seen_at=payload.fetched_at,
    )
