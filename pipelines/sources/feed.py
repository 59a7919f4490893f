"""RSS, Atom and JSON Feed: press, forums and sites that publish one.

A feed is asked for conditionally (ETag, Last-Modified) and landed whole, one payload a document,
with the list of the entries that are new or changed since the last run: the others are not parsed
again. On the first run, entries older than the window and entries without a date are left out,
since their date would be that of the reading and look like a burst.

A feed keeps only its last entries. When none of those met before is still there, the time between
is told as a gap: raise the frequency, or ask the publisher for a longer feed.

Costs one request a run, and twice the reading of a changed document. Known gaps: a deletion is
seen only where the feed says it (RFC 6721); `ttl` and `updatePeriod` are not followed, since a
conditional request costs the publisher next to nothing; the text of a press article is its
excerpt, unless `full_text` is set by agreement with the publisher.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http, plaintext
from pipelines.errors import SourceError
from pipelines.mention import ContentType, Deletion, Post, Rejection
from pipelines.notes import noted, why
from pipelines.said import say, some
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _feed_dates,
)
from pipelines.sources._feed_document import Document, Entry, Text, Tombstone, Unreadable, read

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="feed",
    label="RSS, Atom and JSON feeds",
    access="feeds that sites publish for reading by machines; no account, no key",
    terms_url="the terms of each site; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "id of the entry",
        "title",
        "text or excerpt",
        "link",
        "time",
        "site, or pseudonym of a forum's author",
        "language",
        "number of replies",
    ),
    cost="free",
    retention_days=30,
    deletion_duty="entries withdrawn by RFC 6721 are deleted; others by permalink on request",
)

_ID_LIMIT = 400
_EXCERPT_LIMIT = 1_000
_REMEMBERED = 200  # entries no longer in the feed; one that comes back is not new
_KEPT_HEADERS = ("content-type", "content-language", "tdm-reservation")
_TRACKING = re.compile(r"(?<=[?&])(?:utm_\w+|at_\w+|xtor|fbclid|gclid)=[^&#]*&?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `feed`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
    network: Literal["press", "forum", "web"] = "press"
    label: str | None = None
    licence: str | None = None
    lang: str | None = None
    time_zone: str = "Europe/Paris"
    full_text: bool = False
    max_age_days: Annotated[int, Field(ge=1, le=365)] = 30
    max_bytes: Annotated[int, Field(ge=1_000, le=http.MAX_BYTES)] = http.MAX_BYTES

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is named {value!r}: try Europe/Paris")
        return value

    @property
    def host(self) -> str:
        """The site that the feed is of, in lower case, without `www.`."""
        return _host(self.url) or "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    """What this run found: the keys to parse, what to remember, and how many were left out."""

    fresh: tuple[str, ...]
    seen: dict[str, str]
    too_old_count: int
    undated_count: int


def collect(request: Request) -> Iterator[Collected]:
    """The document as one payload, if anything in it is new; touches the network.

    SourceError for what is no feed, naming the address; the cursor holds the ETag, the date of the
    last change, and a short hash of each entry met.
    """
    options: Options = request.options
    cursor = _sound(request.cursor)
    answer = request.client.get(
        options.url, headers=_conditions(cursor, options.url), max_bytes=options.max_bytes
    )
    if answer.status == 304:
        yield Checkpoint(cursor={**cursor, "read_at": request.until.isoformat()})
        return
    document = _document(answer, options)
    met = _met(document, options, cursor, request)
    log.info(
        "feed.read source=%s entries=%d fresh=%d",
        request.name,
        len(document.entries),
        len(met.fresh),
    )
    if met.fresh:
        yield Payload(kind="document", data=_data(answer, met.fresh), instance=options.host)
    yield _checkpoint(answer, document, met, cursor, request)


def _sound(cursor: Cursor | None) -> Cursor:
    """The cursor, or an empty one where it is not of the shape that this module writes."""
    found = cursor or {}
    return found if isinstance(found.get("seen", {}), dict) else {}


def _conditions(cursor: Cursor, url: str) -> dict[str, str]:
    wanted = {
        "accept": "application/atom+xml, application/rss+xml, application/feed+json, "
        "application/xml;q=0.9, */*;q=0.5"
    }
    if cursor.get("url") != url:
        return wanted
    names = {"if-none-match": "etag", "if-modified-since": "last_modified"}
    return wanted | {name: cursor[key] for name, key in names.items() if cursor.get(key)}


def _document(answer: http.Response, options: Options) -> Document:
    try:
        return read(answer.content, url=answer.url, headers=answer.headers)
    except Unreadable as error:
        what = why(error)
        raise SourceError(
            say("{place}: {detail}", place=http.shown(options.url), detail=what)
        ) from error


def _data(answer: http.Response, fresh: tuple[str, ...]) -> dict[str, Any]:
    return {
        "url": answer.url,
        "headers": {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers},
        "body": base64.b64encode(answer.content).decode(),
        "keep": list(fresh),
    }


def _met(document: Document, options: Options, cursor: Cursor, request: Request) -> _Met:
    """What is new: met for the first time and not too old, or changed since it was met."""
    before: Mapping[str, str] = cursor.get("seen", {})
    is_first = "seen" not in cursor
    horizon = request.since if is_first else request.until - timedelta(days=options.max_age_days)
    fresh: list[str] = []
    now: dict[str, str] = {}
    too_old = undated = 0
    for key, at, digest in _items(document, options):
        short = _digest(key, 8)
        now[short] = digest
        if before.get(short) == digest:
            continue
        if short not in before and at is not None and at < horizon:
            too_old += 1
        elif is_first and at is None:
            undated += 1
        else:
            fresh.append(key)
    return _Met(
        fresh=tuple(fresh),
        seen={**_recent(before, now), **now},
        too_old_count=too_old,
        undated_count=undated,
    )


def _recent(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    gone = [(key, digest) for key, digest in before.items() if key not in now]
    return dict(gone[-_REMEMBERED:])


def _items(document: Document, options: Options) -> Iterator[tuple[str, datetime | None, str]]:
    """Each entry and tombstone once: its key, the time it tells, a hash of all it says."""
    zone = ZoneInfo(options.time_zone)
    by_key: dict[str, list[Entry]] = {}
    for entry in document.entries:
        if key := _native_id(entry, options):
            by_key.setdefault(key, []).append(entry)
    for key, entries in by_key.items():
        yield key, _latest(entries[-1], zone), _digest(msgspec.json.encode(entries), 4)
    for tombstone in document.tombstones:
        when, _ = _feed_dates.read(tombstone.when, zone=zone)
        yield _tombstone_key(tombstone, options), when, _digest(tombstone.guid, 4)


def _latest(entry: Entry, zone: ZoneInfo) -> datetime | None:
    told = (_feed_dates.read(text, zone=zone)[0] for text in (entry.published, entry.updated))
    return max(filter(None, told), default=None)


def _digest(value: str | bytes, size: int) -> str:
    name = value.encode() if isinstance(value, str) else value
    return hashlib.blake2b(name, digest_size=size).hexdigest()


def _checkpoint(
    answer: http.Response, document: Document, met: _Met, cursor: Cursor, request: Request
) -> Checkpoint:
    gap = _gap(document, cursor, request)
    is_whole = document.fault is None  # a broken one is asked for again, not "if changed"
    validators = {"etag": "etag", "last_modified": "last-modified"}
    return Checkpoint(
        cursor={
            "url": request.options.url,
            "read_at": request.until.isoformat(),
            "seen": met.seen,
            **{
                key: value
                for key, name in validators.items()
                if is_whole and (value := _validator(answer.headers.get(name)))
            },
        },
        gap=gap,
        note=_note(answer, document, met, has_gap=gap is not None),
    )


def _validator(value: str | None) -> str | None:
    """An ETag or a date that may be sent back as it came; None when it could not be a header."""
    is_fit = value is not None and value.isascii() and value.isprintable() and len(value) <= 500
    return value if is_fit else None


def _gap(document: Document, cursor: Cursor, request: Request) -> tuple[datetime, datetime] | None:
    """The time of which entries may have come and gone between two readings, if any.

    Of a back-fill: all that is older than the oldest entry, since the feed shows it no more.
    """
    options: Options = request.options
    before = cursor.get("seen")
    told = (at for _, at, _ in _items(document, options) if at is not None)
    oldest = min(told, default=None)
    if request.is_backfill:
        end = min(oldest or request.until, request.until)
        return (request.since, end) if end > request.since else None
    keys = {_digest(key, 8) for key, _, _ in _items(document, options)}
    if not before or not keys or not keys.isdisjoint(before):
        return None
    read_at, _ = _feed_dates.read(cursor.get("read_at"), zone=ZoneInfo("UTC"))
    is_hole = read_at is not None and oldest is not None and read_at < oldest
    return (read_at, min(oldest, request.until)) if is_hole and read_at and oldest else None


def _note(answer: http.Response, document: Document, met: _Met, *, has_gap: bool) -> str | None:
    """What the operator should know of this reading; None when all went well."""
    said = {
        say("the feed has no entries"): not document.entries,
        say(
            "the document is broken ({fault}); what could be read was", fault=document.fault
        ): document.fault,
        some(
            "{n} entry older than the window was left out",
            "{n} entries older than the window were left out",
            n=met.too_old_count,
        ): met.too_old_count,
        some(
            "{n} entry without a date was left out",
            "{n} entries without a date were left out",
            n=met.undated_count,
        ): met.undated_count,
        say("entries may have come and gone between two readings: lower every_minutes"): has_gap,
        say("the publisher reserves text and data mining: entries are counted, not kept"): (
            _is_reserved(answer.headers)
        ),
    }
    return noted(text for text, is_so in said.items() if is_so)


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The posts of a landed document that its `keep` names, its deletions, and what was wrong."""
    try:
        body, url, headers, keep = _landed(payload, options)
        document = read(body, url=url, headers=headers)
    except Unreadable as error:
        yield Rejection(source="feed", native_id=None, reason=error.reason, detail=why(error))
        return
    if document.fault:
        detail = say("{fault}; what could be read was", fault=document.fault)
        yield Rejection(source="feed", native_id=None, reason="broken_document", detail=detail)
    for entry in document.entries:
        yield from _kept(entry, document, options, headers, keep)
    for tombstone in document.tombstones:
        if keep is None or _tombstone_key(tombstone, options) in keep:
            yield _deletion(tombstone, payload, options)


