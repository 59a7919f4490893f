"""What the feeds of each forum software mean: where they are, what an entry is, what to leave out.

Pure. Read in the software's own source where it is public (phpBB 3.3, FluxBB 1.5, SMF 2.1, read
2026-11-26); of vBulletin, XenForo and MyBB, whose source is closed or was not at hand, in feeds
as they are commonly described. A dialect is one record; a new one is a new record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pipelines.mention import Post

_REPLY = re.compile(r"^(?:(?:re|ré|rép|réponse)\s*(?:\[\d{1,3}\])?\s*:\s*)+", re.IGNORECASE)
_SESSION = frozenset({"sid", "s", "phpsessid", "sesskey"})
_TO_THE_NEWEST = {("goto", "newpost"), ("action", "new"), ("action", "lastpost")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One forum software.

    `board` is the feed of the whole forum, `room` that of one part ({id}); `topic` and `post` find
    the numbers of both in an entry's link or id. `is_by_post` says that every entry is a message;
    elsewhere it is a topic by its first one, and replies are not in the feed. `window` is how many
    entries the software gives unless its administrator has said otherwise.
    """

    label: str
    board: str
    room: str
    topic: re.Pattern[str]
    post: re.Pattern[str] | None = None
    is_by_post: bool = False
    window: int = 15
    thread: str | None = None  # the feed of one topic ({id}), read for each that has changed
    clean: Callable[[Post], Post] = lambda post: post


def _phpbb(post: Post) -> Post:
    """The post without the line that phpBB adds, and its forum taken out of its title.

    The line tells who wrote when ("Statistiques: Posté par Odile — …"); a feed of several forums
    writes "Forum • Re: Title".
    """
    text = re.sub(r"\s*<hr\s*/?>\s*$", "", post.text)
    start = text.rfind("<p>")
    last = text[start:] if start >= 0 else ""
    if re.match(r"<p>\s*[^<>:]{1,40}:\s", last) and _names_the_author(last, post):
        text = text[:start]
    room, dot, title = (post.title or "").partition(" • ")
    if not dot or not title:
        return replace(post, text=text.rstrip())
    return replace(post, text=text.rstrip(), title=title, community=room)


def _names_the_author(paragraph: str, post: Post) -> bool:
    said = re.sub(r"<[^<>]*>", "", paragraph)
    return "viewprofile" in paragraph or bool(post.author_handle and post.author_handle in said)


def _smf(post: Post) -> Post:
    """The post, marked as cut where SMF has cut it (to 255 characters by default)."""
    return replace(post, text_truncated=post.text_truncated or post.text.rstrip().endswith("..."))


def _xenforo(post: Post) -> Post:
    """The post without its link to read on, which says that it was cut."""
    text = re.sub(r"\s*<a [^>]*class=\"link link--internal\"[^>]*>[^<]*</a>\s*$", "", post.text)
    is_cut = len(text) < len(post.text) or text.endswith("...")
    return replace(post, text=text, text_truncated=post.text_truncated or is_cut)


DIALECTS: Mapping[str, Dialect] = {
    "phpbb": Dialect(
        label="phpBB",
        board="app.php/feed",
        room="app.php/feed/forum/{id}",
        topic=re.compile(r"viewtopic\.php\?(?:[^#\s]*&)?t=(\d+)"),
        post=re.compile(r"viewtopic\.php\?(?:[^#\s]*&)?p=(\d+)|#p(\d+)"),
        is_by_post=True,
        clean=_phpbb,
    ),
    "fluxbb": Dialect(
        label="FluxBB",
        board="extern.php?action=feed&type=atom&show=50",
        room="extern.php?action=feed&type=atom&show=50&fid={id}",
        topic=re.compile(r"viewtopic\.php\?(?:[^#\s]*&)?id=(\d+)"),
        post=re.compile(r"viewtopic\.php\?(?:[^#\s]*&)?pid=(\d+)|#p(\d+)"),
        is_by_post=True,
        window=50,
        thread="extern.php?action=feed&type=atom&show=50&tid={id}",
    ),
    "smf": Dialect(
        label="Simple Machines Forum",
        board="index.php?action=.xml;type=atom;sa=recent;limit=50",
        room="index.php?action=.xml;type=atom;sa=recent;limit=50;board={id}",
        topic=re.compile(r"[?;&]topic=(\d+)"),
        post=re.compile(r":msg=(\d+)|\.msg(\d+)"),
        is_by_post=True,
        window=50,
        clean=_smf,
    ),
    "vbulletin": Dialect(
        label="vBulletin",
        board="external.php?type=RSS2&count=50",
        room="external.php?type=RSS2&count=50&forumids={id}",
        topic=re.compile(r"showthread\.php\?(?:[^#\s]*&)?(?:t=)?(\d+)|/threads?/(\d+)|/(\d+)-[^/\s]+$"),
        window=50,
        clean=_smf,
    ),
    "xenforo": Dialect(
        label="XenForo",
        board="forums/-/index.rss",
        room="forums/{id}/index.rss",
        topic=re.compile(r"threads/(?:[^/\s]*\.)?(\d+)/"),
        window=20,
        clean=_xenforo,
    ),
    "mybb": Dialect(
        label="MyBB",
        board="syndication.php?type=atom1.0&limit=50",
        room="syndication.php?type=atom1.0&limit=50&fid={id}",
        topic=re.compile(r"showthread\.php\?(?:[^#\s]*&)?tid=(\d+)|thread-(\d+)"),
        window=50,
    ),
}  # fmt: skip


def number(pattern: re.Pattern[str] | None, *said: str | None) -> int | None:
    """The number that a pattern finds in the first of some texts that holds one."""
    for text in said:
        found = pattern.search(text) if pattern and text else None
        if found:
            digits = next(filter(None, found.groups()), "")
            return int(digits) if len(digits) < 19 else None
    return None


def read(post: Post, dialect: Dialect, *, host: str) -> Post:
    """A post of the feed parser as this software means it: known by its numbers, and clean."""
    topic = number(dialect.topic, post.url, post.native_id)
    message = number(dialect.post, post.url, post.native_id)
    title, is_reply = _title(post.title)
    cleaned = dialect.clean(post)
    if cleaned.title != post.title:
        title, is_reply = _title(cleaned.title)
    return replace(
        cleaned,
        native_id=_native_id(post, topic, message, host),
        title=title,
        url=_permalink(post.url),
        content_type="reply" if is_reply or post.parent_native_id else "post",
        thread_id=f"{host}:t{topic}" if topic else None,
    )


def _title(title: str | None) -> tuple[str | None, bool]:
    """A title without the sign of a reply, and whether it bore one."""
    bare = _REPLY.sub("", title.strip()) if title else ""
    return bare or None, bool(title) and bare != (title or "").strip()


def _native_id(post: Post, topic: int | None, message: int | None, host: str) -> str:
    if message:
        return f"{host}:p{message}"
    return f"{host}:t{topic}" if topic else post.native_id


def _permalink(url: str | None) -> str | None:
    """The address without the reader's session and without "go to the newest"."""
    if not url or "?" not in url:
        return url
    parts = urlsplit(url)
    if ";" in parts.query:  # SMF's own way of writing a query
        return url
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [p for p in pairs if p[0].lower() not in _SESSION and p not in _TO_THE_NEWEST]
    if len(kept) == len(pairs):
        return url
    return urlunsplit(parts._replace(query=urlencode(kept)))
