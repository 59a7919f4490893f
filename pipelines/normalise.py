"""Posts as their sources tell them become Mentions: plain, masked, minimised, on a subject.

Works by chunks: subjects are matched first, on the text as it will be kept (masked), so that the
same query over what is stored says the same; only what names one is read further: its language,
the places that it names. What cannot be a mention becomes a Rejection that says why; `off_subject`
means that a text names nothing watched, and is counted, not stored.

Cost: about 6,500 posts a second on one core, half of it for their language, a seventh for places
(`tests/bench`).
Known gaps: a pseudonym needs an account; two posts by the same person at either end of a
rotation period count as two people.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models import language
from pipelines import plaintext, privacy, query_match
from pipelines.aside import written_aside
from pipelines.mention import (
    MENTION_SCHEMA,
    SCHEMA_VERSION,
    TEXT_LIMIT,
    AuthorKind,
    Deletion,
    Mention,
    Post,
    Rejection,
    Visibility,
    mention_id,
    text_hash,
)
from pipelines.notes import told
from pipelines.places import Finder
from pipelines.query_match import Document
from pipelines.said import say
from pipelines.settings import Relay, Settings, SourceBlock
from pipelines.sources import Manifest, Parsed
from pipelines.subjects import Found, Matcher

# What stands in `query_versions` for a subject that no query gave: the block is one subject's, or
# the institution posted it.
GIVEN, OWN, UNDER = "given", "own", "under"

OFF_SUBJECT = "off_subject"
NO_ID = "no_native_id"
EMPTY = "empty_text"
NOT_PUBLIC = "not_public"

CHUNK = 2_000  # posts read at once: bounds memory, and gives the batch calls enough to do
CLOCK_SKEW = timedelta(minutes=10)  # a source's clock may run ahead of ours by as much
EARLIEST = datetime(2005, 1, 1, tzinfo=UTC)  # older dates are a client's fault, not a post's
ID_LIMIT = 1_000  # characters of an identifier or address part
TITLE_LIMIT = 500
TAG_LIMIT = 50  # hashtags, handles and addresses kept of one post
PLACED = ("mention_id", "published_at", "place_codes")  # what `places_again` writes
_MAX_COUNT = 2**63 - 1

_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d_]\w*)")
_ADDRESS = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]}'’»…]")
_AT = re.compile(r"[@＠﹫]\w")
_LANG = re.compile(r"[a-z]{2,3}")
_NO_LANG = frozenset({"und", "mul", "zxx", "mis", "xx", "none", "qaa"})
_ID_ODD = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_COARSE_PLACE = re.compile(r"FR-(?:\d\d|2[AB]|97\d)|[^\W\d_][^\d\n,;]{0,98}")
_STREET = re.compile(
    r"\b(?:rue|avenue|av|boulevard|bd|place|impasse|chemin|allée|quai|route|résidence|étage)\b",
    re.IGNORECASE,
)
_MEDIA = frozenset({"image", "video", "audio", "gif", "document"})
_KINDS: Mapping[str, AuthorKind] = MappingProxyType(
    {"institution": "institution", "media": "media", "official": "official"}
)
_PUBLISHED_BY_SITE = frozenset({"article", "video"})  # a comment on a site is not the site's
_PUBLIC: frozenset[Visibility] = frozenset({"public", "unlisted"})

Outcome = Mention | Deletion | Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What every post of one source and run shares."""

    block: SourceBlock
    manifest: Manifest
    locale: str  # of what is said of a refusal
    key: bytes
    run_id: str
    seen_at: datetime
    is_held: bool
    retention_until: date
    allowed: frozenset[str]
    own: frozenset[str]
    relays: Mapping[str, Relay]
    sites: tuple[tuple[str, Relay], ...]
    canary_words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A post as plain text, and as it will be shown, masked; lives for one chunk."""

    post: Post
    native_id: str
    raw_ref: str
    title: str | None
    warning: str | None
    text: str
    is_cut: bool
    handle: str
    context: str = ""
    shown_title: str | None = None
    shown_warning: str | None = None
    shown_text: str = ""

    @property
    def read(self) -> str:
        """All that a reader sees, as one text."""
        return "\n".join(part for part in (self.title, self.warning, self.text) if part)


def normalise(
    parsed: Iterable[tuple[Parsed, str]],
    *,
    settings: Settings,
    block: SourceBlock,
    manifest: Manifest,
    key: bytes,
    matcher: Matcher,
    finder: Finder,
    run_id: str,
    seen_at: datetime,
    is_held: bool = False,
) -> Iterator[Outcome]:
    """What one source's parsed items become, in their order, each exactly once.

    `parsed` holds each item with its place in landing (`raw_ref`). Lazy; one chunk in memory.
    An edit that names no subject any more becomes a Mention without one, and so does every post
    where all `is_held` already: its new text replaces the old one, and it is nothing otherwise.
    """
    run = _run(settings, block, manifest, key, run_id, seen_at, is_held=is_held)
    items = iter(parsed)
    while chunk := list(islice(items, CHUNK)):
        yield from _normalise_chunk(chunk, run, matcher, finder)


def places_again(
    mentions: Path, out: Path, *, finder: Finder, institution_subject: str | None
) -> int:
    """Write which places stored mentions name, as the gazetteer and the territory are now.

    `mentions` is what `load.export` wrote; `out` gets their keys and `place_codes`. How many.
    """
    schema = pa.schema([f for f in MENTION_SCHEMA if f.name in PLACED])
    count = 0
    with (
        written_aside(out) as aside,
        pq.ParquetFile(mentions) as stored,
        pq.ParquetWriter(aside, schema, compression="zstd") as writer,
    ):
        for batch in stored.iter_batches(CHUNK):
            rows = batch.to_pylist()
            texts = [(_stored_text(row), institution_subject in row["subject_ids"]) for row in rows]
            codes = pa.array(_places(texts, finder), schema.field("place_codes").type)
            keys = [batch[name] for name in PLACED[:-1]]
            writer.write_table(pa.Table.from_arrays([*keys, codes], schema=schema))
            count += len(rows)
    return count


def _stored_text(row: Mapping[str, Any]) -> str:
    """What a reader sees of a stored mention, with the hashtags that its text does not hold."""
    parts = [row["title"], row["content_warning"], row["text"]]
    read = "\n".join(part for part in parts if part)
    return read if "#" in read else f"{read}\n{' '.join(f'#{tag}' for tag in row['hashtags'])}"


def _run(
    settings: Settings,
    block: SourceBlock,
    manifest: Manifest,
    key: bytes,
    run_id: str,
    seen_at: datetime,
    *,
    is_held: bool,
) -> _Run:
    days = min(manifest.retention_days, settings.retention.text_days)
    seen_on = seen_at.astimezone(settings.institution.zone).date()
    fold = privacy.fold_handle
    return _Run(
        block=block,
        manifest=manifest,
        locale=settings.institution.locale,
        key=key,
        run_id=run_id,
        seen_at=seen_at,
        is_held=is_held,
        retention_until=seen_on + timedelta(days=days),
        allowed=privacy.allow_list(settings),
        own=frozenset(fold(handle) for handle in settings.institution.handles),
        relays={fold(handle): relay for relay in settings.relays for handle in relay.handles},
        sites=tuple((_site(site), relay) for relay in settings.relays for site in relay.sites),
        canary_words=tuple(c.word for c in settings.canaries if c.word),
    )


def _site(site: str) -> str:
    """A site as an address begins after its scheme, without `www.`."""
    bare = re.sub(r"^https?://", "", site.strip().lower())
    return bare.removeprefix("www.").rstrip("/")


def _normalise_chunk(
    chunk: list[tuple[Parsed, str]], run: _Run, matcher: Matcher, finder: Finder
) -> Iterator[Outcome]:
    read = [_read(item, raw_ref, run) for item, raw_ref in chunk]
    drafts = [item for item in read if isinstance(item, _Draft)]
    kept = _on_subject(drafts, run, matcher, finder)
    for item in read:
        if not isinstance(item, _Draft):
            yield item
        elif id(item) in kept:
            yield _mention(item, kept[id(item)], run)
        else:
            yield _refuse(run, item.native_id, OFF_SUBJECT, "names no subject", item.raw_ref)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What makes a draft a mention: the document that was matched, and what it names."""

    document: Document
    found: Found


