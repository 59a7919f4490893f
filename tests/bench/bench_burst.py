"""How soon bursts are told and how often for nothing, on real series that stand elsewhere.

    python -m tests.bench.bench_burst DATA [--scorer nab_score.py] [--quick]

DATA holds `burst/` (`series/*.csv`, `windows.json`, `labels.json`, `reference_scores.json`) and
`replay/` (`fr_politics_2022_1min.parquet`, `crisislex_t26.parquet` with its events,
`airline_feb2015.parquet`); their README files say where they come from and under which licences.
Nothing of them is in this repository.

- Numenta's series are scored by the scorer given (alarms of 60 minutes), with every threshold left
  out in turn: chosen on four series, scored on the fifth.
- Crises: the French stream of 2022, thinned to so many mentions an hour. To it is added, outside
  the two nights of results and debate, a crisis: `step`, `TIMES` usual hours more from one moment
  on for six hours; `shape`, the first day of each crisis of CrisisLexT26 whose onset is known, its
  busiest hour `TIMES` usual ones; `as is`, the same with its own counts (a hundredth of what was
  said). An alarm that the series alone raises as well is not counted. Delays count from the
  physical onset, and from the first hour in which the crisis adds a usual hour: until then there
  is less of it than of everything else.
- The oracle knows the means that the background was drawn from, needs no confirmation, and tells
  when the last 5, 15, 60 or 180 minutes are too improbable (Poisson) by chance alone: a bound for
  whoever has to learn them.
- Few speak: the same at some mentions a day, by the busiest hour of the crisis.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from pipelines import backtest, baseline, burst, outlook, series as counted
from pipelines.series import Floats, Series

PARIS = ZoneInfo("Europe/Paris")
ENTERS = (1.6, 1.65, 1.7, 1.75, 1.8, 1.85, 1.9, 1.95, 2.0)
RATES = (10, 20, 100, 500)  # mentions an hour
TIMES = 4.0  # usual hours: how high the busiest hour of an injected crisis is
MOMENTS = 18  # of a step
EACH = 3  # moments of each crisis that happened
FEW = (10, 30)  # mentions a day
BUSIEST = (5, 10, 20)  # mentions in the busiest hour of a crisis where few speak
SCHEDULED = ("04-10", "04-11", "04-20", "04-21")
LEARNT_DAYS = 3
A_DAY = 288
ORACLE_RATE = 0.05  # false alarms a day of who knows the means
ORACLE_DRAWS = 20
ORACLE_STEPS = (1, 3, 12, 36)


@contextmanager
def entering_at(enter: float) -> Iterator[None]:
    before, burst.ENTER = burst.ENTER, enter
    try:
        yield
    finally:
        burst.ENTER = before


# --- Numenta


def scored(scorer: Any, data: Path, names: Sequence[str], alarms: Mapping[str, Any]) -> Any:
    """The scorer's totals for some series, and how many labelled peaks were told within 2 hours."""
    windows, labels = (scorer.by_base(data / f"{part}.json") for part in ("windows", "labels"))
    parts, peaks = [], np.zeros(2, dtype=int)
    for name, times in scorer.load_series(data / "series").items():
        if name in names:
            flags = np.zeros(len(times), dtype=bool)
            flags[list(alarms[name])] = True
            joined = scorer.to_alarms(flags, times, 60)
            parts.append(scorer.score_one(times, joined, windows[name], labels=labels[name]))
            peaks += scorer.peaks_hit(times, flags, labels[name])
    return scorer.total(parts), peaks


def line(name: str, total: Mapping[str, Any], peaks: Any) -> str:
    return (
        f"{name:34}{total['nab']:7.1f}{total['hit']:5d}/{total['windows']:<3d}"
        f"{total['precision']:6.2f}{total['fp']:5d}{total['fa_per_day']:8.3f}{peaks[0]:5d}/{peaks[1]}"
    )


