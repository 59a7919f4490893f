"""GDELT DOC 2.0: press articles of the world that name what is watched, by title and address.

One question holds all the names (`("a" OR "b")`), newest first, 250 articles an answer: a full one
is gone on from its oldest article. The index is renewed every quarter of an hour, which is how
exact its times are, and reaches back three months.

GDELT asks for five seconds between requests, says so in text under status 200 or 429, and shares
that throttle among all callers: it is often closed. Its errors are text too ("Your query was too
short or too long"), and its JSON sometimes holds escapes that JSON does not know; both are read
for what they are.

Costs one request a run. Known gaps: more than 250 articles in one quarter of an hour (told as a
gap); which media GDELT reads; names of fewer than five letters, which it refuses; the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines import http, plaintext
from pipelines.errors import RateLimited, SourceError
from pipelines.limits import Limit, Rolling
from pipelines.mention import Post, Rejection
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

_PAUSE_SECONDS = 5.0

MANIFEST = Manifest(
    name="gdelt",
    label="GDELT",
    access="DOC 2.0 interface of the GDELT Project; no account, no key",
    terms_url="https://www.gdeltproject.org/about.html#termsofuse",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; titles as press quotations",
    fields_kept=("address of the article", "title", "medium", "time seen", "language"),
    cost="free; the GDELT Project is to be named with its address",
    retention_days=180,
    deletion_duty="none offered; by permalink on request",
    limits=(Limit(name="calls", most=1, per=Rolling(_PAUSE_SECONDS)),),
)

_MOST = 250  # articles an answer
_LATE = timedelta(hours=1)  # an article may take as long to be indexed
_REACH = timedelta(days=89)  # "a rolling window of the last 3 months"
_SHORTEST = 5  # letters of a name; with fewer the query is refused
_NAMES = 8  # in one question; a query may be too long as well
_TRIES = 3  # of a question that the throttle turns away
_LATER = timedelta(minutes=5)
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_CONTROL = re.compile(r"[\x00-\x1f]")
_SPACED = re.compile(r"\s+([,.…)\]])|([(\[])\s+")
_ELIDED = re.compile(r"\b([ldjmtsnc]|qu|lorsqu|jusqu|aujourd)\s?['’]\s+", re.IGNORECASE)
# What GDELT calls the languages that France's neighbours and regions write; others are found out.
_LANGS: Mapping[str, str] = MappingProxyType(
    {
        "french": "fr", "english": "en", "german": "de", "spanish": "es", "italian": "it",
        "portuguese": "pt", "dutch": "nl", "catalan": "ca", "basque": "eu", "breton": "br",
        "arabic": "ar", "turkish": "tr", "polish": "pl", "romanian": "ro", "russian": "ru",
        "ukrainian": "uk", "chinese": "zh", "vietnamese": "vi",
    }
)  # fmt: skip


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `gdelt`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = "https://api.gdeltproject.org"
    queries: Queries = ()
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{3,20}$")], ...] = ("french",)
    countries: tuple[Annotated[str, Field(pattern=r"^[A-Za-z]{2,20}$")], ...] = ()
    max_pages: Annotated[int, Field(ge=1, le=100)] = 10


def collect(request: Request) -> Iterator[Collected]:
    """The articles of the window that name a subject; touches the network, sleeps between calls.

    SourceError when no question could be asked, RateLimited when the throttle stays closed.
    """
    options: Options = request.options
    host = options.host.rstrip("/")
    request.client.pace(host, seconds=_PAUSE_SECONDS)
    run = rounds.begun(request, kind=MANIFEST.name, of=host)
    questions = options.queries or _questions(run)
    run.forget_all_but(questions)
    yield from rounds.asked(run, questions, lambda question: _asked(run, question))


def _questions(run: Round) -> tuple[str, ...]:
    """All names in as few questions as may be; those too short for GDELT are told."""
    names = rounds.wanted((), run.request)
    long = [name for name in names if len(name.strip('"')) >= _SHORTEST]
    if short := [name for name in names if name not in long]:
        run.notes.append(f"{len(short)} names are too short for GDELT and are not searched")
    if not long:
        raise SourceError(
            f"{run.request.name}: GDELT searches for names of {_SHORTEST} letters or more; give "
            'the source queries, such as "Sens mairie"'
        )
    quoted = [name if name.startswith('"') else f'"{name}"' for name in long]
    groups = [quoted[n : n + _NAMES] for n in range(0, len(quoted), _NAMES)]
    return tuple(f"({' OR '.join(g)})" if len(g) > 1 else g[0] for g in groups)


def _asked(run: Round, question: str) -> Iterator[Payload]:
    """The articles of one question, answer after answer back to the start of its window."""
    options: Options = run.request.options
    since = _reachable(run, run.since(question, overlap=_LATE))
    end = run.request.until
    for _ in range(options.max_pages):
        articles = _articles(run, question, since, end)
        for article in articles:
            if run.is_new(_key(article) or repr(article)):
                yield Payload(kind="article", data=article)
        oldest = min(filter(None, map(_seen_at, articles)), default=since)
        if len(articles) < _MOST or oldest <= since:
            run.reached[question] = run.request.until
            return
        if oldest >= end:  # a quarter of an hour that holds more than an answer
            slot = (oldest - timedelta(minutes=15), oldest)
            run.tell_cut(slot, f"GDELT gives {_MOST} articles of a moment at most")
            oldest -= timedelta(seconds=1)
        end = oldest
    run.tell_cut((since, end), "there are more articles than max_pages allows")
    run.reached[question] = run.request.until


def _reachable(run: Round, since: datetime) -> datetime:
    """The start of the window, or how far GDELT reaches back; what is older is told as a gap."""
    floor = run.request.client.now() - _REACH
    if since < floor:
        run.tell_cut((since, floor), "GDELT reaches back three months")
    return max(since, floor)


def _articles(run: Round, question: str, since: datetime, end: datetime) -> list[Any]:
    """One answer; the throttle is waited out for a while."""
    client, options = run.request.client, run.request.options
    url = f"{options.host.rstrip('/')}/api/v2/doc/doc"
    params = {
        "query": " ".join([question, *_filters(options)]),
        "mode": "artlist",
        "format": "json",
        "maxrecords": str(_MOST),
        "sort": "datedesc",
        "startdatetime": f"{since:%Y%m%d%H%M%S}",
        "enddatetime": f"{end:%Y%m%d%H%M%S}",
    }
    for attempt in range(1, _TRIES + 1):
        answer = client.get(url, params=params)
        if not _is_throttled(answer):
            return _listed(answer)
        client.hold(url, seconds=_PAUSE_SECONDS * 2**attempt)
    raise RateLimited("GDELT's throttle is closed", client.now() + _LATER)


def _filters(options: Options) -> list[str]:
    """The languages and countries as GDELT writes them: parentheses only around alternatives."""
    kinds = {"sourcelang": options.languages, "sourcecountry": options.countries}
    written = [[f"{kind}:{value}" for value in chosen] for kind, chosen in kinds.items()]
    return [f"({' OR '.join(each)})" if len(each) > 1 else each[0] for each in written if each]


def _is_throttled(answer: http.Response) -> bool:
    return b"limit requests" in answer.content[:500].lower()


def _listed(answer: http.Response) -> list[Any]:
    """The articles of an answer; SourceError with GDELT's own words where it refuses."""
    content = answer.content.strip()
    if not content.startswith(b"{"):
        raise SourceError(f"GDELT refuses the question: {_said(answer)}")
    try:
        found = answer.json()
    except SourceError:
        found = replace(answer, content=_mended(answer.text)).json()
    articles = values.mapping(found).get("articles", [])
    if not isinstance(articles, list):
        raise SourceError("GDELT answered without a list of articles: its interface has changed")
    return articles