def _on_subject(
    drafts: list[_Draft], run: _Run, matcher: Matcher, finder: Finder
) -> dict[int, _Kept]:
    """The drafts that name a subject, or may be what a post that we hold has become; by identity.

    Language and places are found out for those alone that a query may name, since they take ten
    times as long.
    """
    documents = [_document(draft, run, matcher) for draft in drafts]
    found = _with_given(matcher.may_name(documents), drafts, run, matcher)
    rows = zip(drafts, documents, found, strict=True)
    kept = [row for row in rows if row[2].subject_ids or _is_news(row[0], run)]
    langs = _langs([draft.read for draft, *_ in kept])
    read = [
        replace(document, lang=lang or _lang(draft.post.lang_declared))
        for (draft, document, _), lang in zip(kept, langs, strict=True)
    ]
    drafts, names = [draft for draft, *_ in kept], [found for *_, found in kept]
    if matcher.is_late:
        names = _with_given(matcher.find(read), drafts, run, matcher)
    read = _placed(read, drafts, names, matcher, finder)
    if matcher.is_late:
        names = _with_given(matcher.find(read), drafts, run, matcher)
        read = _placed(read, drafts, names, matcher, finder)
        # What is stored is what was asked last, so that SQL over it says the same.
        names = _with_given(matcher.find(read), drafts, run, matcher)
    return {
        id(draft): _Kept(document, named)
        for draft, document, named in zip(drafts, read, names, strict=True)
        if named.subject_ids or _is_news(draft, run)
    }


