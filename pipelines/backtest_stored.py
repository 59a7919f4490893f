"""A backtest over the mentions of a home: both rule sets, marks, and how the sets differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import (
    backtest_compare,
    backtest_mentions,
    backtest_rules,
    warehouse,
)
from pipelines.backtest_compare import Mark
from pipelines.backtest_copy import Copy
from pipelines.backtest_mentions import Moved
from pipelines.backtest_told import Told, Trial
from pipelines.errors import VigieError
from pipelines.settings import Settings

SPAN = timedelta(days=28)
STEPS = (5, 10, 15, 20, 30, 60)  # minutes: what an hour is a multiple of
Bar = Callable[[str], AbstractContextManager[Moved]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to replay: a span (half open, aware UTC), rules that are tried, marks, a step."""

    since: datetime
    until: datetime
    folder: Path | None = None
    numbers: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    labels: Path | None = None
    step: timedelta = backtest_mentions.STEP

    @property
    def is_tried(self) -> bool:
        """Whether there are rules beside the present ones."""
        return self.folder is not None or bool(self.numbers)


def span(
    settings: Settings, *, since: datetime | None, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The span to replay; VigieError, with what there is, where nothing was said in it."""
    end = min(until or now, now)
    begin = since or end - SPAN
    if begin >= end:
        raise VigieError("--since is not before --until: correct one of them")
    first, last, count = _said(settings, begin, end)
    if first is None or last is None:
        raise VigieError(f"{settings.home} holds no mention yet: `vigie watch` brings some")
    if not count:
        raise VigieError(
            f"nothing was said from {begin:%Y-%m-%d} to {end:%Y-%m-%d}: mentions are there from "
            f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, so say for example --until {last:%Y-%m-%dT%H:%M}"
        )
    return begin, end


def mention_count(settings: Settings, *, since: datetime, until: datetime) -> int:
    """How many mentions a span holds."""
    return _said(settings, since, until)[2]


def _said(
    settings: Settings, since: datetime, until: datetime
) -> tuple[datetime | None, datetime | None, int]:
    """When the first and the last mention were published, and how many lie in a span."""
    with warehouse.opened(settings.home, read_only=True) as connection:
        row = connection.execute(
            "select min(published_at), max(published_at), count(*) filter"
            " (where published_at >= $since and published_at < $until) from mention",
            {"since": since, "until": until},
        ).fetchone()
    first, last, count = row or (None, None, 0)
    return first and first.astimezone(UTC), last and last.astimezone(UTC), count


def run(copy: Copy, asked: Asked, marks: Sequence[Mark], *, source: str | None, bar: Bar) -> Told:
    """Replay the present rules and, where there are any, those that are tried."""
    present = _trial(copy, "present", backtest_rules.present(), asked, marks, source, bar)
    tried = None
    if asked.is_tried:
        texts = backtest_rules.tried(asked.folder, asked.numbers)
        tried = _trial(copy, "tried", texts, asked, marks, source, bar)
    compared = backtest_compare.compared(present.replayed, tried.replayed) if tried else None
    return Told(present=present, tried=tried, compared=compared, step=asked.step, marks=source)


def _trial(
    copy: Copy,
    name: str,
    texts: Mapping[str, str],
    asked: Asked,
    marks: Sequence[Mark],
    source: str | None,
    bar: Bar,
) -> Trial:
    chosen = {n: t for n, t in texts.items() if not asked.only or n in asked.only}
    with bar(name) as moved:
        replayed = backtest_mentions.replay(
            copy, chosen, since=asked.since, until=asked.until, step=asked.step, moved=moved
        )
    worth = backtest_compare.worth(replayed, marks, is_judged=source == "judged")
    return Trial(name=name, texts=chosen, replayed=replayed, worth=worth)


def marked(settings: Settings, asked: Asked) -> tuple[list[Mark], str | None]:
    """The marks to compare with, and where they come from: a file, or what moderators judged."""
    if asked.labels is not None:
        return backtest_compare.marks(asked.labels), "marked"
    with warehouse.opened(settings.home, read_only=True) as connection:
        found = backtest_compare.judged(connection, since=asked.since, until=asked.until)
    return found, "judged" if found else None


def check(asked: Asked) -> None:
    """Refuse what cannot be replayed, before anything is copied; VigieError with the remedy."""
    minutes = asked.step / timedelta(minutes=1)
    if minutes not in STEPS:
        raise VigieError(f"--step {minutes:g}: choose one of {', '.join(map(str, STEPS))} minutes")
    texts = backtest_rules.tried(asked.folder, asked.numbers)
    backtest_rules.only(texts, asked.only)


@contextmanager
def silently(_name: str) -> Iterator[Moved]:
    """A bar that draws nothing."""
    yield lambda _done, _total: None
