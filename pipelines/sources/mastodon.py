"""Mastodon and servers that speak its interface: tag timelines, mentions, the own account.

Timelines are read forward from the last id (`min_id`), page after page until an empty one, so
that no burst leaves a hole (`since_id` would). The first run finds its start by the time that
Mastodon writes into its ids, and by paging back where ids are opaque (GoToSocial). A server dates
the id of a status that arrives late to when it was written (lib/mastodon/snowflake.rb), so the last
half hour is read again on each run, within a fifth of `max_pages`.

What a server does not show to everyone is not read: `timelines_access` of /api/v2/instance is
honoured, and messages that are not public are left alone before anything is written.

Costs one request for the instance, two a timeline and run, one a status checked again; servers
give 300 in five minutes. Known gaps: a tag timeline misses posts that name the institution
without a hashtag, and what the server does not federate; deletions are seen only of statuses
that live on the server asked, since others cannot be looked up by their uri; where ids are
opaque, a status that arrives late is missed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http
from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.mention import Deletion, Rejection
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _mastodon_status as statuses,
    _values as values,
)

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="mastodon",
    label="Mastodon and compatible servers",
    access="public interface of each server; a token where the server asks for one",
    terms_url="the rules of each server, at /about; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "uri and link of the status",
        "text and content warning",
        "time of writing and editing",
        "account (pseudonym)",
        "hashtags, accounts named",
        "links, kinds of media",
        "counts",
        "language",
    ),
    cost="free; 300 requests in five minutes",
    retention_days=30,
    deletion_duty="statuses of the server asked are looked up again; others on request",
    # docs.joinmastodon.org/api/rate-limits, read 2026-07-02: by account and by address.
    limits=(
        Limit(
            name="calls",
            most=300,
            per=Rolling(300),
            remedy="lower max_pages, or raise every_minutes of this source in vigie.toml",
        ),
    ),
)

_PAGE = 40  # the most that a timeline gives
_RECHECKS = 50
_LATE_SHARE = 5  # one page in so many may be spent on statuses that arrive late
_SNOWFLAKE_BITS = 16
_DAY = timedelta(days=1)
Window = tuple[datetime, datetime]


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `mastodon`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: str
    tags: tuple[str, ...] = ()
    mentions: bool = False
    account: str | None = None
    token_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    include_unlisted: bool = False
    max_pages: Annotated[int, Field(ge=1, le=500)] = 50
    late_minutes: Annotated[int, Field(ge=0, le=1440)] = 30

    @field_validator("instance")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        url = value.strip().rstrip("/")
        url = url if "://" in url else f"https://{url}"
        if not re.fullmatch(r"https?://[^\s/@?#]+", url):
            raise ValueError(f"{value!r} is not a server: write https://social.example")
        return url.lower()

    @field_validator("tags")
    @classmethod
    def _are_tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _tags(value)

    @property
    def host(self) -> str:
        """The host of the server, for accounts that it names without one."""
        return urlsplit(self.instance).hostname or self.instance

    @property
    def allowed(self) -> frozenset[str]:
        """The visibilities that may be kept."""
        return frozenset({"public", "unlisted"} if self.include_unlisted else {"public"})


def _tags(names: tuple[str, ...]) -> tuple[str, ...]:
    """Hashtags without `#`, each once whatever its capitals."""
    bare = (name.strip().lstrip("#") for name in names)
    return tuple({name.casefold(): name for name in bare if name}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """The server that is asked: how, as whom, and under which domain its accounts are known."""

    client: http.Client
    options: Options
    headers: Mapping[str, str]
    domain: str
    tag_access: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timeline:
    """One list of statuses: where it is, and the kind of payload that it gives."""

    name: str
    path: str
    kind: str = "status"
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page of a timeline, the oldest item first, and the ids from which to go on."""

    items: tuple[Any, ...]
    newest_id: str | None
    oldest_id: str | None


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a collection has reached: positions to go on from, what was seen, what to tell."""

    request: Request
    server: _Server
    positions: dict[str, str]
    handed: set[str] = field(default_factory=set)
    handed_count: int = 0
    notes: list[str] = field(default_factory=list)
    private_count: int = 0
    is_capped: bool = False
    gap: Window | None = None

    def checkpoint(self) -> Checkpoint:
        """Where the next run goes on, with all that there is to tell so far."""
        notes = list(self.notes)
        if self.private_count:
            notes.append(f"{self.private_count} messages that are not public were left alone")
        return Checkpoint(
            cursor={"instance": self.server.options.instance, "positions": dict(self.positions)},
            gap=self.gap,
            capped=self.is_capped,
            note="; ".join(dict.fromkeys(notes)) or None,
        )


def collect(request: Request) -> Iterator[Collected]:
    """Every new public status of the tags, mentions and account; touches the network.

    SourceError when nothing could be read. When part could, the rest is told in the note and
    comes with the next run, since each timeline keeps its own place. RateLimited when the server
    asks for a long wait, after a checkpoint of what came before.
    """
    run = _opened(request)
    failures: list[SourceError] = []
    well = 0
    for timeline in list(_timelines(run)):
        try:
            yield from _read(timeline, run)
            well += 1
        except SourceError as error:
            failures.append(error)
            run.notes.append(str(error))
            run.is_capped = True
            if isinstance(error, RateLimited) and not (well or run.handed_count):
                raise
        yield run.checkpoint()
        if failures and isinstance(failures[-1], RateLimited):
            raise failures[-1]  # what came before the checkpoint is kept, and its place
    if failures and not well and not run.handed_count:
        raise failures[0]
    if not failures:
        yield from _checked_again(run)
    log.info(
        "mastodon.read source=%s count=%d private=%d",
        request.name,
        run.handed_count,
        run.private_count,
    )
    yield run.checkpoint()


def _opened(request: Request) -> _Run:
    options: Options = request.options
    headers = _credentials(request)
    instance = _instance(request.client, options, headers)
    access = values.mapping(
        values.mapping(values.mapping(instance.get("configuration")).get("timelines_access")).get(
            "hashtag_feeds"
        )
    )
    server = _Server(
        client=request.client,
        options=options,
        headers=headers,
        domain=_domain(instance, options),
        tag_access={key: str(value) for key, value in access.items()},
    )
    return _Run(request=request, server=server, positions=_positions(request.cursor, options))


def _credentials(request: Request) -> dict[str, str]:
    name = request.options.token_env
    if name is None:
        return {}
    token = request.secrets.get(name, "").strip()
    if not token:
        raise SourceError(
            f"{request.name} names the variable {name}, which is not set: put the token of the "
            "application in it, or take token_env out of vigie.toml"
        )
    return {"authorization": f"Bearer {token}"}


def _instance(client: http.Client, options: Options, headers: Mapping[str, str]) -> dict[str, Any]:
    """What the server says of itself; empty for one too old to have /api/v2/instance."""
    try:
        found = client.get(f"{options.instance}/api/v2/instance", headers=headers).json()
    except StatusRefused as error:
        if error.status in {404, 410}:
            return {}
        raise _explained(error, options) from error
    return values.mapping(found)


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    """The same error, with what to do about it where the server wants to know who asks."""
    if error.status not in {401, 403, 422}:
        return error
    remedy = (
        f"check the token in {options.token_env}: it needs read:statuses, and read:notifications "
        "for mentions"
        if options.token_env
        else "this server wants to know who asks: create an application there and name the "
        "variable that holds its token in token_env"
    )
    return StatusRefused(
        f"{options.instance} answered with status {error.status}: {remedy}",
        status=error.status,
        content=error.content,
    )


def _domain(instance: Mapping[str, Any], options: Options) -> str:
    """The domain of the server's accounts, which may differ from the host that answers."""
    told = values.string(instance.get("domain"))
    is_one = told is not None and re.fullmatch(r"[\w.-]+(:\d+)?", told)
    return told.lower() if told and is_one else options.host


