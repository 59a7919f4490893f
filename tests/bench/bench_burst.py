"""How soon bursts are told and how often for nothing, on real series that stand elsewhere.

    python -m tests.bench.bench_burst DATA [--scorer nab_score.py] [--quick]

DATA holds `burst/` (`series/*.csv`, `windows.json`, `labels.json`, `reference_scores.json`) and
`replay/` (`fr_politics_2022_1min.parquet`, `crisislex_t26.parquet` with its events,
`airline_feb2015.parquet`); their README files say where they come from and under which licences.
Nothing of them is in this repository.

- Numenta's series are scored by the scorer given (alarms of 60 minutes), with every threshold left
  out in turn: chosen on four series, scored on the fifth.
- Crises: the French stream of 2022, thinned to so many mentions an hour. To it is added, by day
  and outside the two nights of results and debate, a crisis: `step`, `TIMES` usual hours more from
  one moment on for six hours; `real`, the first day of a crisis of CrisisLexT26, its busiest hour
  as high. The delay counts from the first hour in which it adds a usual hour: until then there is
  less of it than of everything else.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from pipelines import backtest, burst, outlook, series as counted
from pipelines.series import Floats, Series

PARIS = ZoneInfo("Europe/Paris")
ENTERS = (1.6, 1.65, 1.7, 1.75, 1.8, 1.85, 1.9, 1.95, 2.0)
RATES = (10, 20, 100, 500)  # mentions an hour
TIMES = 4.0  # usual hours: how high the busiest hour of an injected crisis is
MOMENTS = 18
A_DAY = 288


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


def crises(replay: Path) -> list[Floats]:
    """The first day of every crisis whose onset is known, in steps of five minutes."""
    events = json.loads((replay / "crisislex_t26_events.json").read_text(encoding="utf-8"))
    shapes = []
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
            shapes.append(np.bincount(steps, minlength=A_DAY)[:A_DAY].astype(float))
    return shapes


def injected(replay: Path, *, quick: bool) -> None:
    stream = french(replay)
    kinds = {"step": [np.repeat([1.0, 0.0], [72, A_DAY - 72])], "real": crises(replay)}
    usual = float(np.median(stream.values)) * 12
    print(
        f"\ncrises at {TIMES:g} usual hours         FA a day  kind  caught   median  90 %  minutes"
    )
    for rate in RATES:
        dice = np.random.default_rng(rate)
        thin = replace(
            stream, values=dice.binomial(stream.values.astype(int), rate / usual).astype(float)
        )
        alone = backtest.replay(thin, zone=PARIS, start=stream.start + timedelta(days=3))
        false = [s for s in alone.alarms if not _is_scheduled(thin.told_at(s))]
        for kind, shapes in kinds.items():
            moments = MOMENTS // 3 if quick else MOMENTS
            told, asked = _delays(thin, shapes, rate, dice, moments)
            print(
                f"  {rate:4d} mentions an hour {backtest.per_day(len(false), alone.days)[0]:15.3f}"
                f"{kind:>6}{len(told):5d}/{asked:<3d}"
                f"{np.median(told):8.0f}{np.quantile(told, 0.9):6.0f}"
            )


def _is_scheduled(at: datetime) -> bool:
    """The two nights of results and debates, which are bursts and not false alarms."""
    return at.strftime("%m-%d") in ("04-10", "04-11", "04-20", "04-21")


def _delays(
    thin: Series,
    shapes: Sequence[Floats],
    rate: int,
    dice: np.random.Generator,
    moments: int,
) -> tuple[list[float], int]:
    """Minutes to the first alarm of those crises that were told within a day, and how many."""
    delays: list[float] = []
    for number in range(moments):
        shape = shapes[number % len(shapes)]
        peak = np.convolve(shape, np.ones(12)).max()
        first = _moment(thin, dice)
        values = thin.values.copy()
        more = dice.poisson(shape * TIMES * rate / peak)
        values[first : first + A_DAY] += more
        onset = first + int(np.argmax(np.convolve(more, np.ones(12))[:A_DAY] >= rate))
        cut = replace(thin, values=values[: onset + A_DAY])
        found = backtest.replay(cut, zone=PARIS).alarms
        told = next((s for s in found if s >= first), None)
        if told is not None:
            delays.append(max(5.0 * (told - onset + 1), 0.0))
    return delays, moments


def _moment(thin: Series, dice: np.random.Generator) -> int:
    """A step between 6:00 and 21:00 (UTC), after six days, on a day that is no scheduled burst."""
    midnight = (24 * 60 - thin.start.hour * 60 - thin.start.minute) // 5
    days = (len(thin.values) - midnight) // A_DAY - 1
    while True:
        first = midnight + int(dice.integers(5, days)) * A_DAY + int(dice.integers(72, 252))
        if not _is_scheduled(thin.begins_at(first)):
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


def forecasts(name: str, found: Series) -> None:
    """How many days and weeks fell into the band of 80 % that was told before."""
    history = counted.by_day(found, PARIS)
    first, totals = min(history), [history[day] for day in sorted(history)]
    for days in (1, 7):
        inside = asked = 0
        for n in range(outlook.WEEKDAY_DAYS, len(totals) - days + 1):
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
    airlines(given.data / "replay")
    print("\nforecasts")
    for path in sorted((given.data / "burst" / "series").glob("*.csv")):
        forecasts(path.stem, counted.read(path))
    forecasts("French stream", french(given.data / "replay"))


if __name__ == "__main__":
    main()
