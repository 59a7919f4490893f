"""Reads what Bluesky says of a post: views of search and look-up, records and events of Jetstream.

Pure: no network, no clock. The shapes are those of the lexicons app.bsky.feed.defs#postView and
app.bsky.feed.post (bluesky-social/atproto, read 2026-08-20) and of Jetstream's two versions
(bluesky-social/jetstream, read 2026-08-14). Everything in them was written by strangers, so every
value is checked before it is used; what cannot be a post becomes a `Rejection` with a reason.

Known gaps: texts of pictures (`alt`) are not read; what a record says of its own date is kept as
said, only never later than the date at which the network saw it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.mention import (
    CollectedVia,
    ContentType,
    Deletion,
    DeletionReason,
    Post,
    Rejection,
)

SOURCE = "bluesky"
COLLECTION = "app.bsky.feed.post"
_URI = re.compile(
    r"at://(?P<did>did:[a-z]+:[A-Za-z0-9._:%-]{1,256})/app\.bsky\.feed\.post/"
    r"(?P<rkey>[A-Za-z0-9._:~-]{1,512})"
)
_TAG = re.compile(r"(?<!\w)[#\N{FULLWIDTH NUMBER SIGN}](\w{1,100})")
_HANDLE = re.compile(r"(?<![\w.@])@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)
_PROTOCOL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.#-]{0,79}")
_LANG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPTOUT = "!no-unauthenticated"
_ADULT = frozenset({"porn", "sexual", "nudity", "graphic-media", "gore", "nsfl"})
_ACCOUNT_REASONS: Mapping[str, DeletionReason] = {
    "takendown": "moderator",
    "suspended": "moderator",
}
_MEDIA: Mapping[str, str] = {"images": "image", "video": "video", "gallery": "image"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of Jetstream, whichever version spoke: `at` is when Jetstream saw it (UTC).

    `kind` is commit, account, identity, sync, info or another word; `body` holds what the kind
    has of its own. `seq` is known in version 2 only and belongs to one host.
    """

    kind: str
    body: Mapping[str, Any]
    did: str = ""
    at: datetime | None = None
    seq: int | None = None

    @property
    def uri(self) -> str | None:
        """The address of the post that a commit is about; None for every other event."""
        collection, rkey = self.body.get("collection"), self.body.get("rkey")
        if self.kind != "commit" or collection != COLLECTION:
            return None
        uri = f"at://{self.did}/{collection}/{rkey}"
        return uri if _URI.fullmatch(uri) else None

    @property
    def operation(self) -> str:
        """What a commit did: create, update or delete; empty for every other event."""
        return _text(self.body.get("operation")) if self.kind == "commit" else ""


def event(frame: Any) -> Event:
    """A frame of Jetstream, version 1 or 2, as one record; never fails."""
    found = _dict(frame)
    if "payload" in found:
        payload = _dict(found["payload"])
        kind = _text(payload.get("$type")).rpartition("#")[2]
        own = payload if kind in {"commit", "info"} else payload.get(kind)
        at, seq = _time(payload.get("time")), _count(payload.get("seq"))
        return Event(kind=kind, body=_dict(own), did=_text(payload.get("did")), at=at, seq=seq)
    kind = _text(found.get("kind") or found.get("$type"))
    at = _micros(found.get("time_us"))
    body = found if kind == "error" else _dict(found.get(kind))
    return Event(kind=kind, body=body, did=_text(found.get("did")), at=at)


def from_view(view: Any, *, via: CollectedVia) -> Iterator[Post | Rejection]:
    """The post of a `postView`, as search and look-up give it."""
    found = _dict(view)
    uri, record = _text(found.get("uri")), _dict(found.get("record"))
    if refused := _refusal(uri, record):
        yield refused
        return
    author = _dict(found.get("author"))
    labels = [*_list(found.get("labels")), *_list(author.get("labels"))]
    yield _post(
        uri,
        record,
        indexed_at=_time(found.get("indexedAt")),
        cid=_text(found.get("cid")) or None,
        via=via,
        author=author,
        labels=labels,
        counts=found,
    )


