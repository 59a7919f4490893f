"""Forums that publish feeds: phpBB, FluxBB, SMF, vBulletin, XenForo, MyBB.

The feed parser reads the documents; a dialect says what an entry is in each software (a message
or a topic), by which numbers it is known, and what the software adds that nobody wrote.

A feed is a window on the last 15 to 50 entries. When nothing met before is still in it, the time
between is told as a gap, with the most messages that it may hold where messages are numbered.
Where the feed gives topics by their first message, replies are not read: those that it counts are
told in the note.

Costs one request a run and feed, one more a topic that has changed for FluxBB. Known gaps: what
the feed of the software leaves out (`docs/sources.md` has a table); deletions are not told by
any of them; a forum that has changed its addresses (SEO extensions) needs `feeds`.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http, plaintext
from pipelines.errors import StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.mention import Post
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _feed_document,
    _forum_topics as topics,
    _values as values,
    feed,
)
from pipelines.sources._forum_dialects import DIALECTS, Dialect, number, read
from pipelines.sources._reading import Reading, begun, each

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="forum",
    label="Forums by their feeds",
    access="feeds that forums publish for reading by machines; no account, no key",
    terms_url="the terms of each forum; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "id and link of the message or topic",
        "title",
        "text or excerpt",
        "time of writing and editing",
        "member (pseudonym)",
        "part of the forum",
        "number of replies",
        "language",
    ),
    cost="free",
    retention_days=30,
    deletion_duty="no feed tells deletions: erase by permalink on request",
    limits=(Limit(name="requests", most=1, per=Rolling(1)),),  # ours: these forums set none
)

_REMEMBERED = 200  # topics whose number of replies is remembered


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `forum`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    software: Literal["phpbb", "fluxbb", "smf", "vbulletin", "xenforo", "mybb"]
    rooms: tuple[Annotated[str, Field(pattern=r"^[\w.-]{1,80}$")], ...] = ()
    feeds: tuple[str, ...] = ()
    label: str | None = None
    lang: str | None = None
    time_zone: str = "Europe/Paris"
    max_age_days: Annotated[int, Field(ge=1, le=365)] = 30
    max_bytes: Annotated[int, Field(ge=1_000, le=http.MAX_BYTES)] = http.MAX_BYTES

    @field_validator("url")
    @classmethod
    def _is_a_forum(cls, value: str) -> str:
        return values.site(value)

    @field_validator("feeds")
    @classmethod
    def _are_addresses(cls, feeds: tuple[str, ...]) -> tuple[str, ...]:
        for address in feeds:
            if not values.web_address(address) or "@" in address or " " in address:
                raise ValueError("write whole addresses, such as https://forum.example/feed.php")
        return feeds

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is named {value!r}: try Europe/Paris")
        return value

    @property
    def dialect(self) -> Dialect:
        """What the feeds of this software mean."""
        return DIALECTS[self.software]

    @property
    def host(self) -> str:
        """The forum's host, by which its messages are known everywhere."""
        return urlsplit(self.url).netloc.removeprefix("www.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The feeds to read: those given, else of each part named, else of the whole forum."""
        rooms = (self.dialect.room.format(id=room) for room in self.rooms)
        paths = tuple(rooms) or (self.dialect.board,)
        return self.feeds or tuple(f"{self.url}/{path}" for path in paths)


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a collection has reached: the cursor of each feed, and what was met."""

    request: Request
    options: Options
    cursors: dict[str, Any]
    reading: Reading


def collect(request: Request) -> Iterator[Collected]:
    """What is new in every feed of the forum; touches the network.

    SourceError when no feed could be read; one in trouble does not stop the others.
    """
    options: Options = request.options
    cursor = request.cursor or {}
    same = cursor.get("url") == options.url and cursor.get("software") == options.software
    known = values.mapping(cursor.get("feeds")) if same else {}
    run = _Run(request=request, options=options, cursors=dict(known), reading=begun(request))
    yield from each(options.addresses, lambda address: _read(address, run), run.reading)
    log.info("forum.read source=%s feeds=%d", request.name, len(options.addresses))
    yield run.reading.checkpoint(_cursor(run))


def _cursor(run: _Run) -> Cursor:
    feeds = {name: run.cursors[name] for name in run.options.addresses if name in run.cursors}
    return {"url": run.options.url, "software": run.options.software, "feeds": feeds}


def _read(address: str, run: _Run) -> Iterator[Collected]:
    """One feed, its cursor moved when it was read to its end."""
    kept: dict[str, Any] = {}
    before = values.mapping(run.cursors.get(address))
    try:
        if run.options.dialect.thread and not run.options.feeds:
            request = replace(run.request, cursor=before or None)
            yield from topics.collect(_board(address, run), request, before, run.reading, kept)
        else:
            yield from _entries(address, before, run, kept)
    except StatusRefused as error:
        raise _explained(error, run.options) from error
    finally:
        run.cursors[address] = kept or before


def _board(address: str, run: _Run) -> topics.Board:
    options = run.options
    return topics.Board(
        dialect=options.dialect,
        base=options.url,
        feed=address,
        zone=ZoneInfo(options.time_zone),
        max_bytes=options.max_bytes,
    )


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    """The same error, with what to do where a forum publishes no feed."""
    if error.status not in {401, 403, 404}:
        return error
    return StatusRefused(
        f"{http.shown(options.url)} answered with status {error.status} where "
        f"{options.dialect.label} has its feed: check url and software, look in a page of the "
        "forum for the feed it names and write it in feeds; its administrator may have switched "
        "feeds off",
        status=error.status,
        content=error.content,
    )


def _entries(
    address: str, before: Mapping[str, Any], run: _Run, kept: dict[str, Any]
) -> Iterator[Payload]:
    """What is new in a feed whose entries are what they seem to be."""
    request = replace(
        run.request,
        options=_as_feed(run.options, address),
        cursor=values.mapping(before.get("feed")) or None,
    )
    for item in feed.collect(request):
        if isinstance(item, Payload):
            run.reading.is_first(address)  # something was handed over
            kept |= _counted(item, before, run)
            yield replace(item, data={**item.data, "feed": address})
        else:
            _note(item, before, run, kept)


def _as_feed(options: Options, address: str) -> feed.Options:
    return feed.Options(
        url=address,
        network="forum",
        label=options.label,
        lang=options.lang,
        time_zone=options.time_zone,
        max_age_days=options.max_age_days,
        max_bytes=options.max_bytes,
    )


def _counted(payload: Payload, before: Mapping[str, Any], run: _Run) -> dict[str, Any]:
    """What the window of a feed holds: its highest and lowest message, the replies of its topics.

    Replies that are counted and not shown are told.
    """
    dialect, data = run.options.dialect, values.mapping(payload.data)
    entries = _feed_document.read(
        base64.b64decode(data["body"]), url=str(data["url"]), headers=data["headers"]
    ).entries
    numbers = [n for e in entries if (n := number(dialect.post, e.link, e.guid))]
    replies = {
        str(topic): entry.reply_count
        for entry in entries
        if entry.reply_count is not None
        and (topic := number(dialect.topic, entry.link, entry.guid))
    }
    known = values.mapping(before.get("replies"))
    rises = (
        count - (values.count(known.get(topic, count)) or 0) for topic, count in replies.items()
    )
    unread = 0 if dialect.is_by_post else sum(rise for rise in rises if rise > 0)
    if unread:
        run.reading.notes.append(
            f"{unread} replies were counted and not read: the feeds of {dialect.label} give the "
            "first message of a topic"
        )
    return {
        "replies": dict(list({**known, **replies}.items())[-_REMEMBERED:]),
        "first": min(numbers, default=None),
        "last": max(numbers, default=None),
    }


def _note(
    checkpoint: Checkpoint, before: Mapping[str, Any], run: _Run, kept: dict[str, Any]
) -> None:
    """Take over what the feed parser tells: its cursor, its gap, its words."""
    reading = run.reading
    kept["feed"] = checkpoint.cursor
    for name in ("replies", "first", "last"):
        kept.setdefault(name, before.get(name))
    reading.notes += [checkpoint.note] if checkpoint.note else []
    if checkpoint.gap:
        reading.missed(*checkpoint.gap)
        first, last = kept.get("first"), values.row_id(before.get("last"))
        if first and last and first > last + 1:
            reading.notes.append(f"at most {first - last - 1} messages were not seen")


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The posts of a landed document as the forum's software means them, and what was wrong."""
    told = values.web_address(values.mapping(payload.data).get("feed")) or ""
    # As it was asked for, not where it led: entries are named by it where they have no address.
    address = told if told in options.addresses else options.url
    for item in feed.parse(payload, _as_feed(options, address)):
        if isinstance(item, Post):
            yield read(_with_host(item, options), options.dialect, host=options.host)
        else:
            yield replace(item, source=MANIFEST.name)


def _with_host(post: Post, options: Options) -> Post:
    """The post under the host of the forum, and its author by the name alone: MyBB links it."""
    said, _ = plaintext.plain(post.author_handle or "", "html")
    name = plaintext.line(said, limit=100) or None
    author = f"{name}@{options.host}" if name else None
    return replace(post, source_instance=options.host, author_handle=name, author_id=author)
