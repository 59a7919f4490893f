"""Reads the public preview of a Telegram channel: the page, and the message that it shows.

Pure: no network, no clock. The page is undocumented; its shape is the one that public programs
read (classes `tgme_widget_message…`, seen 2026-11-26) and may change: a page without messages
and without the channel's head is told as such, never taken for a quiet channel.

Counts are rounded by Telegram ("12.3K") and so are what they stand for here; reactions are added
up. Names of those whose messages are passed on and of authors who sign are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from pipelines.mention import ContentType, Deletion, Post, Rejection
from pipelines.sources import Parsed, _values as values

SOURCE = "telegram"
TAG_LIMIT = 30_000  # twenty messages are a thousand tags; lexbor takes long where they nest
_MESSAGE = ".tgme_widget_message[data-post]"
_POST = re.compile(r"([A-Za-z][A-Za-z0-9_]{3,40})/(\d{1,12})")
_COUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?\s*([KMB])?", re.IGNORECASE)
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_OF_PEOPLE = (
    ".tgme_widget_message_user, .tgme_widget_message_from_author, "
    ".tgme_widget_message_forwarded_from_name, .tgme_widget_message_forwarded_from_author"
)
_MEDIA = {
    ".tgme_widget_message_photo_wrap": "image",
    ".tgme_widget_message_video_player, .tgme_widget_message_roundvideo_player": "video",
    ".tgme_widget_message_voice_player, .tgme_widget_message_audio": "audio",
    ".tgme_widget_message_poll": "poll",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a page: its channel and number, the markup it stands in, its words."""

    channel: str
    number: int
    markup: str
    words: str
    written_at: str | None

    def landed(self) -> dict[str, Any]:
        """What is landed of it."""
        return {"html": self.markup}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a channel: its messages, the newest first, and whether it is a preview at all."""

    messages: tuple[Message, ...]
    is_preview: bool


def read_page(html: str) -> Page:
    """The messages that a page shows; service notes ("channel created") are left out."""
    if html.count("<") > TAG_LIMIT:
        return Page(messages=(), is_preview=False)
    tree = LexborHTMLParser(html)
    found = list(_messages(tree))
    has_head = tree.css_first(".tgme_channel_info, .tgme_header, .tgme_channel_history") is not None
    return Page(messages=tuple(reversed(found)), is_preview=bool(found) or has_head)


def _messages(tree: LexborHTMLParser) -> Iterator[Message]:
    for node in tree.css(_MESSAGE):
        named = _POST.fullmatch(node.attributes.get("data-post") or "")
        if named is None or "service_message" in (node.attributes.get("class") or ""):
            continue
        for name in node.css(_OF_PEOPLE):
            name.decompose()  # before the first write: who signed, whose message is passed on
        yield Message(
            channel=named[1].lower(),
            number=int(named[2]),
            markup=node.html or "",
            words=_words(node),
            written_at=_time(node),
        )


def _words(node: LexborNode) -> str:
    """What the channel says: its text, a poll's question, the head of the link that it shows."""
    parts = ".js-message_text, .tgme_widget_message_poll_question, .link_preview_title"
    return "\n".join(part.text(deep=True, separator=" ") for part in node.css(parts))


def _time(node: LexborNode) -> str | None:
    found = node.css_first(".tgme_widget_message_date time[datetime]")
    return found.attributes.get("datetime") if found else None


def parse(data: Any, *, own: frozenset[str]) -> Parsed:
    """The post that a landed message is, or why it is none; `own` are the institution's channels,
    in lower case."""
    html = values.string(values.mapping(data).get("html"))
    if html is None or html.count("<") > TAG_LIMIT:
        return _rejection(None, "not_a_message", "the payload holds no markup of a message")
    node = LexborHTMLParser(html).css_first(_MESSAGE)
    named = _POST.fullmatch(node.attributes.get("data-post") or "") if node else None
    if node is None or named is None:
        return _rejection(None, "no_id", "the markup names no channel and number")
    channel, number = named[1].lower(), int(named[2])
    if "service_message" in (node.attributes.get("class") or ""):
        return _rejection(f"{channel}/{number}", "not_a_message", "a note of Telegram")
    return _post(node, channel, number, is_own=channel in own)


def _post(node: LexborNode, channel: str, number: int, *, is_own: bool) -> Post:
    written_at = values.time(_time(node))
    text = "<br>".join(part.html or "" for part in node.css(".js-message_text"))
    question = node.css_first(".tgme_widget_message_poll_question")
    preview = node.css_first(".link_preview_title")
    answered = node.css_first("a.tgme_widget_message_reply[href]")
    return Post(
        native_id=f"{channel}/{number}",
        text=text or (question.html or "" if question else ""),
        text_format="html",
        title=preview.text(deep=True, strip=True)[:300] if preview else None,
        published_at=written_at,
        published_precision="second" if written_at else "unknown",
        network="telegram",
        source_instance="t.me",
        content_type=_content_type(node, has_answer=answered is not None),
        collected_via="html",
        url=f"https://t.me/{quote(channel)}/{number}",
        native_version="edited" if _is_edited(node) else None,
        author_id=channel,
        author_handle=channel,
        author_kind="organisation",
        parent_native_id=_named(answered),
        community=channel,
        like_count=_reactions(node),
        view_count=count(_text_of(node, ".tgme_widget_message_views")),
        urls=values.links_in(text),
        media_types=tuple(kind for css, kind in _MEDIA.items() if node.css_first(css)),
        is_own=is_own,
    )


def _content_type(node: LexborNode, *, has_answer: bool) -> ContentType:
    if node.css_first(".tgme_widget_message_forwarded_from"):
        return "repost"
    return "reply" if has_answer else "post"


def _named(answered: LexborNode | None) -> str | None:
    """The message that another answers, from the link to it."""
    href = answered.attributes.get("href") or "" if answered else ""
    found = re.search(r"t\.me/" + _POST.pattern + r"(?:\?|$)", href)
    return f"{found[1].lower()}/{found[2]}" if found else None


def _is_edited(node: LexborNode) -> bool:
    """Whether the foot of the message says so, in English as the page is asked for."""
    return re.match(r"\s*edited\b", _text_of(node, ".tgme_widget_message_meta")) is not None


def _text_of(node: LexborNode, css: str) -> str:
    found = node.css_first(css)
    return found.text(deep=True) if found else ""


def _reactions(node: LexborNode) -> int | None:
    """All reactions together, whatever they say; None where the channel shows none."""
    shown = node.css(".tgme_reaction")
    counts = [count(re.sub(r"^[^0-9]*", "", each.text(deep=True))) for each in shown[:50]]
    known = [number for number in counts if number is not None]
    return sum(known) if known else None


def count(said: str) -> int | None:
    """A count as Telegram rounds it: "987", "12.3K", "1.05M"; None for what is none."""
    found = _COUNT.fullmatch(said.strip())
    if found is None:
        return None
    scale = _SCALE[(found[3] or "").lower()]
    part = int(found[2]) * scale // 10 ** len(found[2]) if found[2] else 0
    return int(found[1]) * scale + part


def deletion(data: Any) -> Deletion | Rejection:
    """The deletion of a message that its channel does not show any more."""
    told = values.mapping(data)
    name, at = values.string(told.get("native_id")), values.time(told.get("checked_at"))
    if name is None or at is None:
        return _rejection(name, "no_time", "a message is gone, and no time or id is told")
    return Deletion(source=SOURCE, native_id=name, deleted_at=at, reason="gone")


def _rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    return Rejection(source=SOURCE, native_id=native_id, reason=reason, detail=detail)
