"""Reads videos and comments of the YouTube Data API v3 (discovery document of 2026-11-04).

Pure. Counts of a video are text (uint64) and absent where its owner hides them; those of a comment
are numbers. `textOriginal` is there for owners only in some answers, so comments are asked for as
plain text. Of an author the channel's id is read, and the handle (@…) where the name is one.

Known gaps: comments tell no language; who answers whom within a thread stands in the text alone.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pipelines.mention import Post, Rejection
from pipelines.sources._values import count, counted, mapping, string, time

SOURCE = "youtube"
_ID = re.compile(r"[\w.-]{5,128}")
_VIDEO_ID = re.compile(r"[\w-]{11}")
_SITE = "https://www.youtube.com/watch?v="


def is_video_id(value: Any) -> bool:
    """Whether this is the id of a video; those of comments are longer."""
    return isinstance(value, str) and _VIDEO_ID.fullmatch(value) is not None


def video_id(item: Any) -> str | None:
    """The video that an item of `search`, `videos` or `playlistItems` is about."""
    told = mapping(item)
    snippet = mapping(told.get("snippet"))
    named = (
        told.get("id"),
        mapping(told.get("id")).get("videoId"),
        mapping(snippet.get("resourceId")).get("videoId"),
    )
    return next((found for found in named if is_video_id(found)), None)


def published_at(item: Any) -> datetime | None:
    """When a video or comment was published (aware UTC), None where that is not told."""
    return time(mapping(mapping(item).get("snippet")).get("publishedAt"))


def video(item: Any) -> Post | Rejection:
    """The post that a video is: its title and description, its counts."""
    told = mapping(item)
    native_id = video_id(told)
    if native_id is None:
        return rejection(None, "no_id", "the item has no id of a video")
    snippet, statistics = mapping(told.get("snippet")), mapping(told.get("statistics"))
    at = time(snippet.get("publishedAt"))
    return Post(
        native_id=native_id,
        text=string(snippet.get("description")) or "",
        title=string(snippet.get("title")),
        published_at=at,
        published_precision="second" if at else "unknown",
        network=SOURCE,
        content_type="video",
        url=f"{_SITE}{native_id}",
        lang_declared=string(snippet.get("defaultAudioLanguage"))
        or string(snippet.get("defaultLanguage")),
        author_id=string(snippet.get("channelId")),
        thread_id=native_id,
        like_count=counted(statistics.get("likeCount")),
        reply_count=counted(statistics.get("commentCount")),
        view_count=counted(statistics.get("viewCount")),
        media_types=("video",),
    )


def comment(data: Any) -> Post | Rejection:
    """The post that a comment is.

    `data` has the resource as `comment`, and as far as they are known the `video_id`, the number of
    replies (`reply_count`) and the title of the video (`about`), which says what it is about.
    """
    told = mapping(data)
    item = mapping(told.get("comment"))
    native_id = string(item.get("id"))
    if native_id is None or not _ID.fullmatch(native_id):
        return rejection(None, "no_id", "the item has no id of a comment")
    snippet = mapping(item.get("snippet"))
    status = snippet.get("moderationStatus")
    if status is not None and status != "published":
        return rejection(native_id, "not_public", "a moderator has not let it through")
    of_video = next(
        (found for found in (snippet.get("videoId"), told.get("video_id")) if is_video_id(found)),
        None,
    )
    return _comment(native_id, snippet, told, of_video)


def _comment(
    native_id: str, snippet: dict[str, Any], told: dict[str, Any], of_video: str | None
) -> Post:
    at, updated_at = time(snippet.get("publishedAt")), time(snippet.get("updatedAt"))
    parent = string(snippet.get("parentId"))
    name = string(snippet.get("authorDisplayName"))
    return Post(
        native_id=native_id,
        text=string(snippet.get("textOriginal")) or string(snippet.get("textDisplay")) or "",
        published_at=at,
        published_precision="second" if at else "unknown",
        edited_at=updated_at if at and updated_at and updated_at > at else None,
        network=SOURCE,
        content_type="reply" if parent else "comment",
        url=f"{_SITE}{of_video}&lc={native_id}" if of_video else None,
        author_id=string(mapping(snippet.get("authorChannelId")).get("value")),
        author_handle=name if name and name.startswith("@") else None,
        thread_id=of_video,
        parent_native_id=parent or of_video,
        root_native_id=of_video,
        like_count=count(snippet.get("likeCount")),
        reply_count=count(told.get("reply_count")),
        context=string(told.get("about")),
    )


def rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    """A refusal of this source."""
    return Rejection(source=SOURCE, native_id=native_id, reason=reason, detail=detail)
