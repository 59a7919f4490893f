"""At which moments of a replay which rules may enter, so that no other need be asked.

A rule's header may say what must be there for it to enter (`Asleep unless`), in terms of what is
counted here for all moments of a day at once: mentions, people and negative texts of the windows
that end with each, who may have passed one text on, what messages gained (as mentions of scope
'reactions'), how near a subject is to a burst. Every count is at least what the rule would see.
A rule about sources says that its answer only rises within an hour of the clock (`Within an hour:
rises`), since the readings of a replay are noted by the hour: it is asked once, at the end
of each, and at the others only where it enters then. What a header says is believed of the
product's own rules, with whatever thresholds; a rule whose query is another is due always.

Costs one reading of each day and the day before it, linear in mentions, and what bursts cost a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import backtest_rules, baseline, copies, cues, detect, surge, warehouse
from pipelines.alert import ENTER
from pipelines.series import Floats
from pipelines.warehouse import Connection

WINDOWS = (15, 60, 360, 1440)  # minutes
A_DAY = timedelta(days=1)
A_MINUTE = timedelta(minutes=1)
PASSED_ON = ("claims", "calls")
REACTIONS = "reactions"
AT_ONCE = 0.001  # seconds: a look at the very end of a window is one of it
LEAST_SAID = 6  # mentions in a window; of fewer nothing is known to be usual, and rules may speak
TOGETHER = 500  # series whose hours are held in memory at once
_FIVE = 300  # seconds: a step of the detector of bursts
AN_HOUR = timedelta(hours=1)
_LEARNT = re.compile(r"\b(?:burst|expected|day_mean|negative_share_expected|is_known)\b")
Asleep = Mapping[str, tuple[str, str]]  # thresholds and condition of rules, by their names
Awake = dict[datetime, set[str]]
Seconds = NDArray[np.float64]


class Pulse:
    """Says of each moment which rules may enter then; days are looked at one by one."""

    def __init__(
        self,
        connection: Connection,
        texts: Mapping[str, str],
        *,
        step: timedelta,
        zone: ZoneInfo,
    ) -> None:
        self.connection, self.step, self.zone = connection, step, zone
        self.asleep = {name: rule for name, text in texts.items() if (rule := _asleep(name, text))}
        self.rising = frozenset(name for name, text in texts.items() if _rises(name, text))
        self.always = frozenset(texts).difference(self.asleep, self.rising)  # nothing is known
        self.untaught = {n: r for n, r in self.asleep.items() if not _LEARNT.search(r[1])}
        self.day = self.hour = self.said_on = datetime.min.replace(tzinfo=UTC)
        self.awake: Awake = {}
        self.said: Awake = {}
        self.risen: frozenset[str] = frozenset()

    def due(self, at: datetime) -> frozenset[str]:
        """The rules that may enter at `at`, while no incident teaches anything new."""
        if self.asleep and (day := _day(at)) != self.day:
            table = counted(self.connection, day, self.step, self.zone)
            self.day, self.awake = day, self._awake(self.asleep, day, table)
        return self.always | self._risen(at) | self.awake.get(at, frozenset())

    def due_whatever(self, at: datetime) -> frozenset[str]:
        """The rules that may enter at `at`, whatever open incidents teach meanwhile.

        Those of copies, calls, reactions and threats wait for what is said alone: to ask them all
        the time took a third of what a moment with an open incident costs.
        """
        if self.untaught and (day := _day(at)) != self.said_on:
            table = _Day(self.connection, day, self.step, self.zone).said()
            self.said_on, self.said = day, self._awake(self.untaught, day, table)
        taught = self.asleep.keys() - self.untaught.keys()
        return self.always | self._risen(at) | taught | self.said.get(at, frozenset())

    def forget(self) -> None:
        """Look at the day anew: what an incident teaches has changed."""
        self.day = datetime.min.replace(tzinfo=UTC)

    def _risen(self, at: datetime) -> frozenset[str]:
        """The rules that enter by the end of the hour of `at`: no other does before."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        if hour != self.hour:
            last = hour + AN_HOUR - timedelta(microseconds=1)
            enters = frozenset(name for name in self.rising if self._enters(name, last))
            self.hour, self.risen = hour, enters
        return self.risen

    def _enters(self, name: str, at: datetime) -> bool:
        alerts = detect.evaluate(self.connection, name, as_of=at)
        return any(alert.level >= ENTER for alert in alerts)

    def _awake(self, rules: Asleep, day: datetime, table: pa.Table) -> Awake:
        """Which `rules` may enter at each moment of a day, from its first step to its end."""
        found: Awake = {}
        self.connection.register("pulse", table)
        try:
            for name, (thresholds, condition) in rules.items():
                places = self.connection.execute(
                    f"with thresholds as ({thresholds}) select distinct place from pulse"  # noqa: S608 - a rule's own words
                    f" cross join thresholds where {condition}"
                ).fetchall()
                for (place,) in places:
                    found.setdefault(day + self.step * (place + 1), set()).add(name)
        finally:
            self.connection.unregister("pulse")
        return found