def _landed(
    payload: Payload, options: Options
) -> tuple[bytes, str, dict[str, str], frozenset[str] | None]:
    """The body, address, headers and keys of a payload; Unreadable when it is not one of ours."""
    data = payload.data if isinstance(payload.data, dict) else {}
    headers = data.get("headers")
    keep = data.get("keep")
    try:
        body = base64.b64decode(data["body"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Unreadable(
            "malformed_payload", say("the payload holds no document in base64")
        ) from error
    kept = frozenset(str(key) for key in keep) if isinstance(keep, list) else None
    named = headers.items() if isinstance(headers, dict) else ()
    return body, str(data.get("url") or options.url), {str(n): str(v) for n, v in named}, kept


def _kept(
    entry: Entry,
    document: Document,
    options: Options,
    headers: Mapping[str, str],
    keep: frozenset[str] | None,
) -> Iterator[Post | Rejection]:
    key = _native_id(entry, options)
    if key is None:
        detail = "an entry has no id, no link, no title and no text"
        yield Rejection(source="feed", native_id=None, reason="no_identity", detail=detail)
    elif keep is None or key in keep:
        yield _post(entry, key, document, options, headers)


def _post(
    entry: Entry, key: str, document: Document, options: Options, headers: Mapping[str, str]
) -> Post:
    zone = ZoneInfo(options.time_zone)
    published, precision = _feed_dates.read(entry.published, zone=zone)
    updated, updated_precision = _feed_dates.read(entry.updated, zone=zone)
    if published is None:
        published, precision, updated = updated, updated_precision, None
    text, is_cut = _chosen(entry, options)
    return Post(
        native_id=key,
        text=text.value,
        text_format=text.format,
        text_truncated=is_cut or entry.is_cut,
        published_at=published,
        published_precision=precision,
        edited_at=updated if updated and published and updated > published else None,
        network=options.network,
        source_instance=options.host,
        content_type=_content_type(entry, options),
        collected_via="feed",
        url=_web_address(entry.link),
        title=entry.title,
        lang_declared=entry.lang or document.lang or options.lang,
        parent_native_id=_qualified(entry.parent, options) if entry.parent else None,
        community=options.label or document.title,
        reply_count=entry.reply_count,
        media_types=entry.media_types,
        optout=_is_reserved(headers),
        licence=options.licence,
        **_author(entry, options),
    )


def _chosen(entry: Entry, options: Options) -> tuple[Text, bool]:
    """The text to keep and whether it was cut: of the press its excerpt, elsewhere the longer."""
    texts = [text for text in (entry.summary, entry.content) if text]
    empty = Text(value="", format="plain")
    if options.network != "press" or options.full_text:
        return max(texts, key=lambda text: len(text.value), default=empty), False
    return _excerpt(texts[0] if texts else empty)


def _excerpt(text: Text) -> tuple[Text, bool]:
    """The first thousand characters, cut at a space: the law lets us quote, not copy, the press."""
    if len(text.value) <= _EXCERPT_LIMIT:
        return text, False
    plain = " ".join(plaintext.plain(text.value, text.format)[0].split())
    if len(plain) <= _EXCERPT_LIMIT:
        return text, False
    return Text(value=plain[:_EXCERPT_LIMIT].rsplit(" ", 1)[0] + "…", format="plain"), True


def _content_type(entry: Entry, options: Options) -> ContentType:
    if options.network != "forum":
        return "article"
    is_reply = entry.parent or re.match(r"re\s*:", entry.title or "", re.IGNORECASE)
    return "reply" if is_reply else "post"


def _author(entry: Entry, options: Options) -> dict[str, Any]:
    """Who speaks: of the press the medium, never the journalist; of a forum its member."""
    if options.network == "press":
        medium = _host(entry.origin) or _host(entry.link) or options.host
        return {"author_id": medium, "author_kind": "media"}
    if not entry.author:
        return {}
    return {"author_id": f"{entry.author}@{options.host}", "author_handle": entry.author}


def _native_id(entry: Entry, options: Options) -> str | None:
    """What names an entry everywhere: its guid, else its link, else what it says; None for none."""
    if entry.guid:
        return _qualified(entry.guid, options)
    if entry.link:
        link = _TRACKING.sub("", entry.link.split("#")[0]).rstrip("?&")
        return f"url:{_digest(link, 16)}"
    said = (entry.title, entry.published, entry.summary, entry.content)
    if not (entry.title or entry.summary or entry.content):
        return None
    return f"text:{_digest(msgspec.json.encode([options.url, *said]), 16)}"


def _qualified(guid: str, options: Options) -> str:
    """A guid that names the same entry everywhere: as it is when a URI, else with its site."""
    name = guid if _URI.fullmatch(guid) else f"{options.host}:{guid}"
    return name if len(name) <= _ID_LIMIT else f"guid:{_digest(name, 16)}"


def _tombstone_key(tombstone: Tombstone, options: Options) -> str:
    return f"gone {_qualified(tombstone.guid, options)}"


def _deletion(tombstone: Tombstone, payload: Payload, options: Options) -> Deletion | Rejection:
    when, _ = _feed_dates.read(tombstone.when, zone=ZoneInfo(options.time_zone))
    at = when or payload.fetched_at
    native_id = _qualified(tombstone.guid, options)
    if at is None:
        detail = "the feed withdraws an entry and does not say when"
        return Rejection(source="feed", native_id=native_id, reason="no_time", detail=detail)
    return Deletion(source="feed", native_id=native_id, deleted_at=at, reason="author")


def _web_address(link: str | None) -> str | None:
    return link if link and re.match(r"https?://", link, re.IGNORECASE) else None


def _host(url: str | None) -> str | None:
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


def _is_reserved(headers: Mapping[str, str]) -> bool:
    """Whether the publisher reserves text and data mining (W3C TDM Reservation Protocol, 2024)."""
    return headers.get("tdm-reservation", "").strip() == "1"
