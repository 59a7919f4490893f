"""What a collection has reached and met so far, and how one part in trouble leaves the others be.

A source of several parts (tags, forums, channels) reads each by itself: a part that fails is told
in the note and read by the next run, since each keeps its own place.

A service that asks for a longer wait than a run may sleep, when something was read already, is
left alone until then: the moment stands in the cursor, and a run before it asks nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pipelines.errors import RateLimited, SourceError
from pipelines.notes import noted, why
from pipelines.said import say
from pipelines.sources import Checkpoint, Collected, Cursor, Request, _values as values

Window = tuple[datetime, datetime]
Part = TypeVar("Part")


@dataclass(slots=True, kw_only=True)
class Reading:
    """Notes, what was handed over, what was left alone and why, what could not be read."""

    notes: list[str] = field(default_factory=list)
    handed: set[str] = field(default_factory=set)
    left_alone: Counter[str] = field(default_factory=Counter)
    is_capped: bool = False
    gap: Window | None = None
    retry_at: datetime | None = None

    def is_first(self, key: str) -> bool:
        """Whether `key` was not handed over yet in this run; from now on it was."""
        is_first = key not in self.handed
        self.handed.add(key)
        return is_first

    def cut(self, note: str) -> None:
        """There was more than could be read: the run is capped, and `note` says where."""
        self.is_capped = True
        self.notes.append(note)

    def missed(self, since: datetime, until: datetime) -> None:
        """A window that could not be read; one source tells one gap, which holds them all."""
        if since < until:
            gap = self.gap
            self.gap = (since, until) if gap is None else (min(gap[0], since), max(gap[1], until))

    def checkpoint(self, cursor: Cursor) -> Checkpoint:
        """Where the next run goes on, with all that there is to tell so far."""
        left = [say("{n} {what}", n=count, what=what) for what, count in self.left_alone.items()]
        note = noted([*self.notes, *left])
        if self.retry_at is not None:
            cursor = {**cursor, "retry_at": self.retry_at.isoformat()}
        return Checkpoint(cursor=cursor, gap=self.gap, capped=self.is_capped, note=note)


def each(
    parts: Iterable[Part],
    read: Callable[[Part], Iterator[Collected]],
    reading: Reading,
) -> Iterator[Collected]:
    """What every part gives; the first error is raised only when no part could be read.

    After a service has asked to wait longer than a run may, no further part is asked.
    """
    failures: list[SourceError] = []
    well = 0
    for part in parts:
        try:
            yield from read(part)
            well += 1
        except SourceError as error:
            failures.append(error)
            reading.cut(why(error))
            if isinstance(error, RateLimited):
                reading.retry_at = error.retry_at
                break
    if failures and not well and not reading.handed:
        raise failures[0]


def begun(request: Request) -> Reading:
    """An empty reading; RateLimited where the service has asked to be left alone until later."""
    rest = values.time((request.cursor or {}).get("retry_at"))
    if rest is not None and rest > request.client.now():
        told = say(
            "{name} has been asked to wait until {at:%Y-%m-%d %H:%MZ}", name=request.name, at=rest
        )
        raise RateLimited(told, rest)
    return Reading()
