"""Reads the feed of each topic that has changed, where the feed of a forum tells only which.

FluxBB's feed of a forum gives of each topic its latest message alone, under the address of the
topic: two replies between two readings are one entry, and the second would pass for an edit of
the first. The feed of a topic gives its messages, each by its own number.

For each topic the number of the last message read is remembered, so that no race between two
readings leaves a message out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines import http
from pipelines.errors import SourceError
from pipelines.sources import Collected, Payload, Request, _feed_dates, _values as values
from pipelines.sources._feed_document import Document, Entry, Unreadable, read
from pipelines.sources._forum_dialects import Dialect, number
from pipelines.sources._reading import Reading

_TOPICS = 30  # topics that one run reads
_REMEMBERED = 500
_LATE = timedelta(hours=1)  # before the window, of a topic that is not remembered any more
_KEPT_HEADERS = ("content-type", "content-language", "tdm-reservation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A forum whose topics are read one by one: its dialect, its address, the feed of it all."""

    dialect: Dialect
    base: str
    feed: str
    zone: ZoneInfo
    max_bytes: int


@dataclass(frozen=True, slots=True)
class _Known:
    """Of a topic: the last message read, and what the forum's feed said of its latest."""

    message: int
    told: str


def collect(
    board: Board,
    request: Request,
    cursor: Mapping[str, Any],
    reading: Reading,
    kept: dict[str, Any],
) -> Iterator[Collected]:
    """The new messages of every topic that has changed; touches the network.

    `cursor` is what the run before left in `kept`; `kept` is filled anew as topics are read.
    """
    known = _known(cursor)
    index = _document(board, request, board.feed)
    changed = _changed(index, board, known)
    kept["read_at"] = cursor.get("read_at")
    kept["topics"] = {str(topic): [k.message, k.told] for topic, k in known.items()}
    _tell_hole(index, board, cursor, reading, request)
    for topic, told in list(changed.items())[:_TOPICS]:
        before = known.get(topic)
        yield from _messages(topic, told, before, board, request, reading, kept["topics"])
    if len(changed) > _TOPICS:
        reading.cut(f"{len(changed)} topics have changed and {_TOPICS} were read: the next run "
                    "reads the others")  # fmt: skip
    kept["topics"] = dict(list(kept["topics"].items())[-_REMEMBERED:])
    kept["read_at"] = request.until.isoformat()


def _known(cursor: Mapping[str, Any]) -> dict[int, _Known]:
    found = {}
    for name, value in values.mapping(cursor.get("topics")).items():
        topic = values.row_id(name)
        if topic and isinstance(value, list) and len(value) == 2:
            found[topic] = _Known(values.row_id(value[0]) or 0, str(value[1]))
    return found


def _document(board: Board, request: Request, url: str) -> Document:
    answer = request.client.get(url, max_bytes=board.max_bytes)
    return _read(answer, url)


def _read(answer: http.Response, url: str) -> Document:
    try:
        return read(answer.content, url=answer.url, headers=answer.headers)
    except Unreadable as error:
        raise SourceError(f"{http.shown(url)}: {error}") from error


def _changed(index: Document, board: Board, known: Mapping[int, _Known]) -> dict[int, str]:
    """The topics whose latest message is another than before, the longest changed first."""
    changed = {}
    for entry in reversed(index.entries):
        topic = number(board.dialect.topic, entry.link, entry.guid)
        told = entry.updated or entry.published or ""
        if topic and (topic not in known or known[topic].told != told):
            changed[topic] = told
    return changed


def _tell_hole(
    index: Document, board: Board, cursor: Mapping[str, Any], reading: Reading, request: Request
) -> None:
    """Tell the time of which topics may have come and gone, when every topic shown has changed."""
    read_at = values.time(cursor.get("read_at"))
    times = [at for entry in index.entries if (at := _at(entry, board.zone))]
    if read_at and len(index.entries) >= board.dialect.window and times and min(times) > read_at:
        reading.missed(read_at, min(min(times), request.until))
        reading.notes.append(
            "more topics have changed between two readings than the feed shows: lower every_minutes"
        )


def _at(entry: Entry, zone: ZoneInfo) -> datetime | None:
    return _feed_dates.read(entry.published or entry.updated, zone=zone)[0]


def _messages(
    topic: int,
    told: str,
    before: _Known | None,
    board: Board,
    request: Request,
    reading: Reading,
    topics: dict[str, list[Any]],
) -> Iterator[Payload]:
    """The feed of one topic as a payload, with the keys of the messages that are new in it."""
    url = f"{board.base}/{(board.dialect.thread or '').format(id=topic)}"
    answer = request.client.get(url, max_bytes=board.max_bytes)
    document = _read(answer, url)
    by_number = {n: entry for entry in document.entries if (n := _number(entry, board))}
    fresh = {n: e for n, e in by_number.items() if _is_new(n, e, before, board, request)}
    if before and len(fresh) == len(by_number) >= board.dialect.window:
        reading.notes.append(
            f"a topic got {len(fresh)} messages or more between two readings: some may be missing"
        )
        reading.is_capped = True
    keys = [entry.guid for entry in fresh.values() if entry.guid]
    if keys and reading.is_first(f"topic {topic}"):
        yield Payload(kind="document", data=_data(answer, keys))
    last = max(by_number, default=0)
    topics.pop(str(topic), None)
    topics[str(topic)] = [max(last, before.message if before else 0), told]


def _number(entry: Entry, board: Board) -> int | None:
    return number(board.dialect.post, entry.link, entry.guid)


def _is_new(
    message: int, entry: Entry, before: _Known | None, board: Board, request: Request
) -> bool:
    if before:
        return message > before.message
    at = _at(entry, board.zone)
    return at is None or at >= request.since - (_LATE if request.cursor else timedelta())


def _data(answer: http.Response, keys: list[str]) -> dict[str, Any]:
    return {
        "url": answer.url,
        "headers": {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers},
        "body": base64.b64encode(answer.content).decode(),
        "keep": keys,
    }
