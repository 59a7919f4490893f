"""The detector fed from the warehouse: the same levels as a replay, learning, crises, costs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipelines import backtest, detect, learnt, surge
from pipelines.alert import Alert
from pipelines.series import Series
from tests.pipelines.test_burst import A_DAY, rates
from tests.pipelines.watched import AS_OF, Said, crowd, empty, quiet_history, say, settings

PARIS = ZoneInfo("Europe/Paris")
EAU = ("eau", "all")
MIDNIGHT = AS_OF.replace(hour=0, minute=0)


def near(connection: duckdb.DuckDBPyConnection, as_of: datetime = AS_OF) -> surge.Near:
    return surge.near(connection, [EAU], as_of=as_of, zone=PARIS)[EAU]


def lived(days: int, *, a_day: float, burst: int = 0) -> tuple[duckdb.DuckDBPyConnection, Series]:
    """A town heard for some days until `AS_OF`, its last half hour `burst` times as loud."""
    start = MIDNIGHT - timedelta(days=days)
    count = (AS_OF - start) // timedelta(minutes=5)
    rate = rates(days + 1, a_day=a_day, start=start)[:count]
    rate[-6:] *= max(burst, 1)
    values = np.random.default_rng(4).poisson(rate).astype(float)
    connection = empty()
    kept = max(count - 30 * A_DAY, 0)
    steps = [step for step in range(kept, count) for _ in range(int(values[step]))]
    gap = timedelta(minutes=5)
    say(connection, [Said(at=start + gap * (s + 0.4), text=str(n)) for n, s in enumerate(steps)])
    hours = values[: count // 12 * 12].reshape(-1, 12).sum(axis=1)
    rows = [
        {"hour_at": start + timedelta(hours=n), "subject_id": "eau", "scope": "all"}
        | {"mention_count": int(value), "scored_count": 0, "negative_count": 0}
        | {"positive_count": 0, "author_count": 1}
        for n, value in enumerate(hours)
        if value
    ]
    connection.register("fresh", pa.Table.from_pylist(rows))
    connection.execute("insert into hourly by name select * from fresh")
    return connection, Series(start=start, minutes=5, values=values)


@pytest.mark.parametrize("burst", [0, 6])
def test_the_warehouse_and_a_replay_say_the_same(burst: int) -> None:
    connection, series = lived(56, a_day=400, burst=burst)
    wanted = backtest.replay(series, zone=PARIS).levels.level[-1]
    found = near(connection)
    assert found.level == pytest.approx(wanted, abs=1e-6)
    assert (found.level > 1) is (burst > 1)


def test_a_place_where_few_speak_is_judged_by_its_day() -> None:
    connection, series = lived(30, a_day=12)
    found = near(connection)
    assert found.is_small
    levels = backtest.replay(series, zone=PARIS).levels
    assert found.level == pytest.approx(levels.level[-1], rel=0.2, abs=0.05)
    rows = surge.signals(connection, as_of=AS_OF, zone=PARIS).to_pylist()
    assert {row["window_minutes"] for row in rows if row["burst"] is not None} == {1440}


def test_a_sudden_hour_where_few_speak_is_judged_by_its_hour() -> None:
    connection, _ = lived(30, a_day=12, burst=80)
    assert near(connection).is_sudden
    rows = surge.signals(connection, as_of=AS_OF, zone=PARIS).to_pylist()
    assert {row["window_minutes"] for row in rows if row["burst"] is not None} == {60}


def test_a_new_subject_is_warming_up_until_the_detector_knows_it() -> None:
    connection = empty()
    say(connection, crowd(30))
    assert near(connection).level is None
    rows = surge.signals(connection, as_of=AS_OF, zone=PARIS).to_pylist()
    assert rows
    assert all(row["is_warming_up"] for row in rows)


def test_an_empty_warehouse_has_the_same_columns() -> None:
    table = surge.signals(empty(), as_of=AS_OF, zone=PARIS)
    assert table.num_rows == 0
    assert {"burst", "is_flood"} <= set(table.column_names)


def test_nothing_published_later_changes_what_a_moment_says() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(40))
    before = near(connection)
    say(connection, crowd(90, until=AS_OF + timedelta(hours=2), network="bluesky"))
    assert near(connection) == before


def test_a_moment_between_two_steps_is_judged_as_well() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(60))
    found = near(connection, AS_OF + timedelta(minutes=1, seconds=20))
    assert found.level is not None
    assert found.level > 1


@pytest.mark.parametrize("seed", range(6))
def test_what_was_kept_in_the_morning_says_the_same_as_all_of_it(seed: int) -> None:
    """Random towns, with bursts and pauses, at moments of a day: with the table and without."""
    dice = np.random.default_rng(seed)
    connection, _ = lived(
        40, a_day=float(dice.choice([8, 40, 90, 700])), burst=int(dice.choice([1, 8]))
    )
    surge.near(connection, [EAU], as_of=MIDNIGHT + timedelta(minutes=5), zone=PARIS, keeps=True)
    assert connection.execute("select count(*) from burst_day").fetchone() == (1,)
    kept = {
        minutes: surge.near(
            connection, [EAU], as_of=MIDNIGHT + timedelta(minutes=minutes), zone=PARIS, keeps=True
        )
        for minutes in (10, 200, 400, 600, 625)
    }
    connection.execute("delete from burst_day")
    fresh = {
        minutes: surge.near(
            connection, [EAU], as_of=MIDNIGHT + timedelta(minutes=minutes), zone=PARIS
        )
        for minutes in kept
    }
    assert kept == fresh
    assert connection.execute("select count(*) from burst_day").fetchone() == (0,)


def test_a_series_too_quiet_to_be_told_would_not_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen changes no alert: thirty random subjects, with it and looking at every series."""
    dice = np.random.default_rng(11)
    connection = empty()
    for number in range(30):
        subject, rate = f"s{number}", float(dice.choice([0.1, 0.4, 2.0, 8.0]))
        yesterday = AS_OF - timedelta(days=1, minutes=25)
        quiet_history(connection, until=yesterday, subject=subject, rate=rate, seed=number)
        for minutes, mean in ((1465, 24 * rate), (55, dice.choice([1, 3, 8, 16, 40]))):
            count = max(int(dice.poisson(mean)), 1)
            network = f"n{number}-{minutes}"
            say(connection, crowd(count, minutes=minutes, subject=subject, network=network))
    made = settings(Path("unused"))
    screened = by_name(detect.detect(connection, settings=made, as_of=AS_OF))
    monkeypatch.setattr(surge, "_may_burst", lambda rows: {(r["subject_id"], "all") for r in rows})
    assert screened == by_name(detect.detect(connection, settings=made, as_of=AS_OF))
    assert len(screened) > 3