def _placed(
    documents: list[Document],
    drafts: list[_Draft],
    found: list[Found],
    matcher: Matcher,
    finder: Finder,
) -> list[Document]:
    """The documents with the places that they name.

    "La ville" is the institution's own only in what is known to be about it. A guess would prove
    itself: "la ville" would name the place for which the post then counts. So places are found
    first for what needs none, and again for what they showed.
    """
    own = matcher.institution_subject
    texts = [
        (_tagged(draft), own in named.subject_ids)
        for draft, named in zip(drafts, found, strict=True)
    ]
    placed = zip(documents, _places(texts, finder), strict=True)
    return [replace(document, place_codes=codes) for document, codes in placed]


def _document(draft: _Draft, run: _Run, matcher: Matcher) -> Document:
    """A draft as queries read it: as it will be stored, without the accounts of people."""
    post = draft.post
    handles = (privacy.fold_handle(handle) for handle in post.mentioned_handles)
    asks = matcher.asks_address
    url = plaintext.canonical_url(post.url) if asks else None
    relay = _relay(draft, url, run) if asks else None
    counts = (post.like_count, post.reply_count, post.share_count, post.quote_count)
    known = [count for count in map(_count, counts) if count is not None]
    return query_match.document(
        draft.shown_text,
        title=draft.shown_title,
        warning=draft.shown_warning,
        hashtags=_once(plaintext.line(tag, limit=100) for tag in post.hashtags),
        handles=_once(handle for handle in handles if handle in run.allowed),
        url=url,
        source=run.manifest.name,
        source_name=run.block.name,
        network=post.network,
        content_type=post.content_type,
        engagement=sum(known) if known else None,
        is_own=asks and _is_own(draft, run),
        relay_id=relay.id if relay else None,
    )


def _is_news(draft: _Draft, run: _Run) -> bool:
    """Whether a text may be what a post that we hold has become."""
    return run.is_held or draft.post.edited_at is not None


def _langs(texts: list[str]) -> list[str | None]:
    """The language of each text; copies, which a crisis brings in hundreds, are read once."""
    single = list(dict.fromkeys(texts))
    found = dict(zip(single, language.detect(single), strict=True))
    return [found[text] for text in texts]


def _places(texts: list[tuple[str, bool]], finder: Finder) -> list[tuple[str, ...]]:
    """The places of each text, told whether it is about the institution; copies are read once."""
    single = list(dict.fromkeys(texts))
    found = finder.find([text for text, _ in single], [is_about for _, is_about in single])
    codes = dict(zip(single, found, strict=True))
    return [codes[text] for text in texts]


def _tagged(draft: _Draft) -> str:
    """What a reader sees, with the hashtags that the source gives apart."""
    if not draft.post.hashtags or "#" in draft.read:
        return draft.read
    return f"{draft.read}\n{' '.join(f'#{tag}' for tag in draft.post.hashtags)}"


