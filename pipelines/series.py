"""A series of counts from a CSV file, on an even grid: what `vigie backtest` replays.

The file has the columns `timestamp,value`: a moment (UTC unless an offset is written) and a count
of what was said from then until the next row. Rows finer than five minutes are added up to five
minutes; what no row tells is unknown, never zero. Time and memory are linear in rows.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import VigieError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FINEST = 5  # minutes: how often the rules are asked
COARSEST = 60
_LOOKED_AT = 200  # rows whose distance says how far apart rows are
_LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Counts of equal steps: `values` (n,) of `minutes` each, the first from `start` (aware) on.

    NaN is a step that nobody read. `row_minutes` is how far apart the rows of the file are: the
    last row of step i stands at `told_at(i)`. `is_plain`: the file writes no offset.
    """

    start: datetime
    minutes: int
    values: Floats
    row_minutes: int = FINEST
    is_plain: bool = True

    def begins_at(self, step: int) -> datetime:
        """When a step begins."""
        return self.start + timedelta(minutes=self.minutes * step)

    def told_at(self, step: int) -> datetime:
        """The timestamp of the last row that a step is made of: with it the step is known."""
        return self.begins_at(step + 1) - timedelta(minutes=min(self.row_minutes, self.minutes))


def by_day(series: Series, zone: ZoneInfo) -> dict[date, int]:
    """What each whole day of the clock of people holds; a day that was not all read is left out."""
    starts = (series.begins_at(step).astimezone(zone).date() for step in range(len(series.values)))
    days: dict[date, list[float]] = {}
    for day, value in zip(starts, series.values.tolist(), strict=True):
        days.setdefault(day, []).append(value)
    least = 23 * 60 / series.minutes  # the day on which clocks are put forward
    whole = {day: sum(counts) for day, counts in days.items() if len(counts) >= least}
    return {day: round(total) for day, total in whole.items() if not math.isnan(total)}


@dataclass(frozen=True, slots=True)
class _Row:
    at: datetime
    value: float
    line: int


def read(path: Path) -> Series:
    """The series of a file; VigieError with the line and the remedy where it cannot be read."""
    rows, is_plain = _rows(path)
    apart = _minutes_apart(path, rows)
    step = max(apart, FINEST)
    if rows[-1].at - rows[0].at > _LONGEST:
        raise VigieError(
            f"{path.name} spans more than ten years, from {rows[0].at:%Y-%m-%d} to "
            f"{rows[-1].at:%Y-%m-%d} (line {rows[-1].line}): correct its timestamps"
        )
    start = rows[0].at
    values = _gridded(rows, start, step, apart)
    return Series(start=start, minutes=step, values=values, row_minutes=apart, is_plain=is_plain)


def moments(path: Path) -> list[datetime]:
    """The marked moments of a CSV file with the column `timestamp`, aware, in order."""
    found = (_moment(path, line, stamp) for line, (stamp,) in _cells(path, ("timestamp",)))
    return sorted(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC) for at in found)


def _gridded(rows: list[_Row], start: datetime, step: int, apart: int) -> Floats:
    """Sums by step; a step of which less than half of the rows are there is unknown.

    The last step is left out while rows of it may still come, so that a file that grows changes
    nothing of what was known.
    """
    minutes = np.array([(row.at - start) / timedelta(minutes=1) for row in rows])
    counts = np.array([row.value for row in rows])
    place = np.floor((minutes + apart / 2) / step).astype(np.int64)
    length = int((minutes[-1] + apart * 1.5) // step)
    kept = (place < length) & ~np.isnan(counts)
    total = np.bincount(place[kept], counts[kept], minlength=length)
    seen = np.bincount(place[kept], minlength=length)
    whole = step / apart
    return np.where(seen * 2 >= whole, total * np.maximum(whole / np.maximum(seen, 1), 1), np.nan)


def _minutes_apart(path: Path, rows: list[_Row]) -> int:
    """How far apart rows are, in minutes: the shortest distance of the first ones."""
    if len(rows) < 2:
        raise VigieError(f"{path.name} has {len(rows)} row: a series needs two or more")
    gaps = [(b.at - a.at) / timedelta(minutes=1) for a, b in pairwise(rows[:_LOOKED_AT])]
    apart = max(round(min(gaps)), 1)
    if apart > COARSEST or (apart < FINEST and FINEST % apart) or (COARSEST % apart):
        raise VigieError(
            f"{path.name}: its rows are {apart} minutes apart: give a row a minute, every five "
            "minutes, every quarter of an hour or every hour"
        )
    return apart


def _rows(path: Path) -> tuple[list[_Row], bool]:
    """The rows by time, and whether none writes an offset."""
    rows: list[_Row] = []
    is_plain = True
    for line, (stamp, count) in _cells(path, ("timestamp", "value")):
        at = _moment(path, line, stamp)
        is_plain = is_plain and at.tzinfo is None
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        _check_order(path, line, rows, at)
        rows.append(_Row(at, _count(path, line, count), line))
    if not rows:
        raise VigieError(f"{path.name} has no row below its header: a series needs two or more")
    return rows, is_plain


def _cells(path: Path, names: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and the named cells of each row that is not blank."""
    if not path.is_file():
        raise VigieError(f"{path} is not a file: check the path")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            places = _places(path, next(reader, []), names)
            for row in reader:
                if any(cell.strip() for cell in row):
                    cells = [*row, *[""] * (1 + max(places) - len(row))]
                    yield reader.line_num, tuple(cells[place].strip() for place in places)
        except (csv.Error, UnicodeDecodeError) as error:
            raise VigieError(
                f"{path.name}, line {reader.line_num + 1}: {error}: save the file as CSV in UTF-8"
            ) from error


def _places(path: Path, first: Sequence[str], names: Sequence[str]) -> list[int]:
    head = [name.strip().lower() for name in first]
    if {*names} <= {*head}:
        return [head.index(name) for name in names]
    raise VigieError(
        f"{path.name}, line 1: the columns are {', '.join(head[:5]) or 'none'}: name them "
        f"{','.join(names)}"
    )


def _moment(path: Path, line: int, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise VigieError(
            f"{path.name}, line {line}: timestamp {text[:40]!r} is no moment: write it as "
            "2026-10-01T14:05 (UTC) or 2026-10-01T16:05+02:00"
        ) from error


def _count(path: Path, line: int, text: str) -> float:
    """A count; an empty cell is a step that nobody read (NaN)."""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if math.isnan(value) or 0 <= value < 1e12:
        return value
    raise VigieError(
        f"{path.name}, line {line}: value {text[:40]!r} is no count: write a number from 0 on, or "
        "leave it empty where nothing was read"
    )


def _check_order(path: Path, line: int, rows: list[_Row], at: datetime) -> None:
    if not rows or at > rows[-1].at:
        return
    what = "is there twice" if at == rows[-1].at else f"comes after {rows[-1].at:%Y-%m-%d %H:%M}"
    raise VigieError(
        f"{path.name}, line {line}: {at:%Y-%m-%d %H:%M:%S} (UTC) {what}: sort the file by "
        "timestamp, one row a moment; local time needs its offset (+01:00), or an hour comes twice "
        "each autumn"
    )
