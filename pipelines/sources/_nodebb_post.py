"""Reads a NodeBB post: as the list of recent posts and the look-up of one give it.

Pure: no network, no clock. The shape is that of NodeBB 4.15 (its own answers, seen 2026-11-26).
Ids are numbers, and addresses for posts that came by federation. Every value is checked before it
is used; what cannot be a post becomes a `Rejection` with a reason.

Known gaps: pictures are not read; the list tells no edits, the look-up does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Parsed, _values as values

SOURCE = "nodebb"
# What is landed of a post: all that is read, and neither portrait nor status of its author.
_POST = (
    "pid", "tid", "toPid", "url", "content", "uid", "timestamp", "deleted", "edited", "upvotes",
    "replies", "votes", "isMainPost",
)  # fmt: skip
_WITHIN = {
    "user": ("uid", "username"),
    "topic": ("tid", "title", "slug", "tags", "deleted", "scheduled"),
    "category": ("cid", "name"),
}


def kept(item: Any) -> Any:
    """What is landed of a post; what is no object is landed as it is, to be rejected."""
    if not isinstance(item, dict):
        return item
    inner = {name: _only(item.get(name), fields) for name, fields in _WITHIN.items()}
    return {**_only(item, _POST), **{name: value for name, value in inner.items() if value}}


def _only(value: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    found = values.mapping(value)
    return {name: found[name] for name in fields if name in found}


def key(item: Any) -> str | None:
    """What names a post on its forum: its number, or its address when it came from elsewhere."""
    pid = values.mapping(item).get("pid")
    number = values.row_id(pid)
    return str(number) if number else values.web_address(pid)


def read(data: Any, *, url: str, host: str, label: str | None, seen_at: datetime | None) -> Parsed:
    """The post, deletion or rejection that one post of the forum at `url` is."""
    post, pid = values.mapping(data), key(data)
    if pid is None:
        return _rejection(None, "no_id", "the post has no id")
    native_id = _native(pid, host)
    topic = values.mapping(post.get("topic"))
    if _is_set(post.get("deleted")) or _is_set(topic.get("deleted")):
        return deletion(native_id, seen_at)
    if topic.get("scheduled") is True:
        return _rejection(native_id, "not_public", "the topic is still to be published")
    return _post(post, native_id, topic, url=url, host=host, label=label)


def deletion(native_id: Any, at: datetime | None) -> Deletion | Rejection:
    """A deletion, or why it cannot be one."""
    name = values.string(native_id)
    if name is None or at is None:
        return _rejection(name, "no_time", "a post is gone, and no time or id is told")
    return Deletion(source=SOURCE, native_id=name, deleted_at=at, reason="gone")


def _native(pid: str, host: str) -> str:
    return f"{host}:{pid}" if pid.isdigit() else pid


def _is_set(flag: Any) -> bool:
    """NodeBB writes flags as true, and as 1 where they come straight from its database."""
    return flag is True or flag == 1


def _post(
    post: dict[str, Any],
    native_id: str,
    topic: Mapping[str, Any],
    *,
    url: str,
    host: str,
    label: str | None,
) -> Post:
    content = values.string(post.get("content")) or ""
    published_at = values.milliseconds(post.get("timestamp"))
    edited_at = values.milliseconds(post.get("edited"))
    parent = key({"pid": post.get("toPid")})
    tid = values.row_id(post.get("tid")) or values.string(post.get("tid"))
    return Post(
        native_id=native_id,
        native_version=edited_at.isoformat() if edited_at else None,
        text=content,
        text_format="html",
        published_at=published_at,
        published_precision="second" if published_at else "unknown",
        edited_at=edited_at,
        network="forum",
        source_instance=values.host(native_id) or host,
        content_type="post" if post.get("isMainPost") is True else "reply",
        collected_via="timeline",
        url=values.web_address(post.get("url")) or f"{url}/post/{native_id.rpartition(':')[2]}",
        title=values.string(topic.get("title")),
        thread_id=f"{host}:t{tid}" if tid else None,
        parent_native_id=_native(parent, host) if parent else None,
        community=values.string(values.mapping(post.get("category")).get("name")) or label or host,
        like_count=values.count(post.get("upvotes")),
        reply_count=_replies(post.get("replies")),
        platform_score=values.number(post.get("votes")),
        hashtags=tags_of(topic),
        urls=values.links_in(content),
        **_author(post, host),
    )


def tags_of(topic: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags of a topic, in either of the forms in which they come."""
    listed = values.items(topic.get("tags"))[:50]
    found = (
        values.string(tag) or values.string(values.mapping(tag).get("value")) for tag in listed
    )
    return tuple(tag for tag in found if tag)


def _replies(value: Any) -> int | None:
    """The replies: a number in lists, an object with one in a topic."""
    return values.count(values.mapping(value).get("count") if isinstance(value, dict) else value)


def _author(post: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Who speaks; guests share one number, which names nobody."""
    user = values.mapping(post.get("user"))
    uid = values.row_id(user.get("uid"))
    name = values.string(user.get("username"))
    if uid is None or name is None:
        return {}
    return {"author_id": f"{name}@{host}", "author_handle": name}


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=SOURCE, native_id=native_id, reason=reason, detail=detail)
