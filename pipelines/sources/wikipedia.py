"""Wikipedia: how much the pages about what is watched are read, changed and quarrelled over.

A measure of attention, not mentions (`pipelines/attention.py`): no text, no account, no comment of
anybody is even asked for. Changes come from the API of the wiki (`list=recentchanges` of one page,
30 days back, bots left out), readings a day late from Wikimedia's page views (readers only, no
machines).

Wikimedia wants to know whom to contact, one request at a time, and `maxlag` respected; its API says
its errors under status 200. Costs a request a page and run, and one a page and day for readings.
Known gaps: talk pages, unless they are listed; pages that were moved count under their new title
from then on; views of a redirect count for the redirect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http
from pipelines.attention import Attention, AttentionKind
from pipelines.errors import ONE_PERSON, RateLimited, SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.mention import Rejection
from pipelines.sources import (
    Collected,
    Manifest,
    Payload,
    Request,
    Yielded,
    _rounds as rounds,
    _values as values,
)
from pipelines.sources._rounds import Round

_PAUSE_SECONDS = 1.0

MANIFEST = Manifest(
    name="wikipedia",
    label="Wikipedia",
    access="API of the wiki and Wikimedia's page views; no account, no key, a contact to be given",
    terms_url="https://foundation.wikimedia.org/wiki/Policy:Terms_of_Use",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; no personal data are read",
    fields_kept=("title of the page", "number of readings a day", "time and size of a change"),
    cost="free",
    retention_days=180,
    deletion_duty="none: nothing of a person is kept",
    # Ours: Wikimedia asks for one request at a time and names no number.
    limits=(Limit(name="calls", most=1, per=Rolling(_PAUSE_SECONDS)),),
)

_REACH = timedelta(days=30)  # of recentchanges ($wgRCMaxAge of Wikimedia)
_LATE = timedelta(minutes=10)  # a replica may lag as far
_SETTLED = timedelta(days=3)  # after which a day without a figure is one without readings
_TRIES = 3
_UNDOING = frozenset({"mw-undo", "mw-rollback", "mw-manual-revert"})
# Pages of accounts, in the languages of France's wikis and in English, which every wiki knows.
_OF_AN_ACCOUNT = re.compile(
    r"[\s_:]*(?:(?:discussion[\s_]*)?utilisat(?:eur|rice)|user(?:[\s_]*talk)?|sp[ée]cial|implijer)"
    r"(?:[\s_]*discussion)?[\s_]*:",
    re.IGNORECASE,
)
_BUSY = frozenset({"maxlag", "ratelimited", "readonly"})
_DAY = timedelta(days=1)


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `wikipedia`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pages: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[^\[\]{}|#<>\n]{1,255}$")], ...],
        Field(min_length=1, max_length=50),
    ]
    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = "https://fr.wikipedia.org"
    api_path: Annotated[str, Field(pattern=r"^/[\w./-]*$")] = "/w/api.php"
    views_host: Annotated[str, Field(pattern=r"^(https?://[^\s/@?#]+/?)?$")] = (
        "https://wikimedia.org"
    )
    edits: bool = True
    max_pages: Annotated[int, Field(ge=1, le=100)] = 10

    @field_validator("pages")
    @classmethod
    def _of_no_person(cls, pages: tuple[str, ...]) -> tuple[str, ...]:
        for page in pages:
            if _OF_AN_ACCOUNT.match(page):
                raise ValueError(f"the page {page!r} is an account's: {ONE_PERSON}")
        return pages

    @property
    def project(self) -> str:
        """The wiki as Wikimedia calls it: fr.wikipedia."""
        return (urlsplit(self.host).hostname or "").removesuffix(".org")


def collect(request: Request) -> Iterator[Collected]:
    """Changes of each page in the window, and its readings of the days that are counted by now.

    Touches the network. SourceError when nothing could be read, or nobody to contact is given.
    """
    options: Options = request.options
    if request.client.agent.endswith("(no contact given)"):
        raise SourceError(
            f"{request.name}: Wikimedia wants to know whom to contact: write an address or a page "
            "as contact in the [net] table of vigie.toml"
        )
    for host in filter(None, (options.host, options.views_host)):
        request.client.pace(host, seconds=_PAUSE_SECONDS)
    run = rounds.begun(request, kind=MANIFEST.name, of=options.host.rstrip("/"))
    asks = {f"edits {page}": _changes for page in options.pages if options.edits}
    asks |= {f"views {page}": _views for page in options.pages if options.views_host}
    run.forget_all_but(asks)
    yield from rounds.asked(run, asks, lambda question: asks[question](run, question))


# Changes


def _changes(run: Round, question: str) -> Iterator[Payload]:
    """The changes of one page, the oldest first, as far as the API's `continue` leads."""
    options: Options = run.request.options
    since = _reachable(run, run.since(question, overlap=_LATE))
    params = {
        "action": "query",
        "list": "recentchanges",
        "rctitle": question.partition(" ")[2],
        "rcprop": "ids|title|timestamp|sizes|flags|tags",  # neither user nor comment
        "rctype": "edit|new",
        "rcshow": "!bot",
        "rcdir": "newer",
        "rcstart": _stamp(since),
        "rcend": _stamp(run.request.until),
        "rclimit": "500",
        "format": "json",
        "formatversion": "2",
        "maxlag": "5",
    }
    for _ in range(options.max_pages):
        found = _asked(run, f"{options.host.rstrip('/')}{options.api_path}", params)
        changes = values.items(values.mapping(found.get("query")).get("recentchanges"))
        for change in changes:
            if run.is_new(f"rev {values.mapping(change).get('revid')}"):
                yield Payload(kind="change", data=change)
        onward = values.mapping(found.get("continue"))
        if not onward:
            run.reached[question] = run.request.until
            return
        params |= {str(name): str(value) for name, value in onward.items()}
        newest = max(filter(None, map(_at, changes)), default=since)
        run.go_on_from(question, newest)
    run.tell_cut(None, "there are more changes than max_pages allows; the next run goes on")