def numenta(scorer: Any, data: Path) -> None:
    read = {p.name: counted.read(p) for p in sorted((data / "series").glob("*.csv"))}
    found = {}
    for enter in sorted({*ENTERS, burst.ENTER}):
        with entering_at(enter):
            found[enter] = {
                name: backtest.replay(each, zone=PARIS).alarms for name, each in read.items()
            }
    print(f"\n{'Numenta, five series, alarms':34}    NAB  windows  prec   FA  FA/day  peaks")
    for enter, alarms in found.items():
        mark = "  <- in use" if enter == burst.ENTER else ""
        print(line(f"enter {enter}{mark}", *scored(scorer, data, list(read), alarms)))
    for name in read:
        print(line(f"  {name}", *scored(scorer, data, [name], found[burst.ENTER])))
    left_out(scorer, data, list(read), found)
    for row in json.loads((data / "reference_scores.json").read_text(encoding="utf-8")):
        print(
            f"{row['det'][:34]:34}{row['alarm']:7.1f}{row['hit']:>9}{row['prec'] or 0:6.2f}"
            f"{row['fp']:5d}{row['fad']:8.3f}{row['peaks']:>8}"
        )


def left_out(scorer: Any, data: Path, names: list[str], found: Mapping[float, Any]) -> None:
    """Each series by the threshold that the four others would have chosen."""
    chosen: dict[str, Any] = {}
    for name in names:
        others = [other for other in names if other != name]
        best = max(found, key=lambda e: scored(scorer, data, others, found[e])[0]["nab"])
        print(f"  without {name}: {best}")
        chosen[name] = found[best][name]
    print(line("leave one out", *scored(scorer, data, names, chosen)))


# --- France


def french(replay: Path) -> Series:
    """The French stream of 2022 in steps of five minutes, as its file has it, zeros included."""
    rows = duckdb.execute(
        "select minute, n from read_parquet($path) order by minute",
        {"path": str(replay / "fr_politics_2022_1min.parquet")},
    ).fetchall()
    start = rows[0][0].replace(tzinfo=UTC)
    last = int((rows[-1][0].replace(tzinfo=UTC) - start) / timedelta(minutes=1))
    minutes = np.zeros(last + 1)
    for at, count in rows:
        minutes[int((at.replace(tzinfo=UTC) - start) / timedelta(minutes=1))] = count
    whole = len(minutes) // 5 * 5
    return Series(start=start, minutes=5, values=minutes[:whole].reshape(-1, 5).sum(axis=1))


def elections(replay: Path) -> None:
    found = backtest.replay(french(replay), zone=PARIS)
    low = backtest.per_day(len(found.alarms), found.days)
    print(f"\nFrench stream, whole: {len(found.alarms)} alarms, {low[0]:.3f} a day")
    for at in found.times:
        print(f"  {at:%d %b %H:%M} UTC")