def _said(answer: http.Response) -> str:
    """What GDELT says in place of an answer, on one line; a page of HTML by its size only."""
    text = " ".join(answer.text[:300].split())
    if not text or text.startswith("<"):
        return f"{len(answer.content)} bytes that are no JSON; the next run tries again"
    return "".join(c for c in text if c.isprintable())[:200]


def _mended(text: str) -> bytes:
    """JSON without the escapes and control characters that JSON does not know."""
    known = _ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", text)
    return _CONTROL.sub(" ", known).encode("utf-8", "replace")


def _key(article: Any) -> str | None:
    """What names an article everywhere: a hash of its canonical address."""
    url = plaintext.canonical_url(values.string(values.mapping(article).get("url")))
    return f"url:{values.digest(url, size=16)}" if url else None


def _seen_at(article: Any) -> datetime | None:
    return values.time(values.mapping(article).get("seendate"))


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:  # noqa: ARG001
    """The article of a payload, or why it is none. Pure."""
    article = values.mapping(payload.data)
    key, title = _key(article), values.string(article.get("title"))
    if key is None:
        yield _rejection(None, "no_url", "the article has no address of the web")
    elif title is None:
        yield _rejection(key, "empty_text", "the article has no title")
    else:
        yield _article(article, key, title)


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=MANIFEST.name, native_id=native_id, reason=reason, detail=detail)


def _article(article: Mapping[str, Any], key: str, title: str) -> Post:
    at = _seen_at(article)
    url = values.web_address(article.get("url"))
    medium = values.string(article.get("domain")) or values.host(url)
    language = values.string(article.get("language")) or ""
    return Post(
        native_id=key,
        text="",
        title=_unspaced(title),
        text_truncated=True,
        published_at=at.astimezone(UTC) if at else None,
        published_precision="minute" if at else "unknown",
        network="press",
        source_instance=medium,
        content_type="article",
        url=url,
        lang_declared=_LANGS.get(language.lower()),
        author_id=medium,
        author_kind="media" if medium else None,
        community=medium,
    )


def _unspaced(title: str) -> str:
    """A title without the spaces that GDELT puts around commas, stops and apostrophes."""
    closed = _SPACED.sub(lambda found: found[1] or found[2], title)
    return _ELIDED.sub(r"\1’", closed)
