"""Google News search feeds: which media wrote about what is watched, by title alone.

An undocumented feed of up to 100 entries a query, meant for reading with a feed reader: prefer the
publishers' own feeds (kind `feed`), and use this to learn which they are. An entry is a title, the
medium and a date; its link is a redirect of Google's that is kept as it is and never followed, and
its description is a list of other articles, which is not read.

Costs one request a query and run, two seconds apart. Known gaps: what Google does not rank, more
than 100 articles between two runs (told as a gap), the article's own address and text. Where Google
answers with its consent page, nothing is clicked: the source fails and says so.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines import http
from pipelines.errors import SourceError
from pipelines.limits import Limit, Rolling
from pipelines.mention import Post, Rejection
from pipelines.sources import (
    Collected,
    Manifest,
    Parsed,
    Payload,
    Request,
    _feed_dates,
    _rounds as rounds,
    _values as values,
)
from pipelines.sources._feed_document import Document, Entry, Unreadable, read
from pipelines.sources._rounds import Queries, Round

_PAUSE_SECONDS = 2.0

MANIFEST = Manifest(
    name="google_news",
    label="Google News",
    access="the search feed that Google News offers to feed readers; undocumented, no key",
    terms_url="https://policies.google.com/terms",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; titles as press quotations",
    fields_kept=("id of the entry", "title", "medium", "time", "Google's link"),
    cost="free; for personal, non-commercial reading by Google's terms",
    retention_days=30,
    deletion_duty="none offered; by permalink on request",
    limits=(Limit(name="calls", most=1, per=Rolling(_PAUSE_SECONDS)),),
)

_MOST = 100  # entries that an answer holds at most
_LATE = timedelta(days=1)  # an article may take as long to be found
_LONGEST_DAYS = 30
_ID_LIMIT = 400


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `google_news`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = "https://news.google.com"
    queries: Queries = ()
    lang: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "fr"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "FR"


def collect(request: Request) -> Iterator[Collected]:
    """What is new in the feed of each query; touches the network.

    SourceError when no feed could be read: Google's consent page, a throttle, another format.
    """
    options: Options = request.options
    host = options.host.rstrip("/")
    request.client.pace(host, seconds=_PAUSE_SECONDS)
    run = rounds.begun(request, kind=MANIFEST.name, of=f"{host} {options.lang}-{options.country}")
    queries = rounds.wanted(options.queries, request)
    run.forget_all_but(queries)
    yield from rounds.asked(run, queries, lambda query: _asked(run, query))


def _asked(run: Round, query: str) -> Iterator[Payload]:
    """The feed of one query as a payload, if anything in it is new."""
    options: Options = run.request.options
    since = run.since(query, overlap=_LATE)
    answer = run.request.client.get(
        f"{options.host.rstrip('/')}/rss/search",
        params={
            "q": f"{query} {_span(run, since)}",
            "hl": options.lang,
            "gl": options.country,
            "ceid": f"{options.country}:{options.lang}",
        },
    )
    document = _document(answer)
    dated = {key: at for key, at in map(_dated, document.entries) if key and at}
    fresh = [key for key, at in dated.items() if at >= since and run.is_new(key)]
    if fresh:
        yield Payload(kind="document", data=_landed(answer, fresh))
    if undated := len(document.entries) - len(dated):
        run.notes.append(f"{undated} entries without a date or an id were left out")
    oldest = min(dated.values(), default=since)
    if len(document.entries) >= _MOST and oldest > since:
        run.tell_cut((since, oldest), f"Google News gives {_MOST} articles at most: {query}")
    run.reached[query] = run.request.until


def _span(run: Round, since: datetime) -> str:
    """The time that a query asks for: back from now, or of a past window where it is one."""
    until = run.request.until
    if until < run.request.client.now() - timedelta(days=1):
        return f"after:{since:%Y-%m-%d} before:{until + timedelta(days=1):%Y-%m-%d}"
    days = math.ceil((until - since) / timedelta(days=1))
    return f"when:{min(max(days, 1), _LONGEST_DAYS)}d"


def _document(answer: http.Response) -> Document:
    """The feed of an answer; SourceError with what came instead."""
    kind = answer.headers.get("content-type", "")
    if "xml" not in kind.lower():
        raise SourceError(
            f"{http.shown(answer.url)} answered with {kind.split(';')[0] or 'no content type'!r} "
            "instead of a feed: Google asks machines at this address for consent or to prove that "
            "they are people, and Vigie does neither; read the publishers' own feeds (kind feed)"
        )
    try:
        return read(answer.content, url=answer.url, headers=answer.headers)
    except Unreadable as error:
        raise SourceError(f"{http.shown(answer.url)}: {error}") from error


def _dated(entry: Entry) -> tuple[str | None, datetime | None]:
    return _key(entry), _feed_dates.read(entry.published, zone=UTC)[0]


def _key(entry: Entry) -> str | None:
    """The id of an entry: Google's own, else a hash of its link."""
    name = entry.guid or entry.link
    if name is None:
        return None
    return name if len(name) <= _ID_LIMIT else f"guid:{values.digest(name, size=16)}"


def _landed(answer: http.Response, fresh: list[str]) -> dict[str, Any]:
    return {
        "url": answer.url,
        "content_type": answer.headers.get("content-type", ""),
        "body": base64.b64encode(answer.content).decode(),
        "keep": fresh,
    }


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The articles of a landed feed that its `keep` names, or why it cannot be read. Pure."""
    data = values.mapping(payload.data)
    url = values.string(data.get("url")) or options.host
    headers = {"content-type": values.string(data.get("content_type")) or ""}
    try:
        body = base64.b64decode(data["body"], validate=True)
        document = read(body, url=url, headers=headers)
    except (KeyError, TypeError, ValueError, binascii.Error):
        yield _rejection(None, "malformed_payload", "the payload holds no document in base64")
        return
    except Unreadable as error:
        yield _rejection(None, error.reason, "the document is no feed that can be read")
        return
    kept = frozenset(key for key in values.items(data.get("keep")) if isinstance(key, str))
    for entry in document.entries:
        key = _key(entry)
        if key is None:
            yield _rejection(None, "no_identity", "an entry has neither an id nor a link")
        elif key in kept:
            yield _article(entry, key, options)


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=MANIFEST.name, native_id=native_id, reason=reason, detail=detail)


def _article(entry: Entry, key: str, options: Options) -> Post | Rejection:
    title, medium = _split(entry)
    if title is None:
        return _rejection(key, "empty_text", "an entry has no title")
    at, precision = _feed_dates.read(entry.published, zone=UTC)
    site = values.host(entry.origin)
    return Post(
        native_id=key,
        text="",
        title=title,
        text_truncated=True,
        published_at=at,
        published_precision=precision,
        network="press",
        source_instance=values.host(options.host),
        content_type="article",
        collected_via="feed",
        url=values.web_address(entry.link),
        lang_declared=options.lang,
        author_id=site or medium,
        author_kind="media" if site or medium else None,
        community=medium or site,
    )


def _split(entry: Entry) -> tuple[str | None, str | None]:
    """The title without the medium that Google puts behind it, and the medium."""
    title, medium = entry.title, entry.origin_title
    if title is None:
        return None, medium
    if medium and title.endswith(f" - {medium}"):
        return title.removesuffix(f" - {medium}").strip() or None, medium
    if medium:
        return title, medium
    head, dash, tail = title.rpartition(" - ")
    return (
        (head.strip(), tail.strip()) if dash and head.strip() and len(tail) <= 60 else (title, None)
    )