def crises(replay: Path) -> dict[str, Floats]:
    """The first day of every crisis whose onset is known, in steps of five minutes from it on."""
    events = json.loads((replay / "crisislex_t26_events.json").read_text(encoding="utf-8"))
    shapes = {}
    for name, event in events.items():
        if event["onset_utc"]:
            onset = event["onset_utc"].replace("Z", "+00:00")
            rows = duckdb.execute(
                "select cast(date_diff('minute', $onset, created_at at time zone 'UTC') as integer)"
                " from read_parquet($path) where event = $name"
                " and created_at at time zone 'UTC' >= $onset",
                {
                    "path": str(replay / "crisislex_t26.parquet"),
                    "onset": datetime.fromisoformat(onset),
                    "name": name,
                },
            ).fetchall()
            steps = np.array([minute // 5 for (minute,) in rows if 0 <= minute < 1440])
            shapes[name] = np.bincount(steps, minlength=A_DAY)[:A_DAY].astype(float)
    return shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """The French stream thinned to `rate` mentions an hour, the means it was drawn from, alone."""

    rate: float
    thin: Series
    mean: Floats
    alone: tuple[int, ...]
    days: float  # of `alone` after the first three
    oracle: float  # the score from which who knows the means tells, with `ORACLE_RATE`

    @property
    def false_rate(self) -> float:
        """Alarms a day outside the scheduled bursts."""
        since = self.thin.start + timedelta(days=LEARNT_DAYS)
        told = [self.thin.told_at(step) for step in self.alone]
        return sum(at >= since and not _is_scheduled(at) for at in told) / self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Minutes from the onset of a crisis: to its being noticeable, to the oracle, to the alarm."""

    noticeable: float
    oracle: float
    alarm: float


def background(stream: Series, rate: float, dice: np.random.Generator) -> Background:
    mean = stream.values * rate / (float(np.median(stream.values)) * 12)
    share = mean / np.maximum(stream.values, 1)
    thin = replace(stream, values=dice.binomial(stream.values.astype(int), share).astype(float))
    found = backtest.replay(thin, zone=PARIS)
    return Background(
        rate=rate,
        thin=thin,
        mean=mean,
        alone=found.alarms,
        days=found.days - LEARNT_DAYS - len(SCHEDULED),
        oracle=_oracle(mean, dice),
    )


def _oracle(mean: Floats, dice: np.random.Generator) -> float:
    """The score that an hour of chance alone reaches `ORACLE_RATE` times a day."""
    whole = len(mean) // 12 * 12
    draws = [_surprise(dice.poisson(mean).astype(float), mean) for _ in range(ORACLE_DRAWS)]
    hours = [draw[:whole].reshape(-1, 12).max(axis=1) for draw in draws]
    return float(np.quantile(np.concatenate(hours), 1 - ORACLE_RATE / 24))


def _surprise(values: Floats, mean: Floats) -> Floats:
    """-log10 of the Poisson chance of the likeliest of the windows that end with each step."""
    scores = []
    for width in ORACLE_STEPS:
        ones = np.ones(width)
        count, of = (np.convolve(each, ones)[: len(mean)] for each in (values, mean))
        scores.append(baseline.tail_score(count, of, of))
    highest: Floats = np.max(scores, axis=0)
    return highest


HEAD = """
{} FA a day    kind  caught    onset     noticeable  oracle, and within 45
""".strip("\n")


def injected(replay: Path, *, quick: bool) -> None:
    stream, found = french(replay), crises(replay)
    flat = {"flat": np.repeat([1.0, 0.0], [72, A_DAY - 72])}
    print("\nminutes from the onset, from where the crisis is noticeable (median, 90 %)")
    print(HEAD.format(f"{'crises':17}"))
    for rate in RATES:
        of = background(stream, rate, np.random.default_rng(rate))
        name = f"  {rate:4d} an hour {of.false_rate:12.3f}"
        _print_told(f"{name}    step", inject(of, flat, 6 if quick else MOMENTS, TIMES))
        _print_told(f"{name}   shape", inject(of, found, 1 if quick else EACH, TIMES))
        _print_told(f"{name}   as is", inject(of, found, 1 if quick else EACH, None))


def few(replay: Path, *, quick: bool) -> None:
    """Where few speak: by how many mentions the busiest hour of the crisis holds."""
    stream, found = french(replay), crises(replay)
    print(HEAD.format(f"{'few speak':17}"))
    for daily in FEW:
        dice = np.random.default_rng(daily)
        draws = [background(stream, daily / 24, dice) for _ in range(5 if quick else 20)]
        rate = float(np.mean([of.false_rate for of in draws]))
        for most in BUSIEST:
            told = [t for of in draws[:2] for t in inject(of, found, EACH, most * 24 / daily)]
            _print_told(f"  {daily:4d} a day  {rate:13.3f}{most:5d}/h  ", told)


def _print_told(name: str, told: Sequence[Told]) -> None:
    caught = [each for each in told if each.alarm < 1440]
    onset = [each.alarm for each in caught] or [math.nan]
    since = [max(each.alarm - each.noticeable, 0) for each in caught] or [math.nan]
    least = np.array([each.oracle for each in told])
    print(
        f"{name}{len(caught):5d}/{len(told):<3d}"
        f"{np.median(onset):6.0f}{np.quantile(onset, 0.9):6.0f}"
        f"{np.median(since):8.0f}{np.quantile(since, 0.9):6.0f}"
        f"{np.median(least):8.0f}{(least <= 45).sum():5d}"
    )


def _is_scheduled(at: datetime) -> bool:
    """The two nights of results and debates, which are bursts and not false alarms."""
    return at.strftime("%m-%d") in SCHEDULED


def inject(
    of: Background, shapes: Mapping[str, Floats], times: int, height: float | None
) -> list[Told]:
    """Each crisis at so many moments: its busiest hour `height` usual ones, or as it was."""
    dice = np.random.default_rng(round(of.rate) + 7)
    told = []
    for shape in shapes.values():
        scale = height * of.rate / np.convolve(shape, np.ones(12)).max() if height else None
        for _ in range(times):
            first = _moment(of.thin, dice)
            told.append(_told(of, first, shape if scale is None else dice.poisson(shape * scale)))
    return told


def _told(of: Background, first: int, more: Floats) -> Told:
    """One crisis added from the step `first` on; what the series alone tells is not counted."""
    until = first + A_DAY
    values = of.thin.values[:until].copy()
    values[first:] += more
    found = backtest.replay(replace(of.thin, values=values), zone=PARIS).alarms
    alarm = next((s for s in found if s >= first and s not in of.alone), until)
    high = _surprise(values, of.mean[:until])[first:] >= of.oracle
    hour = np.convolve(more, np.ones(12))[:A_DAY] >= of.rate
    return Told(
        noticeable=5.0 * (int(np.argmax(hour)) + 1 if hour.any() else A_DAY),
        oracle=5.0 * (int(np.argmax(high)) + 1 if high.any() else A_DAY),
        alarm=5.0 * (alarm - first + 1) if alarm < until else 1440.0,
    )


def _moment(thin: Series, dice: np.random.Generator) -> int:
    """A step at any hour, after six days, with no scheduled burst in the day that follows."""
    midnight = (24 * 60 - thin.start.hour * 60 - thin.start.minute) // 5
    days = (len(thin.values) - midnight) // A_DAY - 1
    while True:
        first = midnight + int(dice.integers(5, days)) * A_DAY + int(dice.integers(0, A_DAY))
        ends = (first, first + A_DAY)
        if not any(_is_scheduled(thin.begins_at(step)) for step in ends):
            return first


def airlines(replay: Path) -> None:
    """The week of three brands, whose streams begin when the collector did."""
    print("\nairlines, 17 to 24 Feb 2015")
    for brand in ("American", "Southwest", "United"):
        rows = duckdb.execute(
            "select cast(epoch(created_at) as bigint) // 300 as step, count(*)"
            " from read_parquet($path) where brand = $brand"
            " group by step order by step",
            {"path": str(replay / "airline_feb2015.parquet"), "brand": brand},
        ).fetchall()
        first = rows[0][0]
        values = np.zeros(rows[-1][0] - first + 1)
        for step, count in rows:
            values[step - first] = count
        start = datetime.fromtimestamp(300 * first, UTC)
        clock = ZoneInfo("America/New_York")
        found = backtest.replay(Series(start=start, minutes=5, values=values), zone=clock)
        told = ", ".join(f"{at:%d %b %H:%M}" for at in found.times)
        print(f"  {brand:10} {values.sum():5.0f} mentions, alarms: {told or 'none'}")


# --- forecasts


def thinned_forecasts(stream: Series) -> None:
    """The French stream of 18 days, thinned, from its second week on."""
    usual = float(np.median(stream.values)) * 12
    for rate in (*RATES, 10 / 24):
        dice = np.random.default_rng(3)
        values = dice.binomial(stream.values.astype(int), rate / usual).astype(float)
        name = f"French stream, {rate:.3g} an hour"
        forecasts(name, replace(stream, values=values), since=outlook.LEAST_DAYS)


def forecasts(name: str, found: Series, *, since: int = outlook.WEEKDAY_DAYS) -> None:
    """How many days and weeks fell into the band of 80 % that was told before."""
    history = counted.by_day(found, PARIS)
    first, totals = min(history), [history[day] for day in sorted(history)]
    for days in (1, 7):
        inside = asked = 0
        for n in range(since, len(totals) - days + 1):
            band = outlook.expected(history, on=first + timedelta(n), days=days)
            if band is not None:
                asked += 1
                inside += band.low <= sum(totals[n : n + days]) <= band.high
        if asked:
            print(f"  {name:28}{days} d: {inside} of {asked} within the band of 80 %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.scorer:
        spec = importlib.util.spec_from_file_location("scorer", given.scorer)
        assert spec is not None
        assert spec.loader is not None
        scorer = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(scorer)
        numenta(scorer, given.data / "burst")
    elections(given.data / "replay")
    injected(given.data / "replay", quick=given.quick)
    few(given.data / "replay", quick=given.quick)
    airlines(given.data / "replay")
    print("\nforecasts")
    for path in sorted((given.data / "burst" / "series").glob("*.csv")):
        forecasts(path.stem, counted.read(path))
    thinned_forecasts(french(given.data / "replay"))


if __name__ == "__main__":
    main()
