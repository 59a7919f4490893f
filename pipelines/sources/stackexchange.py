"""Stack Exchange: questions and answers of one of its sites that name what is watched.

`/search/excerpts` (API 2.3) gives both, the oldest first, so that a run cut short goes on where it
stopped. It tells no author, which is one pseudonym less to keep; the licence (CC BY-SA) asks that
whoever shows a text names its author and links to it: the link is kept, and leads to the name.

Obeyed to the letter: `backoff` in an answer is a number of seconds before the next request, and
disobeying closes the door for a day. A run ends before `quota_remaining` does; a refusal says in
how many seconds there will be more.

Costs a request a query and run: 300 a day for an address without a key, 10,000 with a free one.
Known gaps: edits are not seen; there is no general site in French.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.limits import Daily, Limit, Rolling
from pipelines.mention import Deletion, Post, Rejection
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
    name="stackexchange",
    label="Stack Exchange",
    access="Stack Exchange API 2.3; no account, a free key raises the quota",
    terms_url="https://stackoverflow.com/legal/api-terms-of-use",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; texts under CC BY-SA",
    fields_kept=("number and address", "title, text", "time", "tags", "score, number of answers"),
    cost="free",
    retention_days=180,
    deletion_duty="looked up again while kept, and emptied when gone",
    # api.stackexchange.com/docs/throttle: 300 calls a day for an address without a key are told by
    # `quota_remaining` alone, since what a manifest declares does not know of the key.
    limits=(
        Limit(name="calls a day", most=10_000, per=Daily(), of="account"),
        Limit(name="calls", most=30, per=Rolling(1)),
    ),
)

_PAGE = 100
_LATE = timedelta(minutes=30)  # a post may take as long to be indexed
_FEW = 5  # posts that may all be gone at once
_RESERVE = 5  # requests of the quota that are left alone
_HOUR = timedelta(hours=1)
_OWN_DOMAINS = {
    "stackoverflow": "stackoverflow.com",
    "serverfault": "serverfault.com",
    "superuser": "superuser.com",
    "askubuntu": "askubuntu.com",
    "stackapps": "stackapps.com",
    "mathoverflow": "mathoverflow.net",
}
# https://stackoverflow.com/help/licensing, read 2026-11-20: by the day of writing (UTC).
_LICENCES = (
    (datetime(2018, 5, 2, tzinfo=UTC), "cc-by-sa-4.0"),
    (datetime(2011, 4, 8, tzinfo=UTC), "cc-by-sa-3.0"),
)


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `stackexchange`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: Annotated[str, Field(pattern=r"^[a-z0-9.-]{2,80}$")]
    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = (
        "https://api.stackexchange.com"
    )
    queries: Queries = ()
    key_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    max_pages: Annotated[int, Field(ge=1, le=25)] = 10

    @property
    def domain(self) -> str:
        """Where the site is read by people."""
        if "." in self.site:
            return self.site
        return _OWN_DOMAINS.get(self.site, f"{self.site}.stackexchange.com")


@dataclass(slots=True, kw_only=True)
class _Run:
    """What one collection knows besides its round: what is left of the quota, when to rest."""

    round: Round
    key: str | None
    may_name: Sieve | None
    quota_remaining: int | None = None
    rest_until: datetime | None = None

    @property
    def options(self) -> Options:
        """The options of the block."""
        options: Options = self.round.request.options
        return options


def collect(request: Request) -> Iterator[Collected]:
    """The posts of the window that name a subject, and those gone; touches the network.

    SourceError when no query could be read, RateLimited with the moment that the API tells when
    the quota is spent and nothing was read.
    """
    options: Options = request.options
    round_ = rounds.begun(
        request, kind=MANIFEST.name, of=f"{options.host.rstrip('/')} {options.site}"
    )
    queries = rounds.wanted(options.queries, request)
    round_.forget_all_but(queries)
    may_name = None if options.queries else sieve(request.terms)
    run = _Run(round=round_, key=_key_of(request), may_name=may_name)
    yield from rounds.asked(round_, queries, lambda query: _asked(run, query))
    if round_.retry_at is None:
        yield from _looked_up_again(run)
    if run.rest_until is not None and run.rest_until > request.client.now():
        round_.retry_at = max(run.rest_until, round_.retry_at or run.rest_until)
    yield round_.checkpoint()


def _key_of(request: Request) -> str | None:
    name = request.options.key_env
    if name is None:
        return None
    key = request.secrets.get(name, "").strip()
    if not key:
        raise SourceError(
            f"{request.name} names the variable {name}, which is not set: register an application "
            "on stackapps.com and put its key in it, or take key_env out of vigie.toml"
        )
    return key


def _asked(run: _Run, query: str) -> Iterator[Payload]:
    """What a query finds, the oldest first; where it is cut, the next run goes on."""
    since, until = run.round.since(query, overlap=_LATE), run.round.request.until
    params = {
        "q": query,
        "order": "asc",
        "sort": "creation",
        "fromdate": str(int(since.timestamp())),
        "todate": str(int(until.timestamp())),
        "pagesize": str(_PAGE),
    }
    for page in range(1, run.options.max_pages + 1):
        found = _answer(run, "search/excerpts", params | {"page": str(page)})
        items = values.items(found.get("items"))
        for item in items:
            if _is_watched(item, run) and run.round.is_new(_key(item) or repr(item)):
                yield Payload(kind="item", data=item, instance=run.options.site)
        if found.get("has_more") is not True or not items:
            run.round.reached[query] = until
            return
        run.round.go_on_from(query, max(filter(None, map(_at, items)), default=since))
    run.round.tell_cut(None, "there are more posts than max_pages allows; the next run goes on")


def _answer(run: _Run, path: str, params: Mapping[str, str]) -> dict[str, Any]:
    """One answer; what it says of the quota and of the time to rest is obeyed."""
    request, options = run.round.request, run.options
    if run.quota_remaining is not None and run.quota_remaining <= _RESERVE:
        message = f"{options.host} leaves {run.quota_remaining} requests for today"
        raise RateLimited(message, request.client.now() + _HOUR)
    url = f"{options.host.rstrip('/')}/2.3/{path}"
    own = {"site": options.site} | ({"key": run.key} if run.key else {})
    try:
        found = request.client.get(url, params={**params, **own}).json()
    except StatusRefused as error:
        raise _explained(error, run) from error
    told = values.mapping(found)
    if not isinstance(told.get("items"), list):
        raise SourceError(f"{options.host} answered without items: check that `host` is the API's")
    run.quota_remaining = values.count(told.get("quota_remaining"))
    if seconds := values.number(told.get("backoff")):
        request.client.hold(url, seconds=seconds)
        run.rest_until = request.client.now() + timedelta(seconds=seconds)
    return told


def _explained(error: StatusRefused, run: _Run) -> SourceError:
    """What a refusal means: the API says its own code in the body, mostly under status 400."""
    options, now = run.options, run.round.request.client.now()
    try:
        told = values.mapping(json.loads(error.content))
    except (ValueError, RecursionError):
        return error
    name, message = str(told.get("error_name"))[:40], str(told.get("error_message"))[:200]
    if name == "throttle_violation":
        seconds = re.search(r"available in (\d{1,6}) seconds", message)
        rest = timedelta(seconds=int(seconds[1])) if seconds else timedelta(minutes=5)
        return RateLimited(f"{options.host} closes the door: {name}", now + rest)
    remedy = (
        f"check the key in {options.key_env}"
        if "key" in message
        else f"check `site` ({options.site!r}), which is a name of api.stackexchange.com/docs/sites"
    )
    said = f"{options.host} answered with status {error.status} ({name}): {remedy}"
    return StatusRefused(said, status=error.status, content=error.content)


def _key(item: Any) -> str | None:
    """The number of a post: answers and questions of a site share their numbers."""
    told = values.mapping(item)
    name = "answer_id" if told.get("item_type") == "answer" else "question_id"
    return values.identifier(told.get(name))


def _at(item: Any) -> datetime | None:
    return values.epoch(values.mapping(item).get("creation_date"))


def _is_watched(item: Any, run: _Run) -> bool:
    """Whether a post may name a subject; what is none is handed over, for the parser to say so."""
    if run.may_name is None or not isinstance(item, dict):
        return True
    names = ("title", "body", "excerpt")
    return run.may_name([text for name in names if (text := values.string(item.get(name)))], ())


def _looked_up_again(run: _Run) -> Iterator[Payload]:
    """Posts kept earlier that are not there any more; a failure is told and costs no more."""
    site = f"{run.options.site}:"
    numbers = [i.removeprefix(site) for i in run.round.request.recheck_ids if i.startswith(site)]
    numbers = [number for number in numbers if number.isdecimal()][:_PAGE]
    if not numbers:
        return
    try:
        found = _answer(run, f"posts/{';'.join(numbers)}", {"pagesize": str(_PAGE)})
    except SourceError as error:
        run.round.notes.append(f"deletions could not be checked: {error}")
        return
    there = (values.mapping(item).get("post_id") for item in values.items(found.get("items")))
    gone = sorted(set(numbers).difference(filter(None, map(values.identifier, there))))
    if len(gone) == len(numbers) > _FEW:
        run.round.notes.append(f"none of {len(gone)} posts is known: none is taken for deleted")
        return
    for number in gone:
        data = {"id": f"{site}{number}", "checked_at": run.round.request.until.isoformat()}
        yield Payload(kind="gone", data=data)


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The question, answer, deletion or rejection of a payload. Pure."""
    told = values.mapping(payload.data)
    if payload.kind == "gone":
        yield _deletion(told)
        return
    number = _key(told)
    if number is None or not number.isdecimal():
        yield _rejection(None, "no_id", "the item has no number of a post")
    else:
        yield _post(told, number, options)


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=MANIFEST.name, native_id=native_id, reason=reason, detail=detail)