def _day(at: datetime) -> datetime:
    """The beginning of the day (UTC) of which a moment is a step's end."""
    last = at - timedelta(microseconds=1)
    return last.replace(hour=0, minute=0, second=0, microsecond=0)


def _asleep(name: str, text: str) -> tuple[str, str] | None:
    """The thresholds of a rule, and what its header says must be there for it to enter."""
    own, factor = backtest_rules.unwrapped(text)
    condition = _said(name, own, "Asleep unless")
    if condition is None or factor < 1:
        return None
    return backtest_rules.thresholds(own), condition


def _rises(name: str, text: str) -> bool:
    """Whether what a rule says only rises within an hour; whatever it is divided by, too."""
    own, _ = backtest_rules.unwrapped(text)
    return _said(name, own, "Within an hour") == "rises" and not detect.reads(text)


def _said(name: str, own: str, entry: str) -> str | None:
    """What the header of the product's rule says, None where the query is another than its own."""
    known = backtest_rules.present().get(name, "")
    is_ours = backtest_rules.query(own) == backtest_rules.query(known)
    return backtest_rules.header(known).get(entry) if is_ours else None


def counted(connection: Connection, day: datetime, step: timedelta, zone: ZoneInfo) -> pa.Table:
    """What is counted of the windows that end with each step of a day (UTC)."""
    return _Day(connection, day, step, zone).table()