def _positions(cursor: Cursor | None, options: Options) -> dict[str, str]:
    found = cursor or {}
    if found.get("instance") != options.instance:
        return {}
    return {
        str(name): at
        for name, at in values.mapping(found.get("positions")).items()
        if isinstance(at, str)
    }


def _timelines(run: _Run) -> Iterator[_Timeline]:
    """What there is to read; SourceError when there is nothing, or nothing may be read."""
    options = run.server.options
    tags = options.tags or _tags(run.request.terms.hashtags)
    others = options.mentions or options.account
    if not tags and not others:
        raise SourceError(
            f"{run.request.name} has nothing to read: give a subject a hashtag, or the source "
            "tags, mentions or an account"
        )
    params, refusal = _tag_params(run.server)
    if tags and refusal and not others:
        raise SourceError(refusal)
    if tags and refusal:
        run.notes.append(refusal)
    if tags and params:
        run.notes.append(f"{options.host} shows only {next(iter(params))} statuses of tags")
    for tag in () if refusal else tags:
        yield _Timeline(
            name=f"tag:{tag.casefold()}", path=f"timelines/tag/{quote(tag, safe='')}", params=params
        )
    if options.mentions:
        yield _Timeline(
            name="mentions", path="notifications", kind="mention", params={"types[]": "mention"}
        )
    if options.account:
        yield _own_timeline(run, options.account)


