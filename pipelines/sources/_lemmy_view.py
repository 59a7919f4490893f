"""Reads a Lemmy post or comment: as search and look-up give it, in both versions of the interface.

Pure: no network, no clock. Version 3 (Lemmy 0.19) and 4 (1.0) hold the same things under other
names: `published` and `published_at`, counts beside and within, `actor_id` and `ap_id`
(lemmy-js-client 1.0.0, 2026-07-16; server 0.19.20 and 439734d). Every value is checked before it
is used; what cannot be a post becomes a `Rejection` with a reason.

Known gaps: of a comment that answers a comment the parent is known by a number of the server
asked, not by its address, so it is not named; pictures are not read.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pipelines.mention import Deletion, DeletionReason, Post, Rejection
from pipelines.sources import Parsed, _values as values

SOURCE = "lemmy"
# What is landed of a view: all that is read, and neither name, portrait nor biography of anybody.
_ITEM = (
    "ap_id", "name", "body", "content", "url", "published", "published_at", "updated",
    "updated_at", "deleted", "removed", "nsfw", "path", "language_id", "comments", "child_count",
    "score", "upvotes", "downvotes",
)  # fmt: skip
_WITHIN = {
    "post": _ITEM,
    "comment": _ITEM,
    "counts": ("comments", "child_count", "score", "upvotes", "downvotes"),
    "creator": ("name", "actor_id", "ap_id", "bot_account", "deleted", "local"),
    "community": ("name", "title", "actor_id", "ap_id", "visibility"),
}
_CLOSED = {"localonly", "local_only", "local_only_private", "private"}


def kept(view: Any, *, lang: str | None) -> dict[str, Any]:
    """What is landed of a view, with the language that its number stands for."""
    found = values.mapping(view)
    inner = {
        name: {k: value[k] for k in fields if k in value}
        for name, fields in _WITHIN.items()
        if (value := values.mapping(found.get(name)))
    }
    return {**inner, "lang": lang} if inner else {"odd": type(view).__name__}


def item(view: Any) -> dict[str, Any]:
    """The comment of a view, else its post."""
    found = values.mapping(view)
    return values.mapping(found.get("comment")) or values.mapping(found.get("post"))


def at(view: Any) -> datetime | None:
    """When the post or comment of a view was written."""
    found = item(view)
    return values.time(found.get("published_at")) or values.time(found.get("published"))


def changed_at(view: Any) -> datetime | None:
    """When it was edited, None if never."""
    found = item(view)
    return values.time(found.get("updated_at")) or values.time(found.get("updated"))


def address(view: Any) -> str | None:
    """By what it is known everywhere."""
    return values.web_address(item(view).get("ap_id"))


def read(view: Any, *, host: str, seen_at: datetime | None) -> Parsed:
    """The post, deletion or rejection that a view is; `host` is the server that was asked."""
    found, native_id = item(view), address(view)
    if native_id is None:
        return _rejection(None, "no_id", "no ap_id: nothing names it everywhere")
    community = values.mapping(values.mapping(view).get("community"))
    visibility = values.string(community.get("visibility"))
    if visibility and visibility.lower() in _CLOSED:
        return _rejection(native_id, "not_public", "its community is for members only")
    if reason := _gone(found):
        return deletion(native_id, seen_at, reason)
    if values.mapping(values.mapping(view).get("comment")):
        return _comment(view, native_id, host)
    return _post(view, native_id, host)


def deletion(native_id: Any, at: datetime | None, reason: DeletionReason) -> Deletion | Rejection:
    """A deletion, or why it cannot be one."""
    name = values.string(native_id)
    if name is None or at is None:
        return _rejection(name, "no_time", "something is gone, and no time or address is told")
    return Deletion(source=SOURCE, native_id=name, deleted_at=at, reason=reason)


def _gone(found: dict[str, Any]) -> DeletionReason | None:
    if found.get("deleted") is True:
        return "author"
    return "moderator" if found.get("removed") is True else None


def _post(view: dict[str, Any], native_id: str, host: str) -> Post:
    post = item(view)
    link = values.web_address(post.get("url"))
    return Post(
        text=values.string(post.get("body")) or "",
        title=values.string(post.get("name")),
        content_type="post",
        thread_id=native_id,
        urls=(link,) if link else (),
        sensitive=post["nsfw"] if isinstance(post.get("nsfw"), bool) else None,
        **_shared(view, native_id, host),
    )


def _comment(view: dict[str, Any], native_id: str, host: str) -> Post:
    comment = item(view)
    post = values.mapping(view.get("post"))
    above = values.web_address(post.get("ap_id"))
    path = values.string(comment.get("path")) or ""
    is_top = re.fullmatch(r"0\.\d{1,19}", path) is not None
    return Post(
        text=values.string(comment.get("content")) or "",
        context=values.string(post.get("name")),
        content_type="reply",
        thread_id=above,
        root_native_id=above,
        parent_native_id=above if is_top else None,
        **_shared(view, native_id, host),
    )


def _shared(view: dict[str, Any], native_id: str, host: str) -> dict[str, Any]:
    published_at, edited_at = at(view), changed_at(view)
    counts = {**item(view), **values.mapping(view.get("counts"))}
    replies = values.count(counts.get("comments"))
    return {
        "native_id": native_id,
        "native_version": edited_at.isoformat() if edited_at else None,
        "text_format": "markdown",
        "published_at": published_at,
        "published_precision": "second" if published_at else "unknown",
        "edited_at": edited_at,
        "network": "lemmy",
        "source_instance": values.host(native_id) or host,
        "collected_via": "search",
        "url": native_id,
        "lang_declared": values.string(view.get("lang")),
        "community": _community(view),
        "like_count": values.count(counts.get("upvotes")),
        "reply_count": values.count(counts.get("child_count")) if replies is None else replies,
        "platform_score": values.number(counts.get("score")),
        **_author(values.mapping(view.get("creator")), host),
    }


def _community(view: dict[str, Any]) -> str | None:
    """A community as its members write it: name@server."""
    community = values.mapping(view.get("community"))
    name = values.string(community.get("name"))
    place = values.host(_actor(community))
    return f"{name}@{place}" if name and place else name


def _actor(of: dict[str, Any]) -> str | None:
    return values.web_address(of.get("ap_id")) or values.web_address(of.get("actor_id"))


def _author(creator: dict[str, Any], host: str) -> dict[str, Any]:
    name, actor = values.string(creator.get("name")), _actor(creator)
    if name is None:
        return {}
    handle = f"{name}@{values.host(actor) or host}"
    found: dict[str, Any] = {"author_id": actor or handle, "author_handle": handle}
    if creator.get("deleted") is True:
        return found | {"author_kind": "deleted"}
    return found | ({"author_kind": "bot"} if creator.get("bot_account") is True else {})


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=SOURCE, native_id=native_id, reason=reason, detail=detail)
