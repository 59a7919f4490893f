"""Two weeks as bars, drawn here as SVG: no picture to fetch, sharp, in the colours of the page.

Heights are places in a box of `WIDTH` by `HEIGHT`; the figures stand in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WIDTH, HEIGHT = 560, 120
DAYS = 14
_GAP = 6
LEAST_TONED = 10  # messages, before a share is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A local day: how many messages, and how many of those with a tone are negative.

    `count` is None where it is held back (too few people), 0 where nobody spoke.
    """

    day: date
    count: int | None
    scored: int
    negative: int

    @property
    def share(self) -> float | None:
        """The share of negative messages 0..1; None of fewer than ten."""
        return self.negative / self.scored if self.scored >= LEAST_TONED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of the picture: its left side, its top and height, and the same of its negative part.

    `is_held`: the day's figures are held back, which is drawn as a mark on the ground.
    """

    x: float
    width: float
    y: float
    height: float
    low_y: float
    low_height: float
    is_held: bool


def fortnight(last: date, found: Sequence[Day]) -> list[Day]:
    """Fourteen days to `last`, those without a row as 0."""
    known = {each.day: each for each in found}
    days = [last - timedelta(days=n) for n in reversed(range(DAYS))]
    return [known.get(day) or Day(day=day, count=0, scored=0, negative=0) for day in days]


def bars(days: Sequence[Day]) -> list[Bar]:
    """The bars of some days, the highest as high as the box."""
    most = max((day.count or 0 for day in days), default=0) or 1
    wide = (WIDTH - _GAP * (len(days) - 1)) / max(1, len(days))
    return [_bar(day, n * (wide + _GAP), wide, most) for n, day in enumerate(days)]


def _bar(day: Day, x: float, width: float, most: int) -> Bar:
    height = HEIGHT * (day.count or 0) / most
    low = height * (day.share or 0.0)
    return Bar(
        x=round(x, 1),
        width=round(width, 1),
        y=round(HEIGHT - height, 1),
        height=round(height, 1),
        low_y=round(HEIGHT - low, 1),
        low_height=round(low, 1),
        is_held=day.count is None,
    )