def from_event(frame: Any) -> Iterator[Post | Deletion | Rejection]:
    """The post or the deletion of a commit of Jetstream, version 1 or 2."""
    found = event(frame)
    uri, record = found.uri or "", _dict(found.body.get("record"))
    if found.operation == "delete" and uri and found.at:
        yield Deletion(source=SOURCE, native_id=uri, deleted_at=found.at, reason="author")
    elif found.operation not in {"create", "update"}:
        detail = f"an event {_named(found.kind)} with operation {_named(found.operation)}"
        yield _rejected("not_a_post", detail, uri)
    elif refused := _refusal(uri, record):
        yield refused
    else:
        is_edit = found.operation == "update"
        yield _post(
            uri,
            record,
            indexed_at=found.at,
            cid=_text(found.body.get("cid")) or None,
            via="stream",
            edited_at=found.at if is_edit else None,
        )


def account_deletions(
    frame: Any, uris: Iterable[Any], *, seen_at: datetime | None
) -> Iterator[Deletion | Rejection]:
    """A deletion for each of `uris` that belongs to an account which is active no more."""
    found = event(frame)
    at = found.at or seen_at
    if found.kind != "account" or found.body.get("active") is not False or at is None:
        yield _rejected("not_a_deletion", f"an event {found.kind!r:.40} that deletes nothing", "")
        return
    reason = _ACCOUNT_REASONS.get(_text(found.body.get("status")), "account")
    for uri in map(_text, uris):
        if author_of(uri) == found.did:
            yield Deletion(source=SOURCE, native_id=uri, deleted_at=at, reason=reason)


def gone(uri: Any, *, seen_at: datetime | None) -> Deletion | Rejection:
    """The deletion of a post that a look-up did not find any more."""
    if seen_at is None or author_of(uri) is None:
        return _rejected("bad_uri", "a look-up of something that is no post", _text(uri))
    return Deletion(source=SOURCE, native_id=uri, deleted_at=seen_at, reason="gone")


def unknown(kind: str) -> Rejection:
    """The rejection of a payload of a kind that this version does not read."""
    return _rejected("unknown_payload", f"a payload of kind {kind!r:.40}", "")


def author_of(uri: Any) -> str | None:
    """The DID in the address of a post; None when it is not the address of a post."""
    found = _URI.fullmatch(_text(uri))
    return found["did"] if found else None


def indexed_at(view: Any) -> datetime | None:
    """When the network saw the post of a view (UTC); its author does not choose it."""
    return _time(_dict(view).get("indexedAt"))


def seen_texts(record: Any) -> tuple[str, ...]:
    """What a reader of a record sees of words: its text, then the title of its link card."""
    found = _dict(record)
    text = _text(found.get("text"))
    title = _card(_dict(found.get("embed"))).get("title")
    return tuple(words for words in (text, _text(title)) if words)


def hashtags(record: Any) -> tuple[str, ...]:
    """The hashtags of a record as written, without #: marked ones, hidden ones, typed ones."""
    found = _dict(record)
    text = _text(found.get("text"))
    marked = (_text(feature.get("tag")) for feature, _ in _features(found, "tag"))
    hidden = map(_text, _list(found.get("tags")))
    return _once(tag.lstrip("#") for tag in (*marked, *hidden, *_TAG.findall(text)))


def declared_langs(record: Any) -> tuple[str, ...]:
    """The languages that the author's client declares, as BCP 47; often wrong or missing."""
    said = map(_text, _list(_dict(record).get("langs")))
    return tuple(lang for lang in said if _LANG.fullmatch(lang) and lang.lower() != "und")


def _refusal(uri: str, record: Mapping[str, Any]) -> Rejection | None:
    if author_of(uri) is None:
        return _rejected("bad_uri", "the address is not that of a post", "")
    if record.get("$type", COLLECTION) != COLLECTION:
        return _rejected("not_a_post", f"a record of type {_named(record['$type'])}", uri)
    if not isinstance(record.get("text"), str):
        return _rejected("no_text", "the record has no text, not even an empty one", uri)
    return None