def _tag_params(server: _Server) -> tuple[dict[str, str], str | None]:
    """What to add to a request for a tag, and why it cannot be made, if it cannot."""
    readable = {"public", "authenticated"} if server.headers else {"public"}
    told = {side: server.tag_access.get(side, "public") for side in ("local", "remote")}
    open_sides = [side for side, access in told.items() if access in readable]
    if len(open_sides) == 2:
        return {}, None
    if open_sides:
        return {open_sides[0]: "true"}, None
    if "authenticated" in told.values():
        why = "shows tags only to its members: set token_env to a token of an account there"
    else:
        why = "shows tags to nobody: take the tags out, or ask another server"
    return {}, f"{server.options.host} {why}"


def _own_timeline(run: _Run, account: str) -> _Timeline:
    name = account.lstrip("@")
    found = values.mapping(_asked(run.server, "accounts/lookup", {"acct": name}).json())
    local_id = values.string(found.get("id"))
    if local_id is None:
        raise SourceError(
            f"{run.server.options.host} does not know the account {name!r}: correct account"
        )
    return _Timeline(
        name=f"account:{name.casefold()}",
        path=f"accounts/{quote(local_id, safe='')}/statuses",
        kind="own",
        params={"exclude_reblogs": "true"},
    )


def _asked(server: _Server, path: str, params: Mapping[str, str]) -> http.Response:
    url = f"{server.options.instance}/api/v1/{path}"
    try:
        return server.client.get(url, params=params, headers=server.headers)
    except StatusRefused as error:
        raise _explained(error, server.options) from error


def _page(timeline: _Timeline, run: _Run, **where: str) -> _Page:
    answer = _asked(run.server, timeline.path, {**timeline.params, "limit": str(_PAGE), **where})
    found = answer.json()
    if not isinstance(found, list):
        raise SourceError(
            f"{http.shown(answer.url)} answered with no list of statuses: check that "
            f"{run.server.options.host} speaks the interface of Mastodon"
        )
    links = answer.headers.get("link", "")
    ids = [item_id for item in found if (item_id := _id(item))]
    return _Page(
        items=tuple(reversed(found)),
        newest_id=_linked(links, "prev", "min_id") or (ids[0] if ids else None),
        oldest_id=_linked(links, "next", "max_id") or (ids[-1] if ids else None),
    )


def _id(item: Any) -> str | None:
    return values.string(values.mapping(item).get("id"))


def _linked(header: str, rel: str, param: str) -> str | None:
    """The id in a Link header; of its address only this one value is used."""
    found = re.search(rf'<([^<>]{{1,2000}})>\s*;\s*rel="{rel}"', header)
    values = parse_qs(urlsplit(found[1]).query).get(param) if found else None
    return values[0] if values else None


def _read(timeline: _Timeline, run: _Run) -> Generator[Collected, None, None]:
    """What is new in a timeline, its position moved after each page that is handed over."""
    before = run.positions.get(timeline.name)
    pages = run.server.options.max_pages
    if before is None:
        pages -= yield from _begun(timeline, run, pages)
    since = None if before else run.request.since
    is_done = yield from _forward(timeline, run, pages, since=since)
    if before and is_done and timeline.kind == "status":
        yield from _late(timeline, run, before)