class _Day:
    """A day and the moments at which its steps end."""

    def __init__(
        self, connection: Connection, day: datetime, step: timedelta, zone: ZoneInfo
    ) -> None:
        self.connection, self.day, self.step, self.zone = connection, day, step, zone
        self.count = A_DAY // step
        self.span = {"since": day - A_DAY, "until": day + A_DAY}

    def table(self) -> pa.Table:
        """What was `said`, with what is usual of it and how near it is to a burst."""
        return self._with_bursts(self.said())

    def said(self) -> pa.Table:
        """One row per step (`place`), window, subject and scope in which anything was said."""
        found = warehouse.run(self.connection, "signals/pulse", self.span).to_arrow_table()
        parts = [*self._said(found), *self._passed_on(), *self._gained()]
        return pa.concat_tables(parts) if parts else _EMPTY.empty_table()

    def _said(self, found: pa.Table) -> Iterable[pa.Table]:
        names, series = _numbered(found, ("subject_id", "scope"))
        at, people, texts = (
            _floats(found, name) for name in ("at_seconds", "author_before", "text_before")
        )
        negative, scored, is_timed = (
            found[name].to_numpy(zero_copy_only=False)
            for name in ("is_negative", "is_scored", "is_timed")
        )
        for minutes in WINDOWS:

            def sliding(
                before: Seconds | None, kept: Any, minutes: int = minutes
            ) -> NDArray[np.int64]:
                own = None if before is None else before[kept]
                return self._sliding(series[kept], at[kept], own, minutes, len(names))

            every = np.ones(len(at), dtype=np.bool_)
            told = scored & (is_timed | (minutes == 1440))
            yield _rows(
                minutes,
                names,
                mentions=sliding(None, every),
                authors=sliding(people, every),
                negative=sliding(texts, negative),
                scored=sliding(texts, told),
            )

    def _passed_on(self) -> Iterable[pa.Table]:
        """The rows of scope 'claims' and 'calls': the most people that one text may have."""
        texts = warehouse.run(
            self.connection,
            "signals/spread_texts",
            {"as_of": self.day + A_DAY, "minutes": 2880, "most": 10**9},
        ).to_arrow_table()
        if not texts.num_rows:
            return
        self.connection.register("copied_text", _kin(texts))
        try:
            found = warehouse.run(
                self.connection, "signals/pulse_copies", self.span
            ).to_arrow_table()
        finally:
            self.connection.unregister("copied_text")
        for scope, column in zip(PASSED_ON, ("is_claim", "is_call"), strict=True):
            yield from self._most(found.filter(found[column]), scope)

    def _gained(self) -> Iterable[pa.Table]:
        """The rows of scope 'reactions': the most that an hour can have gained, as `mentions`."""
        found = warehouse.run(self.connection, "signals/pulse_gains", self.span).to_arrow_table()
        names, series = _numbered(found, ("subject_id", "scope"))
        at, gained = _floats(found, "at_seconds") - AT_ONCE, found["gained"].to_numpy()
        most = self._sliding(series, at, None, 60, len(names), weights=gained)
        none = np.zeros_like(most)
        yield _rows(60, names, mentions=most, authors=none, negative=none, scored=none)

    def _most(self, found: pa.Table, scope: str) -> Iterable[pa.Table]:
        names, series = _numbered(found, ("subject_id", "spread_id"))
        subjects = sorted({subject for subject, _ in names})
        place = {subject: number for number, subject in enumerate(subjects)}
        owner = np.array([place[subject] for subject, _ in names], dtype=np.int64)
        before, at = _floats(found, "author_before"), _floats(found, "at_seconds")
        for minutes in (60, 360):
            people = self._sliding(series, at, before, minutes, len(names))
            most = np.zeros((len(subjects), self.count), dtype=np.int64)
            np.maximum.at(most, owner, people)
            pairs = [(name, scope) for name in subjects]
            yield _rows(minutes, pairs, mentions=most, authors=most, negative=most, scored=most)

    def _sliding(
        self,
        series: NDArray[np.int64],
        at: Seconds,
        before: Seconds | None,
        minutes: int,
        count: int,
        weights: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """How many of each series lie in the window that ends with each step, (count, steps).

        `before` is when the same was there last (NaN: never): then it counts once a window.
        `weights` says what each counts (none: one).
        """
        begin, step = self.day.timestamp(), self.step.total_seconds()

        def place(seconds: Seconds) -> NDArray[np.int64]:
            steps = np.floor((seconds - begin) / step)
            places = np.clip(np.nan_to_num(steps, nan=-1), -1, self.count)
            return np.asarray(places, dtype=np.int64)

        first = np.maximum(place(at), 0)
        last = np.minimum(place(at + 60 * minutes), self.count)  # the step after the window's end
        if before is not None:
            first = np.maximum(first, np.maximum(place(before + 60 * minutes), 0))
        is_there = first < last
        changes = np.zeros((count, self.count + 1), dtype=np.int64)
        each = 1 if weights is None else weights[is_there]
        np.add.at(changes, (series[is_there], first[is_there]), each)
        np.subtract.at(changes, (series[is_there], last[is_there]), each)
        found: NDArray[np.int64] = changes.cumsum(axis=1)[:, : self.count]
        return found

    def _with_bursts(self, rows: pa.Table) -> pa.Table:
        """The rows with how near their subject is to a burst, and whether it is known for long."""
        subjects = sorted(set(rows["subject_id"].to_pylist()))
        keys = [(subject, "all") for subject in subjects]
        found = surge.levels(
            self.connection, keys, as_of=self.day + A_DAY, zone=self.zone, keeps=True
        )
        every = self.step // timedelta(seconds=_FIVE)
        levels = np.full((len(subjects), self.count), np.nan)
        for number, key in enumerate(keys):
            steps = np.where(np.isnan(found[key].expected), np.nan, found[key].level)
            levels[number] = steps[every - 1 :: every][: self.count]
        where = {subject: number for number, subject in enumerate(subjects)}
        owner = np.array([where[name] for name in rows["subject_id"].to_pylist()], dtype=np.int64)
        burst = _burst(levels, owner, rows)
        return self._with_usual(rows.append_column("burst", burst))

    def _with_usual(self, rows: pa.Table) -> pa.Table:
        """The rows with at least what is usual of them; 0 where that is not known."""
        pairs, number = _numbered(rows, ("subject_id", "scope"))
        counts = rows["mention_count"].to_numpy()
        most = np.zeros(len(pairs), dtype=np.int64)
        np.maximum.at(most, number, counts)
        wanted = [
            place
            for place, (_, scope) in enumerate(pairs)
            if scope not in (*PASSED_ON, REACTIONS) and most[place] >= LEAST_SAID
        ]
        said = {subject: int(most[n]) for n, (subject, scope) in enumerate(pairs) if scope == "all"}
        every = np.zeros((25, len(pairs), len(WINDOWS) + 2))
        for hour in range(25):
            for first in range(0, len(wanted), TOGETHER):
                part = wanted[first : first + TOGETHER]
                every[hour, part] = self._usual([pairs[p] for p in part], hour, said)
        where = {pair: place for place, pair in enumerate(pairs)}
        whole = np.array([where.get((s, "all"), p) for p, (s, _) in enumerate(pairs)], dtype=int)
        # A moment on the hour is one of the hour that begins with it.
        hours = (rows["place"].to_numpy() + 1) * (self.step // A_MINUTE) // 60
        window = np.searchsorted(WINDOWS, rows["window_minutes"].to_numpy())
        columns = {
            "expected": every[hours, number, window],
            "day_mean": every[hours, whole[number], len(WINDOWS) - 1],
            "negative_share_expected": every[hours, number, len(WINDOWS)],
            "is_known": every[hours, number, len(WINDOWS) + 1] > 0,
        }
        for name, values in columns.items():
            rows = rows.append_column(name, pa.array(values))
        return rows

    def _usual(self, series: list[tuple[str, str]], hour: int, most: Mapping[str, int]) -> Floats:
        at = self.day + timedelta(hours=hour)
        found = baseline.usual(
            self.connection, series, minutes=WINDOWS, as_of=at, zone=self.zone, most=most
        )
        told = np.column_stack([found.least, found.negative_share, found.is_known])
        return np.where(found.is_known[:, None], told, 0.0)


def _burst(levels: Floats, owner: NDArray[np.int64], rows: pa.Table) -> pa.Array:
    values = levels[owner, rows["place"].to_numpy()] if len(owner) else np.empty(0)
    return pa.array(values, pa.float64(), from_pandas=True)


_EMPTY = pa.schema(
    {
        "place": pa.int64(),
        "window_minutes": pa.int64(),
        "subject_id": pa.string(),
        "scope": pa.string(),
        **dict.fromkeys(("mention_count", "author_count", "negative_count"), pa.int64()),
        "negative_share_low": pa.float64(),
    }
)


def _rows(
    minutes: int,
    names: list[tuple[str, str]],
    *,
    mentions: NDArray[np.int64],
    authors: NDArray[np.int64],
    negative: NDArray[np.int64],
    scored: NDArray[np.int64],
) -> pa.Table:
    """The windows in which anything was said; negative shares are at least the real ones."""
    series, place = np.nonzero(mentions)
    subjects = pa.array([subject for subject, _ in names], pa.string())
    scopes = pa.array([scope for _, scope in names], pa.string())
    hits = negative[series, place]
    of = np.maximum(scored[series, place], hits)
    columns: dict[str, Any] = {
        "place": place,
        "window_minutes": np.full(len(place), minutes, dtype=np.int64),
        "subject_id": subjects.take(pa.array(series)),
        "scope": scopes.take(pa.array(series)),
        "mention_count": mentions[series, place],
        "author_count": authors[series, place],
        "negative_count": hits,
        "negative_share_low": baseline.wilson(hits.astype(float), of.astype(float))[0],
    }
    return pa.table(columns, schema=_EMPTY)


def _numbered(
    found: pa.Table, columns: tuple[str, str]
) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """The pairs of two columns, and the number of each row's pair."""
    pairs = list(zip(*(found[name].to_pylist() for name in columns), strict=True))
    names = list(dict.fromkeys(pairs))
    number = {pair: place for place, pair in enumerate(names)}
    return names, np.array([number[pair] for pair in pairs], dtype=np.int64)


def _floats(found: pa.Table, name: str) -> Seconds:
    values: Seconds = found[name].to_numpy().astype(np.float64)
    return values


def _kin(texts: pa.Table) -> pa.Table:
    """Each text with what it may be a copy of, and whether any of those may be claim or call."""
    said = texts["text"].to_pylist()
    kin = np.array(copies.kin(said), dtype=np.int64)
    columns = {"text_hash": texts["text_hash"], "spread_id": pa.array(kin).cast(pa.string())}
    for name, sees in (("is_claim", cues.is_claim), ("is_call", cues.is_gathering)):
        own = texts[name].to_numpy(zero_copy_only=False) | np.array([sees(text) for text in said])
        columns[name] = pa.array(np.isin(kin, kin[own]))
    return pa.table(columns)