def _read(item: Parsed, raw_ref: str, run: _Run) -> _Draft | Deletion | Rejection:
    if isinstance(item, Rejection):
        detail = told(item.detail, run.locale) or ""
        return replace(item, raw_ref=item.raw_ref or raw_ref, detail=detail)
    native_id = _ID_ODD.sub("", item.native_id or "")
    if not 0 < len(native_id) <= ID_LIMIT:
        return _refuse(
            run, None, NO_ID, say("an identifier of {n} characters", n=len(native_id)), raw_ref
        )
    if isinstance(item, Deletion):
        return replace(item, native_id=native_id)
    if item.visibility not in _PUBLIC:
        return _refuse(run, native_id, NOT_PUBLIC, say("not for everyone to read"), raw_ref)
    draft = _draft(item, native_id, raw_ref, run)
    if not (draft.text or draft.title or draft.warning):
        return _refuse(run, native_id, EMPTY, say("neither text nor title"), raw_ref)
    return draft


def _refuse(run: _Run, native_id: str | None, reason: str, detail: str, raw_ref: str) -> Rejection:
    return Rejection(
        source=run.manifest.name,
        native_id=native_id,
        reason=reason,
        detail=told(detail, run.locale) or "",
        raw_ref=raw_ref,
    )


def _draft(post: Post, native_id: str, raw_ref: str, run: _Run) -> _Draft:
    text, is_cut = plaintext.plain(post.text, post.text_format)
    handle = privacy.fold_handle(post.author_handle) if post.author_handle else ""
    title = _line(post.title, is_html=post.text_format == "html")
    warning = _line(post.content_warning)
    return _Draft(
        post=post,
        native_id=native_id,
        raw_ref=raw_ref,
        title=title,
        warning=warning,
        text=text,
        is_cut=is_cut,
        handle=handle,
        context=_context(post, handle, run),
        shown_title=_masked(title, handle, run, limit=TITLE_LIMIT),
        shown_warning=_masked(warning, handle, run, limit=TITLE_LIMIT),
        shown_text=_masked(text, handle, run, limit=TEXT_LIMIT) or "",
    )


def _context(post: Post, handle: str, run: _Run) -> str:
    """What a post stands under, masked as its text is."""
    read = plaintext.plain(post.context)[0] if post.context else ""
    return _masked(read, handle, run, limit=TEXT_LIMIT) or ""


def _line(text: str | None, *, is_html: bool = False) -> str | None:
    if not text:
        return None
    read = plaintext.plain(text, "html")[0] if is_html else text
    return plaintext.line(read, limit=TITLE_LIMIT) or None


def _with_given(
    found: list[Found], drafts: list[_Draft], run: _Run, matcher: Matcher
) -> list[Found]:
    """What was found, with the subject of the block, or of the institution's own posts.

    A block already filtered gives its subject whatever its posts name.
    """
    given = run.block.subject
    if given is not None:
        return [_added(named, given, GIVEN) for named in found]
    own = matcher.institution_subject
    found = _with_context(found, drafts, matcher)
    return [
        _added(named, own, OWN) if own and not named.subject_ids and _is_own(draft, run) else named
        for named, draft in zip(found, drafts, strict=True)
    ]


def _with_context(found: list[Found], drafts: list[_Draft], matcher: Matcher) -> list[Found]:
    """What was found, with the subjects of what the posts stand under: a video, a thread.

    It is matched by itself and not kept, so that no query can stand in both.
    """
    places = [place for place, draft in enumerate(drafts) if draft.context]
    under = matcher.find([query_match.document(drafts[place].context) for place in places])
    names = list(found)
    for place, named in zip(places, under, strict=True):
        for subject in reversed(named.subject_ids):  # each is put first
            if subject not in names[place].subject_ids:
                names[place] = _added(names[place], subject, UNDER)
    return names


def _added(found: Found, subject: str, why: str) -> Found:
    ids = found.subject_ids
    return Found(
        subject_ids=ids if subject in ids else (subject, *ids),
        versions=(*found.versions, f"{subject}@{why}"),
    )


def _is_own(draft: _Draft, run: _Run) -> bool:
    """Whether the institution wrote it: one of its accounts, or a post that it planted."""
    if draft.post.is_own or not run.own.isdisjoint(_names_of(draft)):
        return True
    return any(word in draft.read.casefold() for word in run.canary_words)


def _names_of(draft: _Draft) -> tuple[str, ...]:
    """The folded names under which an author may be listed: handle, handle at host, id."""
    post = draft.post
    names = [draft.handle] if draft.handle else []
    if draft.handle and post.source_instance and "@" not in draft.handle:
        names.append(f"{draft.handle}@{post.source_instance.casefold()}")
    if post.author_id:
        names.append(privacy.fold_handle(post.author_id))
    return tuple(names)