def _deletion(told: Mapping[str, Any]) -> Deletion | Rejection:
    native_id, at = values.string(told.get("id")), values.time(told.get("checked_at"))
    if native_id is None or at is None:
        return _rejection(native_id, "no_id", "a deletion has no id or no time")
    return Deletion(source=MANIFEST.name, native_id=native_id, deleted_at=at, reason="gone")


def _post(told: Mapping[str, Any], number: str, options: Options) -> Post:
    """Texts are HTML: their entities are read, the marks of what was found are dropped."""
    at = _at(told)
    is_answer = told.get("item_type") == "answer"
    question = values.identifier(told.get("question_id"))
    thread = f"{options.site}:{question}" if question else None
    body, title = values.string(told.get("body")), values.string(told.get("title"))
    tags = (values.string(tag) for tag in values.items(told.get("tags"))[:50])
    return Post(
        native_id=f"{options.site}:{number}",
        text=body or values.string(told.get("excerpt")) or "",
        text_format="html",
        text_truncated=body is None,
        title=None if is_answer else title,
        published_at=at,
        published_precision="second" if at else "unknown",
        network="stackexchange",
        source_instance=options.domain,
        content_type="reply" if is_answer else "post",
        url=f"https://{options.domain}/{'a' if is_answer else 'q'}/{number}",
        thread_id=thread,
        parent_native_id=thread if is_answer else None,
        community=options.domain,
        reply_count=None if is_answer else values.count(told.get("answer_count")),
        platform_score=values.number(told.get("score")),
        hashtags=tuple(tag for tag in tags if tag),
        licence=_licence(at),
        context=html.unescape(title) if is_answer and title else None,
    )


def _licence(at: datetime | None) -> str | None:
    """The licence of a text by the day on which it was written."""
    if at is None:
        return None
    return next((name for since, name in _LICENCES if at >= since), "cc-by-sa-2.5")
