"""Reads a Discourse post: as the list of the latest, a topic and a look-up give it.

Pure: no network, no clock. The shape is that of Discourse's own specification (discourse_api_docs,
2026-08-20), in which `raw`, the titles and `score` come with some answers only. Every value is
checked before it is used; what cannot be a post becomes a `Rejection` with a reason.

An edit raises `version`; `updated_at` alone moves with every like. A post that its author has
deleted, or that the forum has hidden, is a deletion: what stands in its place is the forum's own
sentence.

Known gaps: the post that is replied to is known by its number in the topic, not by its id, so a
reply does not name its parent; pictures are not read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from pipelines.mention import AuthorKind, Deletion, DeletionReason, Post, Rejection
from pipelines.sources import Parsed, _values as values

SOURCE = "discourse"
# What is landed of a post: all that is read, and neither name nor portrait of its author.
KEPT = (
    "id", "username", "user_id", "created_at", "updated_at", "cooked", "post_number", "post_type",
    "reply_count", "quote_count", "reads", "score", "topic_id", "topic_slug", "topic_title",
    "title", "slug", "category_id", "version", "actions_summary", "hidden", "deleted_at",
    "user_deleted", "locale",
)  # fmt: skip
_REGULAR, _BY_MODERATOR, _WHISPER = 1, 2, 4  # app/models/post.rb, read 2026-11-26
_LIKE = 2  # the id of a like in `actions_summary`


def read(data: Any, *, url: str, host: str, label: str, seen_at: datetime | None) -> Parsed:
    """The post, deletion or rejection that one post of the forum at `url` is."""
    post = values.mapping(data)
    post_id, topic_id = values.row_id(post.get("id")), values.row_id(post.get("topic_id"))
    if post_id is None:
        return _rejection(None, "no_id", "the post has no id")
    native_id = f"{host}:{post_id}"
    kind = post.get("post_type", _REGULAR)
    if kind == _WHISPER:
        return _rejection(native_id, "not_public", "a whisper, for the staff of the forum only")
    if kind not in (_REGULAR, _BY_MODERATOR):
        return _rejection(native_id, "not_a_message", "a note of the forum, not a message")
    if reason := _gone(post):
        at = values.time(post.get("deleted_at")) or seen_at
        return deletion(native_id, at, reason)
    if topic_id is None:
        return _rejection(native_id, "no_topic", "the post has no topic: nothing leads to it")
    return _post(post, native_id, topic_id, url=url, host=host, label=label)


def deletion(native_id: Any, at: datetime | None, reason: DeletionReason) -> Deletion | Rejection:
    """A deletion, or why it cannot be one."""
    name = values.string(native_id)
    if name is None or at is None:
        return _rejection(name, "no_time", "a post is gone, and no time or id is told")
    return Deletion(source=SOURCE, native_id=name, deleted_at=at, reason=reason)


def _gone(post: dict[str, Any]) -> DeletionReason | None:
    if post.get("user_deleted") is True:
        return "author"
    if post.get("hidden") is True:
        return "moderator"
    return "gone" if values.string(post.get("deleted_at")) else None


def _post(
    post: dict[str, Any], native_id: str, topic_id: int, *, url: str, host: str, label: str
) -> Post:
    cooked = values.string(post.get("cooked")) or ""
    number = values.row_id(post.get("post_number"))
    version = values.row_id(post.get("version"))
    published_at = values.time(post.get("created_at"))
    username = values.string(post.get("username"))
    return Post(
        native_id=native_id,
        native_version=str(version) if version else None,
        text=cooked,
        text_format="html",
        published_at=published_at,
        published_precision="second" if published_at else "unknown",
        edited_at=values.time(post.get("updated_at")) if version and version > 1 else None,
        network="forum",
        source_instance=host,
        content_type="post" if number == 1 else "reply",
        collected_via="timeline",
        url=_permalink(post, url, topic_id, number),
        title=title_of(post),
        lang_declared=values.string(post.get("locale")),
        author_id=f"{username}@{host}" if username else None,
        author_handle=username,
        author_kind=_author_kind(post),
        thread_id=f"{host}:t{topic_id}",
        community=label,
        like_count=_likes(post),
        reply_count=values.count(post.get("reply_count")),
        quote_count=values.count(post.get("quote_count")),
        view_count=values.count(post.get("reads")),
        platform_score=values.number(post.get("score")),
        urls=values.links_in(cooked),
    )


def title_of(post: dict[str, Any]) -> str | None:
    """The title of the post's topic, None where the answer does not hold it."""
    return values.string(post.get("topic_title")) or values.string(post.get("title"))


def _permalink(post: dict[str, Any], url: str, topic_id: int, number: int | None) -> str:
    slug = values.string(post.get("topic_slug")) or values.string(post.get("slug")) or "-"
    return f"{url}/t/{quote(slug[:300], safe='')}/{topic_id}/{number or 1}"


def _author_kind(post: dict[str, Any]) -> AuthorKind | None:
    user_id = post.get("user_id")
    is_system = isinstance(user_id, int) and not isinstance(user_id, bool) and user_id < 0
    return "bot" if is_system else None


def _likes(post: dict[str, Any]) -> int | None:
    """The likes; none told is none given, once the answer holds a summary at all."""
    if not isinstance(post.get("actions_summary"), list):
        return None
    actions = (values.mapping(action) for action in post["actions_summary"][:20])
    found = (values.count(action.get("count")) for action in actions if action.get("id") == _LIKE)
    return next(found, 0)


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=SOURCE, native_id=native_id, reason=reason, detail=detail)