def _mention(draft: _Draft, kept: _Kept, run: _Run) -> Mention:
    post, found = draft.post, kept.found
    url = plaintext.canonical_url(post.url)
    is_own = _is_own(draft, run)
    relay = _relay(draft, url, run)
    published_at, precision, is_clamped = _published(post, run.seen_at)
    title, warning = draft.shown_title, draft.shown_warning
    shown = not post.optout
    text = draft.shown_text if shown else ""
    return Mention(
        mention_id=mention_id(run.manifest.name, draft.native_id),
        source=run.manifest.name,
        source_name=run.block.name,
        source_instance=_instance(post.source_instance),
        network=post.network,
        native_id=draft.native_id,
        native_version=_identifier(post.native_version),
        content_type=post.content_type,
        collected_via=post.collected_via,
        subject_ids=found.subject_ids,
        url=url if shown else None,
        title=title if shown else None,
        content_warning=warning if shown else None,
        text=text,
        text_truncated=post.text_truncated or draft.is_cut,
        text_hash=text_hash(text),
        text_expired_at=None,
        lang_declared=_lang(post.lang_declared),
        lang=kept.document.lang,
        published_at=published_at,
        published_precision=precision,
        published_clamped=is_clamped,
        edited_at=_edited(post.edited_at, run.seen_at),
        deleted_at=None,
        deletion_reason=None,
        first_seen_at=run.seen_at,
        last_seen_at=run.seen_at,
        metrics_at=run.seen_at if _has_metrics(post) else None,
        author_key=_author_key(draft, published_at, run)
        if shown and not is_own and not relay
        else None,
        author_kind=_author_kind(post, is_own, relay),
        relay_id=relay.id if relay and shown else None,
        is_own=is_own,
        thread_id=_identifier(post.thread_id),
        parent_native_id=_identifier(post.parent_native_id),
        root_native_id=_identifier(post.root_native_id),
        quoted_native_id=_identifier(post.quoted_native_id),
        community=_community(post.community, run) if shown else None,
        like_count=_count(post.like_count),
        reply_count=_count(post.reply_count),
        share_count=_count(post.share_count),
        quote_count=_count(post.quote_count),
        view_count=_count(post.view_count),
        bookmark_count=_count(post.bookmark_count),
        platform_score=_figure(post.platform_score),
        rating_value=_figure(post.rating_value),
        rating_min=_figure(post.rating_min),
        rating_max=_figure(post.rating_max),
        hashtags=_hashtags(draft) if shown else (),
        mentioned_handles=_handles(draft, (title, warning, draft.shown_text), run) if shown else (),
        urls=_urls(draft, run) if shown else (),
        media_types=tuple(dict.fromkeys(m for m in post.media_types if m in _MEDIA)),
        geo_country=_country(post.geo_country),
        geo_place=_place(post.geo_place) if shown else None,
        sensitive=post.sensitive,
        visibility=post.visibility,
        optout=post.optout,
        licence=_identifier(post.licence),
        retention_until=run.retention_until,
        raw_ref=draft.raw_ref,
        connector_version=run.manifest.version,
        schema_version=SCHEMA_VERSION,
        run_id=run.run_id,
        words=kept.document.words.stored if shown else None,
        query_versions=found.versions,
        place_codes=tuple(kept.document.place_codes) if shown else (),
        lookup_id=_identifier(post.lookup_id),
    )


def _masked(text: str | None, handle: str, run: _Run, *, limit: int) -> str | None:
    """The text masked, cut again: a mask may be longer than what it stands for."""
    if not text:
        return None
    return privacy.mask(text, keep=run.allowed, hide=(handle,))[:limit].rstrip()


def _published(post: Post, seen_at: datetime) -> tuple[datetime, str, bool]:
    """When a post was published, how exactly we know it, and whether we had to set it."""
    told = _aware(post.published_at)
    if told is None:
        return seen_at, "unknown", False
    if told < EARLIEST or told > seen_at + CLOCK_SKEW:
        return seen_at, "unknown", True
    return told.astimezone(UTC), post.published_precision, False


def _edited(edited_at: datetime | None, seen_at: datetime) -> datetime | None:
    told = _aware(edited_at)
    if told is None or told < EARLIEST:
        return None
    return min(told, seen_at).astimezone(UTC)