def _reachable(run: Round, since: datetime) -> datetime:
    floor = run.request.client.now() - _REACH
    if since < floor:
        run.tell_cut((since, floor), "the wiki keeps recent changes for 30 days")
    return max(since, floor)


def _asked(run: Round, url: str, params: Mapping[str, str]) -> dict[str, Any]:
    """An answer of the wiki's API; its errors come under status 200, and a busy one is waited for.

    RateLimited when it stays busy, SourceError with the API's own code for the rest.
    """
    client = run.request.client
    for _ in range(_TRIES):
        answer = client.get(url, params=dict(params))
        found = values.mapping(answer.json())
        error = values.mapping(found.get("error"))
        code = values.string(error.get("code"))
        if code in _BUSY:
            wait = http.wait_asked(answer.headers, now=client.now()) or 5.0
            client.hold(url, seconds=wait)
            continue
        if code is not None or "error" in found:
            raise SourceError(
                f"{http.shown(url)} refuses the question ({_word(code)}): correct `pages`"
            )
        if warned := values.mapping(found.get("warnings")):
            run.notes.append(f"the wiki warns about {', '.join(sorted(map(_word, warned)))}")
        if "query" not in found and "batchcomplete" not in found:
            raise SourceError(
                f"{http.shown(url)} is not the API of a wiki: correct host or api_path"
            )
        return found
    raise RateLimited(f"{http.shown(url)} is busy", client.now() + timedelta(minutes=1))


def _word(code: object) -> str:
    """A code of the API as it may be printed."""
    return "".join(c for c in str(code) if c.isascii() and (c.isalnum() or c in "-_"))[:40]


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _at(change: Any) -> datetime | None:
    return values.time(values.mapping(change).get("timestamp"))


# Readings


def _views(run: Round, question: str) -> Iterator[Payload]:
    """The readings of one page on the days that have been counted since the last reading.

    A day without a figure is asked for again until it is three days old; then it had no readings.
    """
    until = run.request.until
    page = question.partition(" ")[2]
    first = run.since(question).astimezone(UTC).date()
    last = (until.astimezone(UTC) - _DAY).date()
    if first > last:
        return
    items = _counted(run, page, first, last)
    days = {day for item in items if (day := _day_of(item)) is not None}
    settled = (until.astimezone(UTC) - _SETTLED).date()
    done = first
    while done <= last and (done in days or done <= settled):
        done += _DAY
    if done > first:
        data = {
            "page": page,
            "from": first.isoformat(),
            "to": (done - _DAY).isoformat(),
            "items": [item for item in items if (day := _day_of(item)) and day < done],
        }
        yield Payload(kind="views", data=data)
    run.go_on_from(question, datetime.combine(done, datetime.min.time(), UTC))