def _begun(timeline: _Timeline, run: _Run, pages: int) -> Generator[Collected, None, int]:
    """Set the position at the start of the window; returns the number of pages that it took."""
    since = run.request.since
    page, used, is_whole = _page(timeline, run), 1, True
    start = _id_at(since, page.items[-1] if page.items else None)
    while start is None and page.items and _oldest_at(page, since) >= since:
        is_whole = used < pages
        further = _page(timeline, run, max_id=page.oldest_id or "") if is_whole else None
        if further is not None and further.oldest_id == page.oldest_id:
            further, is_whole = None, False  # this server does not page back
        if further is None or not further.items:
            break  # the timeline begins within the window, or cannot be read further back
        page, used = further, used + 1
    start = start or _last_id_before(page, since)
    if start:
        run.positions[timeline.name] = start
    elif page.items:
        yield from _begun_within(page, timeline, run, is_whole=is_whole)
    return used


def _begun_within(
    page: _Page, timeline: _Timeline, run: _Run, *, is_whole: bool
) -> Iterator[Collected]:
    """Hand over the first page of the window; what is older than it, if not read, is a gap."""
    since, until = run.request.since, run.request.until
    if not is_whole:
        run.gap = _joined(run.gap, (since, max(since, min(_oldest_at(page, since), until))))
        run.notes.append(f"{timeline.name}: older statuses were not read; max_pages may be too low")
    kept = _before(page.items, until)
    yield from _handed_over(kept, timeline, run, since=since)
    if kept and (last := _id(kept[-1])):
        run.positions[timeline.name] = last


def _joined(gap: Window | None, other: Window) -> Window:
    """The window that holds both: one source tells one gap."""
    return other if gap is None else (min(gap[0], other[0]), max(gap[1], other[1]))


def _forward(
    timeline: _Timeline, run: _Run, pages: int, *, since: datetime | None
) -> Generator[Collected, None, bool]:
    """Page after page up to an empty one or the end of the window; False at the limit of pages."""
    for _ in range(max(pages, 1)):
        position = run.positions.get(timeline.name)
        if position is None:
            return True
        page = _page(timeline, run, min_id=position)
        kept = _before(page.items, run.request.until)
        yield from _handed_over(kept, timeline, run, since=since)
        is_whole = len(kept) == len(page.items)
        reached = page.newest_id if is_whole else _id(kept[-1]) if kept else None
        run.positions[timeline.name] = reached or position
        if not (page.items and is_whole) or reached in {None, position}:
            return True
    run.is_capped = True
    run.notes.append(f"{timeline.name}: there is more, and the next run goes on from here")
    return False