@pytest.mark.parametrize("hours", [3, 20])
@pytest.mark.parametrize("a_day", [12, 480])
def test_an_outage_makes_neither_a_low_baseline_nor_an_alarm(hours: int, a_day: int) -> None:
    """Nothing is read for some hours; what the source still shows then comes at once."""
    connection, _ = lived(40, a_day=a_day)
    since = MIDNIGHT - timedelta(hours=hours)
    for table, column in (("mention", "published_at"), ("hourly", "hour_at")):
        connection.execute(f"delete from {table} where {column} >= $1", [since])  # noqa: S608
    unknown = learnt_rate(connection)
    connection.execute(
        "insert into gap values ('mastodon', $1, $2, 'failed', 'r', $2, null, null)",
        [since, MIDNIGHT],
    )
    told = learnt_rate(connection)
    # Where many speak, the silence itself says that nobody listened.
    assert told > unknown if a_day == 12 else told == pytest.approx(unknown)
    assert near(connection, MIDNIGHT).level == 0
    piled = round(a_day * hours / 24)
    say(connection, crowd(piled, until=MIDNIGHT + timedelta(minutes=5), minutes=4))
    level = near(connection, MIDNIGHT + timedelta(minutes=5)).level
    assert level is not None
    assert level < 1


def by_name(alerts: list[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda a: (a.rule_id, a.subject_id or "", a.scope))


def learnt_rate(connection: duckdb.DuckDBPyConnection) -> float:
    """What is expected of a day, as learnt the midnight after."""
    connection.execute("delete from burst_day")
    at = MIDNIGHT + timedelta(minutes=5)
    surge.near(connection, [EAU], as_of=at, zone=PARIS, keeps=True)
    (packed,) = connection.execute("select kept from burst_day").fetchone() or (b"",)
    connection.execute("delete from burst_day")
    found = learnt.unpack(packed).learnt
    assert found
    return found.day_mean
