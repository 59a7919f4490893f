"""Walks a list that is numbered upward and paged backward, so that nothing is left out.

The newest comes first; what is new is walked through down to the last number read. A walk out of
pages writes down what is left of it, and the next run goes on there after what is new: a burst or
a fault costs time, never an item. A first run stops where its window begins.

Numbers may have holes (what was deleted or is not public took some too), so an empty page is a
hole of `step` numbers and not the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.sources import Cursor, _values as values


@dataclass(frozen=True, slots=True)
class Span:
    """Items still to be walked through: those below `before` (none: from the newest), above
    `floor`, or on a first run those written from `since` on."""

    before: int | None
    floor: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list: how a page below a number is asked for, an item's number and time, and how many
    numbers an empty page spans (none: it is the end)."""

    page: Callable[[int | None], list[Any]]
    number: Callable[[Any], int | None]
    at: Callable[[Any], datetime | None]
    step: int | None = None


@dataclass(slots=True, kw_only=True)
class Walk:
    """How far a list was read: the newest number, what is left below it, pages that may be asked.

    The one thing here that changes in place.
    """

    listed: Listed
    since: datetime
    until: datetime
    newest: int
    spans: list[Span]
    pages: int

    def cursor(self) -> Cursor:
        """Where the next run goes on."""
        spans = [[s.before, s.floor, s.since and s.since.isoformat()] for s in self.spans]
        return {"newest": self.newest, "spans": spans}

    def todo(self) -> list[Span]:
        """What there is to walk through: the new, then what earlier runs had no pages left for."""
        since = None if self.newest else self.since
        return [Span(None, self.newest, since), *self.spans]


def begun(cursor: Any, listed: Listed, *, since: datetime, until: datetime, pages: int) -> Walk:
    """A walk that goes on from a cursor of this module; from the window's start without one."""
    told = values.mapping(cursor)
    return Walk(
        listed=listed,
        since=since,
        until=until,
        newest=values.row_id(told.get("newest")) or 0,
        spans=list(_known(told.get("spans"))),
        pages=pages,
    )


def _known(spans: Any) -> Iterator[Span]:
    for span in values.items(spans):
        if isinstance(span, list) and len(span) == 3 and (before := values.row_id(span[0])):
            yield Span(before, values.row_id(span[1]) or 0, values.time(span[2]))


def walked(span: Span, walk: Walk) -> Iterator[list[Any]]:
    """The new items of a span, page by page, the oldest of each page first.

    What is left of it when pages run out stands in the walk's cursor.
    """
    while walk.pages > 0:
        page = walk.listed.page(span.before)
        walk.pages -= 1
        is_head = span.before is None or walk.newest <= span.floor
        in_time = _in_time(page, walk) if is_head else page
        yield [item for item in reversed(in_time) if _is_new(item, span, walk)]
        if is_head:
            walk.newest = max([walk.newest, *_numbers(in_time, walk)])
        further = _further(page, span, walk)
        walk.spans = [kept for kept in walk.spans if kept != span]
        if further is None:
            return
        walk.spans.append(further)
        span = further


def _in_time(page: list[Any], walk: Walk) -> list[Any]:
    """A page, newest first, without the items at its head that belong to the next window.

    One dated ahead that stands below others is kept: its clock is wrong, and waiting for it would
    hold up all that follow.
    """
    is_later = [(at := walk.listed.at(item)) is not None and at >= walk.until for item in page]
    return page[is_later.index(False) :] if False in is_later else []


def _is_new(item: Any, span: Span, walk: Walk) -> bool:
    number, at = walk.listed.number(item), walk.listed.at(item)
    if number is not None and number <= span.floor:
        return False
    return span.since is None or at is None or at >= span.since


def _numbers(page: list[Any], walk: Walk) -> list[int]:
    return [number for item in page if (number := walk.listed.number(item))]


def _further(page: list[Any], span: Span, walk: Walk) -> Span | None:
    """What is left of a span below a page; None when its end is reached."""
    numbers = _numbers(page, walk)
    below = [number for number in numbers if span.before is None or number < span.before]
    if not below and (span.before is None or walk.listed.step is None):
        return None
    reached = min(below) if below else (span.before or 0) - (walk.listed.step or 0) + 1
    if reached <= span.floor + 1 or any(number <= span.floor for number in numbers):
        return None
    if span.since and is_older(page, span.since, walk.listed.at):
        return None
    return Span(reached, span.floor, span.since)


def is_older(page: list[Any], since: datetime, at: Callable[[Any], datetime | None]) -> bool:
    """Whether every item of a page was written before `since`."""
    times = [moment for item in page if (moment := at(item))]
    return bool(times) and max(times) < since