def _late(timeline: _Timeline, run: _Run, before: str) -> Iterator[Collected]:
    """What has come since, with ids older than the position, where ids tell their time."""
    options = run.server.options
    at = _time_of(before)
    if at is None or at.year < 2016 or not options.late_minutes:  # no Mastodon before 2016
        return
    position: str | None = _first_id(at - timedelta(minutes=options.late_minutes))
    for _ in range(max(options.max_pages // _LATE_SHARE, 1)):
        page = _page(timeline, run, min_id=position or "")
        kept = [item for item in page.items if _is_upto(_id(item), before)]
        yield from _handed_over(kept, timeline, run)
        if len(kept) < len(page.items) or page.newest_id in {None, position}:
            return
        position = page.newest_id
    run.notes.append(f"{timeline.name}: not all that came late could be looked for")


def _handed_over(
    items: Sequence[Any], timeline: _Timeline, run: _Run, *, since: datetime | None = None
) -> Iterator[Payload]:
    """The payloads of a page: each status once a run, and none that is not public."""
    for item in items:
        status = _status(item, timeline)
        key = _id(status)
        if key in run.handed or _is_other_notice(item, timeline):
            continue
        if since and (at := _at(item)) and at < since:
            continue
        if _is_private(status, run.server.options):
            run.private_count += 1
            continue
        if key:
            run.handed.add(key)
        run.handed_count += 1
        yield Payload(kind=timeline.kind, data=status, instance=run.server.domain)


def _status(item: Any, timeline: _Timeline) -> Any:
    return values.mapping(item).get("status") if timeline.kind == "mention" else item


def _is_other_notice(item: Any, timeline: _Timeline) -> bool:
    """Whether this is a notification of something else, which an old server sends unasked."""
    if timeline.kind != "mention":
        return False
    notice = values.mapping(item)
    return notice.get("type") != "mention" or notice.get("status") is None


def _is_private(status: Any, options: Options) -> bool:
    if not isinstance(status, dict):
        return False  # no status at all: the parser says so
    visibility = status.get("visibility")
    return not isinstance(visibility, str) or visibility not in options.allowed


def _at(item: Any) -> datetime | None:
    return values.time(values.mapping(item).get("created_at"))


def _before(items: Sequence[Any], until: datetime) -> Sequence[Any]:
    """The items up to the last one written before `until`.

    One with a later date that stands before others is kept: its clock is wrong, and waiting for
    it would hold up all that follow.
    """
    times = [_at(item) for item in items]
    last = max((n for n, at in enumerate(times) if at is None or at < until), default=-1)
    return items[: last + 1]


def _oldest_at(page: _Page, otherwise: datetime) -> datetime:
    return min((at for item in page.items if (at := _at(item))), default=otherwise)


def _last_id_before(page: _Page, since: datetime) -> str | None:
    older = (item for item in reversed(page.items) if (at := _at(item)) and at < since)
    return next(filter(None, map(_id, older)), None)


def _id_at(moment: datetime, example: Any) -> str | None:
    """The id that comes before all of `moment` and later, None where ids do not tell the time.

    Mastodon's ids do: milliseconds since 1970, then 16 bits (lib/mastodon/snowflake.rb, read
    2026-11-20). That this server's do is checked on `example`, one of its statuses.
    """
    told, at = _time_of(_id(example)), _at(example)
    if told is None or at is None or abs(told - at) > _DAY:
        return None
    return _first_id(moment)


def _first_id(moment: datetime) -> str:
    return str((int(moment.timestamp() * 1000) << _SNOWFLAKE_BITS) - 1)


def _time_of(item_id: str | None) -> datetime | None:
    if not item_id or not re.fullmatch(r"[0-9]{1,20}", item_id):
        return None
    try:
        return datetime.fromtimestamp((int(item_id) >> _SNOWFLAKE_BITS) / 1000, UTC)
    except (ValueError, OverflowError):
        return None


def _is_upto(item_id: str | None, last: str) -> bool:
    return bool(item_id and item_id.isdecimal() and int(item_id) <= int(last))


def _checked_again(run: _Run) -> Iterator[Payload]:
    """Statuses of this server looked up again: as they are now, or gone."""
    for uri in run.request.recheck_ids[:_RECHECKS]:
        local_id = _local_id(uri, run.server)
        if local_id is None:
            continue
        try:
            found = _asked(run.server, f"statuses/{local_id}", {}).json()
        except StatusRefused as error:
            if error.status not in {404, 410}:
                run.notes.append(f"deletions could not be checked: {error}")
                return
            found = None
        except SourceError as error:
            run.notes.append(f"deletions could not be checked: {error}")
            return
        yield from _found_again(uri, found, run)


def _found_again(uri: str, found: Any, run: _Run) -> Iterator[Payload]:
    server = run.server
    if found is not None and values.mapping(found).get("uri") != uri:
        return  # another status has this id: the uri is not made of ids here
    if found is None or _is_private(found, server.options):
        data = {"uri": uri, "checked_at": run.request.until.isoformat()}
        yield Payload(kind="gone", data=data, instance=server.domain)
    elif _id(found) not in run.handed:
        yield Payload(kind="status", data=found, instance=server.domain)


def _local_id(uri: str, server: _Server) -> str | None:
    """The id by which this server knows a status of its own; None for those of other servers."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    is_here = parts.netloc.lower() in {urlsplit(server.options.instance).netloc, server.domain}
    found = re.search(r"/statuses/([0-9A-Za-z]{1,64})$", parts.path)
    return found[1] if is_here and found else None


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post, deletion or rejection of one payload."""
    if payload.kind == "gone":
        yield _deletion(payload)
        return
    host = payload.instance or options.host
    account = (options.account or "").lstrip("@").casefold()
    yield statuses.read(
        payload.data,
        kind=payload.kind,
        host=host,
        own=f"{account}@{host}" if account and "@" not in account else account or None,
        allowed=options.allowed,
    )


def _deletion(payload: Payload) -> Deletion | Rejection:
    data = values.mapping(payload.data)
    uri, at = values.string(data.get("uri")), values.time(data.get("checked_at"))
    if uri is None or at is None:
        detail = "a deletion has no uri or no time"
        return Rejection(source=MANIFEST.name, native_id=uri, reason="no_uri", detail=detail)
    return Deletion(source=MANIFEST.name, native_id=uri, deleted_at=at, reason="gone")