def _named(value: Any) -> str:
    """A name of the protocol as a message may show it; anything else might be a person's words."""
    is_one = isinstance(value, str) and _PROTOCOL_NAME.fullmatch(value)
    return repr(value) if is_one else "that is no name"


def _rejected(reason: str, detail: str, uri: str) -> Rejection:
    return Rejection(source=SOURCE, native_id=uri or None, reason=reason, detail=detail)


def _post(
    uri: str,
    record: Mapping[str, Any],
    *,
    indexed_at: datetime | None,
    cid: str | None,
    via: CollectedVia,
    author: Mapping[str, Any] | None = None,
    labels: Iterable[Any] = (),
    counts: Mapping[str, Any] | None = None,
    edited_at: datetime | None = None,
) -> Post:
    """The post at `uri`; without `author` and `counts` nothing is known of them but the DID."""
    did, rkey = uri.removeprefix("at://").split("/")[::2]
    root, parent = _reply(record)
    quoted = _quoted(record)
    marks = _labels(labels) | _labels(_list(_dict(record.get("labels")).get("values")))
    known = counts or {}
    langs = declared_langs(record)
    title = _text(_card(_dict(record.get("embed"))).get("title")) or None
    published_at = _earliest(_time(record.get("createdAt")), indexed_at)
    return Post(
        native_id=uri,
        native_version=cid,
        text=_expanded(record["text"], record),
        title=title,
        published_at=published_at,
        published_precision="second" if published_at else "unknown",
        network="bluesky",
        content_type=_content_type(is_reply=parent is not None, is_quote=quoted is not None),
        collected_via=via,
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
        lang_declared=langs[0] if langs else None,
        edited_at=edited_at,
        author_id=did,
        author_handle=_handle(author or {}, did),
        thread_id=root or uri,
        parent_native_id=parent,
        root_native_id=root,
        quoted_native_id=quoted,
        like_count=_count(known.get("likeCount")),
        reply_count=_count(known.get("replyCount")),
        share_count=_count(known.get("repostCount")),
        quote_count=_count(known.get("quoteCount")),
        bookmark_count=_count(known.get("bookmarkCount")),
        hashtags=hashtags(record),
        mentioned_handles=_mentioned(record),
        urls=_urls(record),
        media_types=_media(_dict(record.get("embed"))),
        sensitive=True if marks & _ADULT else (None if counts is None else False),
        optout=_OPTOUT in marks,
    )


def _content_type(*, is_reply: bool, is_quote: bool) -> ContentType:
    if is_reply:
        return "reply"
    return "quote" if is_quote else "post"


def _handle(author: Mapping[str, Any], did: str) -> str | None:
    """The author's handle, unless it is another account's or does not lead back to this one."""
    handle = _text(author.get("handle"))
    return handle if author.get("did") == did and handle != "handle.invalid" else None