def _counted(run: Round, page: str, first: date, last: date) -> list[Any]:
    """What Wikimedia has counted; status 404 where it has nothing for any of these days."""
    options: Options = run.request.options
    title = quote(page.strip().replace(" ", "_"), safe="")
    url = (
        f"{options.views_host.rstrip('/')}/api/rest_v1/metrics/pageviews/per-article/"
        f"{options.project}/all-access/user/{title}/daily/{first:%Y%m%d}/{last:%Y%m%d}"
    )
    try:
        found = run.request.client.get(url).json()
    except StatusRefused as error:
        if error.status == 404:
            return []
        raise
    items = values.mapping(found).get("items")
    if not isinstance(items, list):
        raise SourceError(f"{options.views_host} answered without items: correct views_host")
    return items


def _day_of(item: Any) -> date | None:
    """The day of a figure: its time is written 2026112000."""
    text = values.string(values.mapping(item).get("timestamp")) or ""
    try:
        return datetime.strptime(text, "%Y%m%d%H").date()  # noqa: DTZ007 - a day of UTC
    except ValueError:
        return None


# Parsing


def parse(payload: Payload, options: Options) -> Iterator[Yielded]:
    """The measures of a payload, or why it holds none. Pure."""
    data = values.mapping(payload.data)
    if payload.kind == "change":
        yield _change(data, options)
    else:
        yield from _readings(data, options)


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=MANIFEST.name, native_id=native_id, reason=reason, detail=detail)


def _change(data: Mapping[str, Any], options: Options) -> Attention | Rejection:
    number, title, at = values.identifier(data.get("revid")), _title(data.get("title")), _at(data)
    if number is None or not number.isdecimal():
        return _rejection(None, "no_id", "the change has no number of a revision")
    native_id = f"{options.project}:rev:{number}"
    if title is None or at is None:
        return _rejection(native_id, "incomplete", "the change has no title or no time")
    old, new = values.count(data.get("oldlen")), values.count(data.get("newlen"))
    tags = {tag for tag in values.items(data.get("tags")) if isinstance(tag, str)}
    kind: AttentionKind = "revert" if tags & _UNDOING else "edit"
    return Attention(
        source=MANIFEST.name,
        native_id=native_id,
        kind=kind,
        about=title,
        url=_url(title, options),
        measured_at=at,
        span_seconds=0,
        value=float(new - old) if old is not None and new is not None else 0.0,
    )


def _title(value: Any) -> str | None:
    """A page's title on one line, without what no database can hold."""
    text = values.string(value)
    kept = "".join(c for c in text if c.isprintable())[:255].strip() if text else ""
    return kept or None


def _url(title: str, options: Options) -> str:
    return f"{options.host.rstrip('/')}/wiki/{quote(title.replace(' ', '_'), safe='/:')}"


def _readings(data: Mapping[str, Any], options: Options) -> Iterator[Attention | Rejection]:
    """A measure for each day asked about: a figure, or none at all, which is 0."""
    title, first, last = _title(data.get("page")), _date(data.get("from")), _date(data.get("to"))
    if title is None or first is None or last is None or not 0 <= (last - first).days < 400:
        yield _rejection(None, "incomplete", "the figures have no page or no days")
        return
    figures: dict[date, int | None] = {}
    for item in values.items(data.get("items")):
        day, views = _day_of(item), values.count(values.mapping(item).get("views"))
        if day is None or views is None:
            yield _rejection(None, "bad_figure", "a figure has no day or no number")
        if day is not None:
            figures[day] = views
    for number in range((last - first).days + 1):
        day = first + _DAY * number
        views = figures.get(day, 0)
        if views is not None:  # a figure that cannot be read is not one of 0
            yield _reading(title, day, views, options)


def _date(value: Any) -> date | None:
    at = values.time(value)
    return at.date() if at else None


def _reading(title: str, day: date, views: int, options: Options) -> Attention:
    return Attention(
        source=MANIFEST.name,
        native_id=f"{options.project}:views:{title}:{day:%Y%m%d}",
        kind="page_views",
        about=title,
        url=_url(title, options),
        measured_at=datetime.combine(day, datetime.min.time(), UTC),
        span_seconds=int(_DAY.total_seconds()),
        value=float(views),
    )