def _aware(moment: datetime | None) -> datetime | None:
    """A time without zone is taken for UTC: that is what sources that leave it out mean."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


def _author_key(draft: _Draft, at: datetime, run: _Run) -> str | None:
    account = draft.post.author_id or draft.handle
    if not account or draft.post.author_kind == "deleted":
        return None
    return privacy.author_key(run.key, network=draft.post.network, account_id=account, at=at)


def _author_kind(post: Post, is_own: bool, relay: Relay | None) -> AuthorKind | None:
    if is_own:
        return "institution"
    if relay:
        return _KINDS[relay.kind]
    has_author = post.author_id or post.author_handle
    return post.author_kind or ("person" if has_author else None)


def _relay(draft: _Draft, url: str | None, run: _Run) -> Relay | None:
    for name in _names_of(draft):
        if name in run.relays:
            return run.relays[name]
    if not run.sites or draft.post.content_type not in _PUBLISHED_BY_SITE:
        return None
    # Of an article that a portal passes on, the link is the portal's: its medium is told apart.
    medium = draft.post.author_id if draft.post.author_kind == "media" else None
    bare = [a.split("://", 1)[-1].removeprefix("www.") for a in (url, medium) if a]
    found = (relay for address in bare for site, relay in run.sites if _is_on(address, site))
    return next(found, None)


def _is_on(address: str, site: str) -> bool:
    """Whether an address lies on a site, a sub-domain of it, or under its path."""
    host = address.split("/", 1)[0]
    if "/" in site:
        return address == site or address.startswith(site + "/")
    return host == site or host.endswith("." + site)


def _lang(declared: str | None) -> str | None:
    """A declared language as ISO 639, None when it says nothing: 'fr-FR' is 'fr'."""
    if not declared:
        return None
    code = re.split(r"[-_.]", declared.strip().lower(), maxsplit=1)[0]
    return code if _LANG.fullmatch(code) and code not in _NO_LANG else None


def _identifier(value: str | None) -> str | None:
    """An identifier as the source writes it, without what no database can hold."""
    if not value:
        return None
    read = _ID_ODD.sub("", value) if _ID_ODD.search(value) else value
    return read[:ID_LIMIT] or None


def _instance(value: str | None) -> str | None:
    return plaintext.line(value, limit=253).casefold() or None if value else None


def _community(value: str | None, run: _Run) -> str | None:
    if not value:
        return None
    return privacy.mask(plaintext.line(value, limit=200), keep=run.allowed) or None


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= _MAX_COUNT else None


def _figure(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _has_metrics(post: Post) -> bool:
    counts = (post.like_count, post.reply_count, post.share_count, post.view_count)
    return any(count is not None for count in counts)


def _hashtags(draft: _Draft) -> tuple[str, ...]:
    """The hashtags in lower case (NFKC) without #: the source's, else those of the text."""
    given: Iterable[str] = draft.post.hashtags
    if not given and ("#" in draft.text or "＃" in draft.text):
        given = _HASHTAG.findall(draft.text)
    tags = (unicodedata.normalize("NFKC", plaintext.line(t, limit=100)).lower() for t in given)
    return _once(tag.lstrip("#").strip() for tag in tags)


def _handles(draft: _Draft, texts: Iterable[str | None], run: _Run) -> tuple[str, ...]:
    """The handles of the allow-list that a post names, folded; nobody else's."""
    given = [privacy.fold_handle(handle) for handle in draft.post.mentioned_handles]
    for text in texts:
        if text and _AT.search(text):
            given += privacy.readable_handles(text)
    return tuple(dict.fromkeys(handle for handle in given if handle in run.allowed))


def _urls(draft: _Draft, run: _Run) -> tuple[str, ...]:
    """The addresses that a post links to, in canonical form, but those that name a person."""
    given: Iterable[str] = draft.post.urls
    if not given and "://" in draft.text:
        given = _ADDRESS.findall(draft.text)
    found = _once(plaintext.canonical_url(url) for url in given)
    return tuple(url for url in found if privacy.mask(url, keep=run.allowed) == url)


def _once(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(value for value in values if value), TAG_LIMIT))


def _country(value: str | None) -> str | None:
    code = (value or "").strip().upper()
    return code if re.fullmatch(r"[A-Z]{2}", code) else None


def _place(value: str | None) -> str | None:
    """A town or a département; an address or coordinates would say where a person is."""
    read = plaintext.line(value, limit=100) if value else ""
    return read if _COARSE_PLACE.fullmatch(read) and not _STREET.search(read) else None
