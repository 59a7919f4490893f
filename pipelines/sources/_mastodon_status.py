"""Reads a Mastodon status: as the tag timelines, the notifications and a look-up give it.

Pure: no network, no clock. The shape is that of the Status entity of Mastodon 4.7 (OpenAPI by
abraham/mastodon-openapi, 2026-08-19); GoToSocial leaves fields out. Everything in it was written
by strangers, so every value is checked before it is used; what cannot be a post becomes a
`Rejection` with a reason.

An author who asks not to be listed is taken at their word: `noindex`, `indexable` false or
`discoverable` false make the post count and nothing more, except for the institution's own.

Known gaps: `in_reply_to_id` is an id of the server that was asked and not an address, so a reply
does not name its parent; the words of a poll and of pictures are not read; counts are those that
this server knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from pipelines.mention import AuthorKind, CollectedVia, ContentType, Post, Rejection, Visibility
from pipelines.plaintext import TAG_LIMIT, plain
from pipelines.sources._values import count, mapping, string, time, web_address

SOURCE = "mastodon"
_LINK_LIMIT = 50
_VISIBILITIES = ("public", "unlisted", "private", "direct")
_MEDIA = {"image": "image", "video": "video", "gifv": "video", "audio": "audio"}
_VIA: Mapping[str, CollectedVia] = {"mention": "mention_api", "own": "timeline"}


def read(
    status: Any, *, kind: str, host: str, own: str | None, allowed: frozenset[str]
) -> Post | Rejection:
    """The post that a status is, or why it is none.

    `host` is the domain of the server that was asked, for accounts that it names without one;
    `own` is the institution's account in lower case; `allowed` are the visibilities to keep.
    """
    if not isinstance(status, dict):
        return _rejection(None, "not_a_status", "the payload is not an object")
    uri = string(status.get("uri"))
    if uri is None:
        return _rejection(None, "no_uri", "the status has no uri: nothing names it everywhere")
    visibility = status.get("visibility")
    if not isinstance(visibility, str) or visibility not in allowed:
        shown = visibility if visibility in _VISIBILITIES else "not known"
        return _rejection(uri, "not_public", f"its visibility is {shown}")
    if status.get("reblog") is not None:
        return _rejection(uri, "reblog", "it passes on a status that counts by itself")
    return _post(status, uri, kind=kind, host=host, own=own)


def _rejection(uri: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=SOURCE, native_id=uri, reason=reason, detail=detail)


def _post(status: dict[str, Any], uri: str, *, kind: str, host: str, own: str | None) -> Post:
    account = mapping(status.get("account"))
    handle = _full(account.get("acct"), host)
    content = string(status.get("content")) or ""
    published_at = time(status.get("created_at"))
    edited_at = time(status.get("edited_at"))
    is_own = handle is not None and handle.casefold() == own
    visibility: Visibility = "unlisted" if status["visibility"] == "unlisted" else "public"
    return Post(
        native_id=uri,
        native_version=edited_at.isoformat() if edited_at else None,
        text=content,
        text_format="html",
        published_at=published_at,
        published_precision="second" if published_at else "unknown",
        edited_at=edited_at,
        network="mastodon",
        source_instance=_host(uri) or host,
        content_type=_content_type(status),
        collected_via=_VIA.get(kind, "search"),
        url=web_address(status.get("url")),
        content_warning=string(status.get("spoiler_text")),
        lang_declared=string(status.get("language")),
        author_id=string(account.get("uri")) or string(account.get("url")) or handle,
        author_handle=handle,
        author_kind=_author_kind(account),
        quoted_native_id=_quoted(status),
        like_count=count(status.get("favourites_count")),
        reply_count=count(status.get("replies_count")),
        share_count=count(status.get("reblogs_count")),
        quote_count=count(status.get("quotes_count")),
        hashtags=_names(status.get("tags"), "name"),
        mentioned_handles=tuple(
            filter(None, (_full(acct, host) for acct in _names(status.get("mentions"), "acct")))
        ),
        urls=tuple(dict.fromkeys(_links(content, status)))[:_LINK_LIMIT],
        media_types=_media_types(status),
        sensitive=status["sensitive"] if isinstance(status.get("sensitive"), bool) else None,
        visibility=visibility,
        optout=_asks_not_to_be_listed(account) and kind != "own" and not is_own,
        lookup_id=f"{host}:{local_id}" if (local_id := string(status.get("id"))) else None,
    )


def _content_type(status: dict[str, Any]) -> ContentType:
    if isinstance(status.get("quote"), dict):
        return "quote"
    return "reply" if status.get("in_reply_to_id") else "post"


def _quoted(status: dict[str, Any]) -> str | None:
    """The uri of a quoted status; Mastodon 4.5 nests it, some servers put it in its place."""
    quote = mapping(status.get("quote"))
    return string(mapping(quote.get("quoted_status")).get("uri")) or string(quote.get("uri"))


def _author_kind(account: dict[str, Any]) -> AuthorKind | None:
    if account.get("bot") is True:
        return "bot"
    return "organisation" if account.get("group") is True else None


def _asks_not_to_be_listed(account: dict[str, Any]) -> bool:
    says_no = account.get("indexable") is False or account.get("discoverable") is False
    return says_no or account.get("noindex") is True


def _full(acct: Any, host: str) -> str | None:
    """An account with its domain: servers leave their own one out."""
    name = string(acct)
    name = name.lstrip("@") if name else None
    if not name:
        return None
    return name if "@" in name else f"{name}@{host}"


def _names(items: Any, key: str) -> tuple[str, ...]:
    listed = items if isinstance(items, list) else []
    found = (string(mapping(item).get(key)) for item in listed[:100])
    return tuple(dict.fromkeys(name for name in found if name))


def _links(content: str, status: dict[str, Any]) -> Iterator[str]:
    """The addresses that a text leads to, without those of its hashtags and accounts.

    None are read of a text that nests deeper than servers let people write.
    """
    if "<a" in content and content.count("<") <= TAG_LIMIT:
        for node in LexborHTMLParser(content).css("a[href]"):
            classes = (node.attributes.get("class") or "").split()
            link = web_address(node.attributes.get("href"))
            if link and not {"hashtag", "mention"} & set(classes):
                yield link
    if card := web_address(mapping(status.get("card")).get("url")):
        yield card


def _media_types(status: dict[str, Any]) -> tuple[str, ...]:
    kinds = [_MEDIA.get(kind) for kind in _names(status.get("media_attachments"), "type")]
    kinds.append("poll" if isinstance(status.get("poll"), dict) else None)
    return tuple(dict.fromkeys(kind for kind in kinds if kind))


def seen_texts(status: Any, *, host: str) -> tuple[str, ...]:
    """What a reader of a status sees of words, and the accounts that it names, in full.

    `host` is the domain of the server that was asked, for accounts that it names without one.
    """
    found = mapping(status)
    content = plain(string(found.get("content")) or "", "html")[0]
    named = (_full(acct, host) for acct in _names(found.get("mentions"), "acct"))
    warning = string(found.get("spoiler_text"))
    title = string(mapping(found.get("card")).get("title"))
    texts = (content, warning, title, *(f"@{acct}" for acct in named if acct))
    return tuple(text for text in texts if text)


def hashtags(status: Any) -> tuple[str, ...]:
    """The hashtags of a status, without #."""
    return _names(mapping(status).get("tags"), "name")


def _host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None