def _reply(record: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The addresses of the thread's first post and of the one answered, both or neither."""
    reply = _dict(record.get("reply"))
    root, parent = (_post_uri(_dict(reply.get(end)).get("uri")) for end in ("root", "parent"))
    return root or parent, parent or root


def _quoted(record: Mapping[str, Any]) -> str | None:
    """The address of the post quoted; lists, feeds and starter packs can be embedded too."""
    inner = _dict(_dict(record.get("embed")).get("record"))
    nested = _dict(inner.get("record"))
    return _post_uri(inner.get("uri")) or _post_uri(nested.get("uri"))


def _post_uri(value: Any) -> str | None:
    return value if author_of(value) else None


def _labels(labels: Iterable[Any]) -> set[str]:
    """The values of the labels that stand; one with `neg` takes an earlier one away."""
    found: set[str] = set()
    for label in map(_dict, labels):
        value = _text(label.get("val"))
        (found.discard if label.get("neg") is True else found.add)(value)
    return found


Span = tuple[int, int]


def _features(record: Mapping[str, Any], kind: str) -> Iterator[tuple[Mapping[str, Any], Span]]:
    """The features of one kind (link, tag, mention) with the UTF-8 bytes that they cover."""
    name = f"app.bsky.richtext.facet#{kind}"
    for facet in map(_dict, _list(record.get("facets"))):
        index = _dict(facet.get("index"))
        start, end = _count(index.get("byteStart")), _count(index.get("byteEnd"))
        span = (-1, -1) if start is None or end is None else (start, end)
        for feature in map(_dict, _list(facet.get("features"))):
            if feature.get("$type") == name:
                yield feature, span


def _covered(text: bytes, span: Span) -> str:
    """The words between two byte offsets; empty when the offsets make no sense."""
    start, end = span
    if not 0 <= start < end <= len(text):
        return ""
    try:
        return text[start:end].decode()
    except UnicodeDecodeError:  # the offsets cut a character: some clients count UTF-16 units
        return ""


def _expanded(text: str, record: Mapping[str, Any]) -> str:
    """The text with each shortened link written out; words that carry a link stay as they are."""
    raw = text.encode(errors="replace")
    links = ((span, _text(feature.get("uri"))) for feature, span in _features(record, "link"))
    limit = len(raw)
    for (start, end), uri in sorted(links, reverse=True):
        if end <= limit and _is_short_form(_covered(raw, (start, end)), uri):
            raw = raw[:start] + uri.encode(errors="replace") + raw[end:]
            limit = start
    return raw.decode(errors="replace")


def _is_short_form(shown: str, uri: str) -> bool:
    core = _without_scheme(shown.rstrip("….").casefold())
    return len(core) > 3 and _without_scheme(uri.casefold()).startswith(core)


def _without_scheme(address: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", address)


def _urls(record: Mapping[str, Any]) -> tuple[str, ...]:
    linked = (_text(feature.get("uri")) for feature, _ in _features(record, "link"))
    card = _text(_card(_dict(record.get("embed"))).get("uri"))
    found = (*linked, card)
    return _once(uri for uri in found if uri.lower().startswith(("https://", "http://")))


def _mentioned(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The handles mentioned, without @: as displayed; the DID where no handle is displayed."""
    raw = _text(record.get("text")).encode(errors="replace")
    marked = (
        _covered(raw, span).removeprefix("@") or _text(feature.get("did"))
        for feature, span in _features(record, "mention")
    )
    return _once(handle.lower() for handle in (*marked, *_HANDLE.findall(raw.decode())))


def _card(embed: Mapping[str, Any]) -> Mapping[str, Any]:
    """The link card of an embed, alone or beside a quoted post."""
    return _dict(embed.get("external") or _dict(embed.get("media")).get("external"))


def _media(embed: Mapping[str, Any]) -> tuple[str, ...]:
    types = (_text(part.get("$type")) for part in (embed, _dict(embed.get("media"))))
    kinds = (_MEDIA.get(name.removeprefix("app.bsky.embed.")) for name in types)
    return _once(kind for kind in kinds if kind)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


def _time(value: Any) -> datetime | None:
    """A time as lexicons write it (ISO 8601), in UTC; None when it is none."""
    try:
        found = datetime.fromisoformat(_text(value))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _micros(value: Any) -> datetime | None:
    number = _count(value)
    try:
        return None if number is None else _EPOCH + timedelta(microseconds=number)
    except OverflowError:
        return None


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))


def _typed(kind: type[Any], empty: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kind) else empty()


_dict: Callable[[Any], Mapping[str, Any]] = _typed(dict, dict)
_list: Callable[[Any], list[Any]] = _typed(list, list)
_text: Callable[[Any], str] = _typed(str, str)


def _count(value: Any) -> int | None:
    """A whole number from 0 to what 64 bits hold; None for anything else, `True` included."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value < 2**63 else None
