"""Reads Mastodon's timelines forward from the last id, page after page."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from pipelines import http
from pipelines.errors import SourceError
from pipelines.notes import noted
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Payload,
    Request,
    _mastodon_status as statuses,
    _values as values,
)
from pipelines.sources._mastodon_options import Options, tags_of
from pipelines.sources._mastodon_server import Server, asked, server
from pipelines.sources._sieve import Sieve, sieve

_PAGE = 40  # the most that a timeline gives
_LATE_SHARE = 5  # one page in so many may be spent on statuses that arrive late
_SNOWFLAKE_BITS = 16
_DAY = timedelta(days=1)
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One list of statuses: where it is, how it is streamed, the kind of payload that it gives.

    Of one that `is_sifted` only what may name what is watched is handed over.
    """

    name: str
    path: str
    channel: str
    tag: str | None = None
    kind: str = "status"
    params: Mapping[str, str] = field(default_factory=dict)
    is_sifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a timeline, the oldest item first, and the ids from which to go on."""

    items: tuple[Any, ...]
    newest_id: str | None
    oldest_id: str | None


@dataclass(slots=True, kw_only=True)
class Run:
    """What a collection has reached: positions to go on from, what was seen, what to tell."""

    request: Request
    server: Server
    positions: dict[str, str]
    may_name: Sieve
    handed: dict[str, str] = field(default_factory=dict)  # id to version of what was handed over
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
            note=noted(notes),
        )


def begun(request: Request) -> Run:
    """A run that knows its server and its positions, and has read nothing yet; SourceError."""
    return Run(
        request=request,
        server=server(request),
        positions=_positions(request.cursor, request.options),
        may_name=sieve(request.terms),
    )


def _positions(cursor: Cursor | None, options: Options) -> dict[str, str]:
    found = cursor or {}
    if found.get("instance") != options.instance:
        return {}
    return {
        str(name): at
        for name, at in values.mapping(found.get("positions")).items()
        if isinstance(at, str)
    }


def timelines(run: Run) -> Iterator[Timeline]:
    """What there is to read; SourceError when there is nothing, or nothing may be read."""
    options = run.server.options
    tags = options.tags or tags_of(run.request.terms.hashtags)
    if not (tags or options.public or options.mentions or options.account):
        raise SourceError(
            f"{run.request.name} has nothing to read: give a subject a hashtag, or the source "
            "tags, public, mentions or an account"
        )
    refusals: list[str] = []
    found = [*_tag_timelines(run, tags, refusals), *_public_timeline(run, refusals)]
    if refusals and not (found or options.mentions or options.account):
        raise SourceError("; ".join(refusals))
    run.notes += refusals
    yield from found
    if options.mentions:
        yield Timeline(
            name="mentions",
            path="notifications",
            channel="user",
            kind="mention",
            params={"types[]": "mention"},
        )
    if options.account:
        yield _own_timeline(run, options.account)


def _tag_timelines(run: Run, tags: Sequence[str], refusals: list[str]) -> Iterator[Timeline]:
    open_sides = _open_sides(run.server, "hashtag_feeds")
    if tags and not open_sides:
        refusals.append(_refusal(run.server, "hashtag_feeds", "tags"))
    side = open_sides[0] if len(open_sides) == 1 else ""
    if tags and side:
        run.notes.append(f"{run.server.options.host} shows only {side} statuses of tags")
    for tag in tags if open_sides else ():
        yield Timeline(
            name=f"tag:{tag.casefold()}",
            path=f"timelines/tag/{quote(tag, safe='')}",
            channel="hashtag:local" if side == "local" else "hashtag",
            tag=tag,
            params={side: "true"} if side else {},
        )


def _public_timeline(run: Run, refusals: list[str]) -> Iterator[Timeline]:
    """All that the server shows of one side or of both, sifted before it is handed over."""
    wanted = run.server.options.public
    if not wanted:
        return
    open_sides = _open_sides(run.server, "live_feeds")
    if not set(("local", "remote") if wanted == "all" else (wanted,)) <= set(open_sides):
        refusals.append(_refusal(run.server, "live_feeds", f"public = {wanted!r}"))
        return
    yield Timeline(
        name=f"public:{wanted}",
        path="timelines/public",
        channel="public" if wanted == "all" else f"public:{wanted}",
        params={} if wanted == "all" else {wanted: "true"},
        is_sifted=True,
    )


def _open_sides(server: Server, feed: str) -> list[str]:
    """The sides of a feed that may be read: what the server says nothing of is open."""
    readable = {"public", "authenticated"} if server.headers else {"public"}
    told = server.access.get(feed, {})
    return [side for side in ("local", "remote") if told.get(side, "public") in readable]


def _refusal(server: Server, feed: str, what: str) -> str:
    if "authenticated" in server.access.get(feed, {}).values() and not server.headers:
        why = "only to its members: set token_env to a token of an account there"
    else:
        why = "to nobody: take this out, or ask another server"
    return f"{server.options.host} shows {what} {why}"


def _own_timeline(run: Run, account: str) -> Timeline:
    name = account.lstrip("@")
    found = values.mapping(asked(run.server, "accounts/lookup", {"acct": name}).json())
    local_id = values.string(found.get("id"))
    if local_id is None:
        raise SourceError(
            f"{run.server.options.host} does not know the account {name!r}: correct account"
        )
    return Timeline(
        name=f"account:{name.casefold()}",
        path=f"accounts/{quote(local_id, safe='')}/statuses",
        channel="user",
        kind="own",
        params={"exclude_reblogs": "true"},
    )


def _page(timeline: Timeline, run: Run, **where: str) -> Page:
    answer = asked(run.server, timeline.path, {**timeline.params, "limit": str(_PAGE), **where})
    found = answer.json()
    if not isinstance(found, list):
        raise SourceError(
            f"{http.shown(answer.url)} answered with no list of statuses: check that "
            f"{run.server.options.host} speaks the interface of Mastodon"
        )
    links = answer.headers.get("link", "")
    ids = [key for item in found if (key := item_id(item))]
    return Page(
        items=tuple(reversed(found)),
        newest_id=_linked(links, "prev", "min_id") or (ids[0] if ids else None),
        oldest_id=_linked(links, "next", "max_id") or (ids[-1] if ids else None),
    )


def item_id(item: Any) -> str | None:
    """The id of a status or a notification on the server that was asked; None for none."""
    return values.string(values.mapping(item).get("id"))


def _linked(header: str, rel: str, param: str) -> str | None:
    """The id in a Link header; of its address only this one value is used."""
    found = re.search(rf'<([^<>]{{1,2000}})>\s*;\s*rel="{rel}"', header)
    values = parse_qs(urlsplit(found[1]).query).get(param) if found else None
    return values[0] if values else None


def read(
    timeline: Timeline, run: Run, *, before: str | None = None
) -> Generator[Collected, None, bool]:
    """What is new in a timeline, its position moved after each page that is handed over.

    Returns whether its end was reached, within `max_pages`. What came late is looked for before
    `before`, the position at which a reading of several calls began, else before the present one.
    """
    position = run.positions.get(timeline.name)
    pages = run.server.options.max_pages
    if position is None:
        pages -= yield from _begun(timeline, run, pages)
    since = None if position else run.request.since
    is_done = yield from _forward(timeline, run, pages, since=since)
    if (before or position) and is_done and timeline.kind == "status":
        yield from _late(timeline, run, before or position or "")
    return is_done


def _begun(timeline: Timeline, run: Run, pages: int) -> Generator[Collected, None, int]:
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
    page: Page, timeline: Timeline, run: Run, *, is_whole: bool
) -> Iterator[Collected]:
    """Hand over the first page of the window; what is older than it, if not read, is a gap."""
    since, until = run.request.since, run.request.until
    if not is_whole:
        run.gap = _joined(run.gap, (since, max(since, min(_oldest_at(page, since), until))))
        run.notes.append(f"{timeline.name}: older statuses were not read; max_pages may be too low")
    kept = _before(page.items, until)
    yield from _handed_over(kept, timeline, run, since=since)
    if kept and (last := item_id(kept[-1])):
        run.positions[timeline.name] = last


def _joined(gap: Window | None, other: Window) -> Window:
    """The window that holds both: one source tells one gap."""
    return other if gap is None else (min(gap[0], other[0]), max(gap[1], other[1]))


def _forward(
    timeline: Timeline, run: Run, pages: int, *, since: datetime | None
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
        reached = page.newest_id if is_whole else item_id(kept[-1]) if kept else None
        run.positions[timeline.name] = reached or position
        if not (page.items and is_whole) or reached in {None, position}:
            return True
    return False


def _late(timeline: Timeline, run: Run, before: str) -> Iterator[Collected]:
    """What has come since, with ids older than the position, where ids tell their time."""
    options = run.server.options
    at = _time_of(before)
    if at is None or at.year < 2016 or not options.late_minutes:  # no Mastodon before 2016
        return
    position: str | None = _first_id(at - timedelta(minutes=options.late_minutes))
    for _ in range(max(options.max_pages // _LATE_SHARE, 1)):
        page = _page(timeline, run, min_id=position or "")
        kept = [item for item in page.items if _is_upto(item_id(item), before)]
        yield from _handed_over(kept, timeline, run)
        if len(kept) < len(page.items) or page.newest_id in {None, position}:
            return
        position = page.newest_id
    run.notes.append(f"{timeline.name}: not all that came late could be looked for")


def _handed_over(
    items: Sequence[Any], timeline: Timeline, run: Run, *, since: datetime | None = None
) -> Iterator[Payload]:
    """The payloads of a page, none written before `since`."""
    for item in items:
        if since and (at := _at(item)) and at < since:
            continue
        if not _is_other_notice(item, timeline):
            yield from handed_over(_status(item, timeline), timeline, run)


def handed_over(status: Any, timeline: Timeline, run: Run) -> Iterator[Payload]:
    """A status as a payload: each version once a run, and none that is not public or sifted out."""
    key, version = item_id(status), version_of(status)
    if key in run.handed and run.handed[key] == version:
        return
    if is_private(status, run.server.options):
        run.private_count += 1
        return
    if timeline.is_sifted and key not in run.handed and not _may_name(status, run):
        return
    if key:
        run.handed.pop(key, None)
        run.handed[key] = version
    run.handed_count += 1
    yield Payload(kind=timeline.kind, data=status, instance=run.server.domain)


def version_of(status: Any) -> str:
    """What tells one version of a status from another: when it was last edited."""
    return str(values.mapping(status).get("edited_at") or "")


def _may_name(status: Any, run: Run) -> bool:
    texts = statuses.seen_texts(status, host=run.server.domain)
    return run.may_name(texts, statuses.hashtags(status))


def _status(item: Any, timeline: Timeline) -> Any:
    return values.mapping(item).get("status") if timeline.kind == "mention" else item


def _is_other_notice(item: Any, timeline: Timeline) -> bool:
    """Whether this is a notification of something else, which an old server sends unasked."""
    if timeline.kind != "mention":
        return False
    notice = values.mapping(item)
    return notice.get("type") != "mention" or notice.get("status") is None


def is_private(status: Any, options: Options) -> bool:
    """Whether a status is not for everyone, or not of a kind that may be kept."""
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


def _oldest_at(page: Page, otherwise: datetime) -> datetime:
    return min((at for item in page.items if (at := _at(item))), default=otherwise)


def _last_id_before(page: Page, since: datetime) -> str | None:
    older = (item for item in reversed(page.items) if (at := _at(item)) and at < since)
    return next(filter(None, map(item_id, older)), None)


def _id_at(moment: datetime, example: Any) -> str | None:
    """The id that comes before all of `moment` and later, None where ids do not tell the time.

    Mastodon's ids do: milliseconds since 1970, then 16 bits (lib/mastodon/snowflake.rb, read
    2026-11-20). That this server's do is checked on `example`, one of its statuses.
    """
    told, at = _time_of(item_id(example)), _at(example)
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
