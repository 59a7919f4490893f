"""The Mention: one row per post, comment, review or article that names the institution.

Three records and one table shape:

- `Post` is what a source's parser returns. It still holds the author and the raw text, and
  lives only in memory, between landing and normalising.
- `Mention` is what is kept: minimised, masked, author as a rotating pseudonym. `MENTION_SCHEMA`
  is its Arrow schema and the table `mention` its SQL twin; a test keeps the three equal.
- `Deletion` says that a post is gone at its source; `Rejection` that a payload or a row cannot
  be a mention, and why.

Null means unknown or not offered by the source; 0 means a known zero. Times are aware UTC with
microseconds. Text is NFC without NUL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Literal

import pyarrow as pa

SCHEMA_VERSION = 1
TEXT_LIMIT = 100_000  # characters kept of one text; a longer one is cut and marked

ContentType = Literal[
    "post", "comment", "reply", "repost", "quote", "review", "article", "video", "message"
]
CollectedVia = Literal["search", "stream", "timeline", "feed", "html", "export", "mention_api"]
AuthorKind = Literal["person", "organisation", "bot", "media", "institution", "official", "deleted"]
TextFormat = Literal["plain", "html", "markdown"]
Precision = Literal["second", "minute", "day", "unknown"]
Visibility = Literal["public", "unlisted"]
DeletionReason = Literal["author", "moderator", "account", "gone", "withheld", "erasure_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One item as its source tells it, before minimising; never written anywhere.

    `context` is what it answers to or stands under (the title of a video, of a thread), plain:
    read to know its subject, never kept nor scored. `is_own` says that the source knows the
    institution itself to be the author.
    """

    native_id: str
    text: str
    text_format: TextFormat = "plain"
    published_at: datetime | None = None
    published_precision: Precision = "second"
    network: str = "web"
    source_instance: str | None = None
    native_version: str | None = None
    content_type: ContentType = "post"
    collected_via: CollectedVia = "search"
    url: str | None = None
    title: str | None = None
    content_warning: str | None = None
    text_truncated: bool = False
    lang_declared: str | None = None
    edited_at: datetime | None = None
    author_id: str | None = None
    author_handle: str | None = None
    author_kind: AuthorKind | None = None
    thread_id: str | None = None
    parent_native_id: str | None = None
    root_native_id: str | None = None
    quoted_native_id: str | None = None
    community: str | None = None
    like_count: int | None = None
    reply_count: int | None = None
    share_count: int | None = None
    quote_count: int | None = None
    view_count: int | None = None
    bookmark_count: int | None = None
    platform_score: float | None = None
    rating_value: float | None = None
    rating_min: float | None = None
    rating_max: float | None = None
    hashtags: tuple[str, ...] = ()
    mentioned_handles: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    geo_country: str | None = None
    geo_place: str | None = None
    sensitive: bool | None = None
    visibility: Visibility = "public"
    optout: bool = False
    licence: str | None = None
    context: str | None = None
    is_own: bool = False
    lookup_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A post is gone at its source: its text is emptied and it no longer counts."""

    source: str
    native_id: str
    deleted_at: datetime
    reason: DeletionReason = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Something that cannot be a mention: where it came from and why, without a person's text."""

    source: str
    native_id: str | None
    reason: str
    detail: str
    raw_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One mention as it is kept. The key is `(source, native_id)`, hashed into `mention_id`.

    `place_codes` are the places that its text names (`pipelines/places`), never where its author
    is; none where nobody has looked yet.
    `lookup_id` is what its source calls it when it is looked up, where that is not the native id.
    """

    mention_id: str
    source: str
    source_name: str
    source_instance: str | None
    network: str
    native_id: str
    native_version: str | None
    content_type: str
    collected_via: str
    subject_ids: tuple[str, ...]
    url: str | None
    title: str | None
    content_warning: str | None
    text: str
    text_truncated: bool
    text_hash: str
    text_expired_at: datetime | None
    lang_declared: str | None
    lang: str | None
    published_at: datetime
    published_precision: str
    published_clamped: bool
    edited_at: datetime | None
    deleted_at: datetime | None
    deletion_reason: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    metrics_at: datetime | None
    author_key: str | None
    author_kind: str | None
    relay_id: str | None
    is_own: bool
    thread_id: str | None
    parent_native_id: str | None
    root_native_id: str | None
    quoted_native_id: str | None
    community: str | None
    like_count: int | None
    reply_count: int | None
    share_count: int | None
    quote_count: int | None
    view_count: int | None
    bookmark_count: int | None
    platform_score: float | None
    rating_value: float | None
    rating_min: float | None
    rating_max: float | None
    hashtags: tuple[str, ...]
    mentioned_handles: tuple[str, ...]
    urls: tuple[str, ...]
    media_types: tuple[str, ...]
    geo_country: str | None
    geo_place: str | None
    sensitive: bool | None
    visibility: str
    optout: bool
    licence: str | None
    retention_until: date
    raw_ref: str | None
    connector_version: str
    schema_version: int
    run_id: str
    words: str | None = None
    query_versions: tuple[str, ...] | None = None
    lookup_id: str | None = None
    place_codes: tuple[str, ...] | None = None


_TIME = pa.timestamp("us", tz="UTC")
_TEXTS = pa.list_(pa.string())
_COUNTS = (
    "like_count",
    "reply_count",
    "share_count",
    "quote_count",
    "view_count",
    "bookmark_count",
)

MENTION_SCHEMA = pa.schema(
    [
        pa.field("mention_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_name", pa.string(), nullable=False),
        pa.field("source_instance", pa.string()),
        pa.field("network", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("native_version", pa.string()),
        pa.field("content_type", pa.string(), nullable=False),
        pa.field("collected_via", pa.string(), nullable=False),
        pa.field("subject_ids", _TEXTS, nullable=False),
        pa.field("url", pa.string()),
        pa.field("title", pa.string()),
        pa.field("content_warning", pa.string()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("text_truncated", pa.bool_(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("text_expired_at", _TIME),
        pa.field("lang_declared", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("published_at", _TIME, nullable=False),
        pa.field("published_precision", pa.string(), nullable=False),
        pa.field("published_clamped", pa.bool_(), nullable=False),
        pa.field("edited_at", _TIME),
        pa.field("deleted_at", _TIME),
        pa.field("deletion_reason", pa.string()),
        pa.field("first_seen_at", _TIME, nullable=False),
        pa.field("last_seen_at", _TIME, nullable=False),
        pa.field("metrics_at", _TIME),
        pa.field("author_key", pa.string()),
        pa.field("author_kind", pa.string()),
        pa.field("relay_id", pa.string()),
        pa.field("is_own", pa.bool_(), nullable=False),
        pa.field("thread_id", pa.string()),
        pa.field("parent_native_id", pa.string()),
        pa.field("root_native_id", pa.string()),
        pa.field("quoted_native_id", pa.string()),
        pa.field("community", pa.string()),
        *(pa.field(name, pa.int64()) for name in _COUNTS),
        pa.field("platform_score", pa.float64()),
        pa.field("rating_value", pa.float64()),
        pa.field("rating_min", pa.float64()),
        pa.field("rating_max", pa.float64()),
        pa.field("hashtags", _TEXTS, nullable=False),
        pa.field("mentioned_handles", _TEXTS, nullable=False),
        pa.field("urls", _TEXTS, nullable=False),
        pa.field("media_types", _TEXTS, nullable=False),
        pa.field("geo_country", pa.string()),
        pa.field("geo_place", pa.string()),
        pa.field("sensitive", pa.bool_()),
        pa.field("visibility", pa.string(), nullable=False),
        pa.field("optout", pa.bool_(), nullable=False),
        pa.field("licence", pa.string()),
        pa.field("retention_until", pa.date32(), nullable=False),
        pa.field("raw_ref", pa.string()),
        pa.field("connector_version", pa.string(), nullable=False),
        pa.field("schema_version", pa.int32(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        # What queries read (`pipelines.words`), and the versions of subjects that said yes: null
        # where neither was recorded yet.
        pa.field("words", pa.string()),
        pa.field("query_versions", _TEXTS),
        pa.field("lookup_id", pa.string()),
        pa.field("place_codes", _TEXTS),
    ]
)

DELETION_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("deleted_at", _TIME, nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)

REJECTION_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("raw_ref", pa.string()),
    ]
)


def mention_id(source: str, native_id: str) -> str:
    """The 32-digit key of a post: BLAKE2b-128 of source, unit separator, native id."""
    name = f"{source}\x1f{native_id}".encode()
    return hashlib.blake2b(name, digest_size=16).hexdigest()


def text_hash(text: str) -> str:
    """The hash of a text as it was scored: BLAKE2b-128, 32 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def to_table(records: Iterable[object], schema: pa.Schema) -> pa.Table:
    """Frozen records as an Arrow table of `schema`, column by column."""
    rows = list(records)
    columns = [pa.array([getattr(row, f.name) for row in rows], type=f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def field_names(record: type) -> tuple[str, ...]:
    """The field names of a frozen record, in order."""
    return tuple(f.name for f in fields(record))
