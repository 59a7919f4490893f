"""`vigie backtest`: what it reads, what it refuses, and what it tells of a series."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines import backtest, cli, series as counted
from pipelines.errors import VigieError
from pipelines.series import Floats, Series

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 9, 1, tzinfo=UTC)
A_DAY = 288
BURST = 10 * A_DAY + 144


def town(days: int = 12, *, a_step: float = 5.0, times: float = 8.0, seed: int = 1) -> Floats:
    """Counts of five minutes with a night, and two hours of a burst at noon of the eleventh day."""
    step = np.arange(days * A_DAY)
    rate = a_step * (1 + 0.8 * np.sin(2 * np.pi * (step - 72) / A_DAY))
    rate[BURST : BURST + 24] *= times
    return np.random.default_rng(seed).poisson(rate).astype(float)


def as_csv(values: Floats, *, minutes: int = 5, offset: str = "") -> str:
    rows = (
        f"{START + timedelta(minutes=minutes * step):%Y-%m-%dT%H:%M:%S}{offset},{value:g}"
        for step, value in enumerate(values)
    )
    return "\n".join(["timestamp,value", *rows]) + "\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "town.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_burst_is_one_row_of_the_file_that_is_written(tmp_path: Path) -> None:
    series, out = written(tmp_path, as_csv(town())), tmp_path / "alarms.csv"
    marks = tmp_path / "marks.csv"
    marks.write_text(f"timestamp\n{START + timedelta(minutes=5 * BURST):%Y-%m-%dT%H:%M}\n")
    given = ["backtest", "--series", str(series), "--out", str(out), "--labels", str(marks)]
    french = CliRunner().invoke(cli.app, given)
    assert "moments marqués signalés dans la journée : 1 sur 1" in french.output.replace(
        "\u00a0", " "
    )
    told = CliRunner().invoke(cli.app, [*given, "--locale", "en"])
    assert told.exit_code == 0, told.output
    assert "1 of 1 marked moments told" in told.output
    assert "24 hours: " in told.output
    head, *rows = out.read_text(encoding="utf-8").splitlines()
    assert head == "timestamp"
    delays = [datetime.fromisoformat(row).replace(tzinfo=UTC) - START for row in rows]
    assert any(0 <= delay / timedelta(minutes=5) - BURST <= 6 for delay in delays)


def test_rows_of_a_minute_are_added_up_to_five(tmp_path: Path) -> None:
    found = counted.read(written(tmp_path, as_csv(np.arange(13.0), minutes=1)))
    assert found.minutes == 5
    assert found.values.tolist() == [10, 35]
    assert found.told_at(0) == START + timedelta(minutes=4)


def test_rows_of_an_hour_stay_hours_and_offsets_count(tmp_path: Path) -> None:
    found = counted.read(written(tmp_path, as_csv(np.arange(3.0), minutes=60, offset="+02:00")))
    assert (found.minutes, found.start) == (60, START - timedelta(hours=2))
    assert not found.is_plain


def test_rows_that_are_missing_are_unknown_and_not_zero(tmp_path: Path) -> None:
    lines = as_csv(np.ones(10)).splitlines()
    found = counted.read(written(tmp_path, "\n".join([*lines[:4], *lines[6:]])))
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: the columns are none: name them timestamp,value"),
        ("when,count\n", "line 1: the columns are when, count: name them"),
        ("timestamp,value\n", "no row below its header"),
        ("timestamp,value\n2026-10-01T00:00,1\n", "has 1 row"),
        ("timestamp,value\n2026-10-01T00:00,1\n01/10/2026 00:05,1\n", "line 3: timestamp '01/10"),
        ("timestamp,value\n2026-10-01T00:00,1\n2026-10-01T00:05,many\n", "line 3: value 'many'"),
        ("timestamp,value\n2026-10-01T00:00,1\n2026-10-01T00:05,-4\n", "line 3: value '-4'"),
        ("timestamp,value\n2026-10-01T00:00,1\n2026-10-01T00:00,1\n", "line 3: .* twice"),
        ("timestamp,value\n2026-10-01T01:00,1\n2026-10-01T00:00,1\n", "line 3: .* comes after"),
        ("timestamp,value\n2026-10-01T00:00,1\n2026-10-02T00:00,1\n", "1440 minutes apart"),
        ("timestamp,value\n1026-10-01T00:00,1\n2026-10-02T00:00,1\n", "apart|ten years"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(VigieError, match=told):
        counted.read(written(tmp_path, text))


def test_a_zone_that_is_none_is_named(tmp_path: Path) -> None:
    series = written(tmp_path, as_csv(town(2)))
    given = ["backtest", "--series", str(series), "--out", str(tmp_path / "o"), "--zone", "Mars/X"]
    found = CliRunner().invoke(cli.app, given)
    assert isinstance(found.exception, VigieError)


def test_a_start_leaves_out_what_was_before_and_learns_from_it() -> None:
    series = Series(start=START, minutes=5, values=town())
    whole = backtest.replay(series, zone=PARIS)
    later = backtest.replay(series, zone=PARIS, start=START + timedelta(days=11))
    assert set(later.alarms) < set(whole.alarms)
    assert later.days == pytest.approx(1)


def test_the_interval_of_a_rate_is_the_published_one() -> None:
    # Garwood (1936): none in 10 days is below 0.3689 a day, five are between 0.1623 and 1.1668.
    assert backtest.per_day(0, 10)[2] == pytest.approx(0.3689, abs=1e-4)
    assert backtest.per_day(5, 10)[1:] == pytest.approx((0.1623, 1.1668), abs=1e-4)


def test_what_is_added_later_changes_no_alarm_of_before() -> None:
    dice = np.random.default_rng(7)
    values = np.concatenate([town(12, seed=3), town(12, seed=4) * 2, town(6, seed=5)])
    values[5000:5040] = 0.0
    values[5040] = 400.0
    values[6000:6030] = np.nan
    whole = backtest.replay(Series(start=START, minutes=5, values=values), zone=PARIS)
    assert whole.alarms
    for length in (*dice.integers(400, len(values), 6), 10 * A_DAY + 150, 5020, 5041, 6010):
        part = Series(start=START, minutes=5, values=values[:length])
        before = tuple(step for step in whole.alarms if step < length)
        assert backtest.replay(part, zone=PARIS).alarms == before


def test_the_whole_evaluator_is_given_a_growing_file_and_repeats_itself(tmp_path: Path) -> None:
    lines = as_csv(town(12), minutes=5).splitlines()
    whole = backtest.replay(counted.read(written(tmp_path, "\n".join(lines))), zone=PARIS).times
    cut = written(tmp_path, "\n".join(lines[: 10 * A_DAY + 153]))
    part = backtest.replay(counted.read(cut), zone=PARIS)
    last = part.series.told_at(len(part.series.values) - 1)
    assert part.times == tuple(at for at in whole if at <= last)
    assert part.times


def test_the_report_shows_the_curve_and_every_alarm_and_fetches_nothing(tmp_path: Path) -> None:
    series, page = written(tmp_path, as_csv(town())), tmp_path / "page.html"
    given = ["backtest", "--series", str(series), "--out", str(tmp_path / "a"), "--report"]
    told = CliRunner().invoke(cli.app, [*given, str(page), "--locale", "en"])
    assert told.exit_code == 0, told.output
    assert "<th>expected</th>" in page.read_text(encoding="utf-8")
    told = CliRunner().invoke(cli.app, [*given, str(page)])
    assert told.exit_code == 0, told.output
    assert '<html lang="fr">' in page.read_text(encoding="utf-8")
    assert "<th>attendu</th>" in page.read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    rows = (tmp_path / "a").read_text(encoding="utf-8").splitlines()[1:]
    assert rows
    assert text.count("<svg") == 1 + len(rows)
    assert text.count("<tr>") == 1 + len(rows)
    assert "<script" not in text
    assert "src=" not in text


def test_the_days_of_a_series_are_those_of_the_clock_and_whole() -> None:
    begin = datetime(2026, 10, 23, 10, tzinfo=UTC)
    found = counted.by_day(Series(start=begin, minutes=60, values=np.ones(24 * 4)), PARIS)
    assert {f"{day:%d}": count for day, count in found.items()} == {"24": 24, "25": 25, "26": 24}


@pytest.mark.slow
def test_a_year_of_five_minutes_takes_seconds(tmp_path: Path) -> None:
    values = np.tile(town(20), 19)[: 365 * A_DAY]
    began = time.process_time()
    backtest.replay(counted.read(written(tmp_path, as_csv(values))), zone=PARIS)
    assert time.process_time() - began < 20
