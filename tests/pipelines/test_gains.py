"""What is gained by what is said: spread over the time between looks, compared with its usual."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipelines import backtest_pulse, detect, gains
from pipelines.alert import ENTER, Alert
from pipelines.mention import MENTION_SCHEMA
from tests.pipelines.watched import AS_OF, Said, append, empty, mention_row

HOUR = timedelta(hours=1)
STEP = timedelta(minutes=5)
PARIS = ZoneInfo("Europe/Paris")


def looked(
    connection: duckdb.DuckDBPyConnection, number: str, at: datetime, likes: dict[timedelta, int]
) -> str:
    """A message of a moment, and how many likes it had at each look after it."""
    row = mention_row(Said(at=at, text=f"Message {number}"), number)
    append(connection, "mention", pa.Table.from_pylist([row], schema=MENTION_SCHEMA))
    key = str(row["mention_id"])
    for after, count in likes.items():
        connection.execute(
            "insert into mention_metric values ($id, $at, $seen, $likes, 0, 0, 0, 0)",
            {"id": key, "at": at, "seen": at + after, "likes": count},
        )
    return key


def ordinary(connection: duckdb.DuckDBPyConnection, days: int = 28) -> None:
    """Four messages a day that gain a dozen likes each, within two hours."""
    dice = np.random.default_rng(3)
    for number in range(days * 4):
        at = AS_OF - timedelta(hours=6 * number + 7 + float(dice.random()))
        likes = int(dice.poisson(12))
        looked(connection, f"o{number}", at, {timedelta(minutes=15): likes // 3, 2 * HOUR: likes})


def said(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = gains.signals(connection, as_of=AS_OF).to_pylist()
    return rows


def told(connection: duckdb.DuckDBPyConnection) -> list[Alert]:
    with detect.read(connection, as_of=AS_OF, zone=PARIS):
        return detect.evaluate(connection, "engagement_surge", as_of=AS_OF)


def test_what_was_gained_between_two_looks_is_spread_over_the_time_between() -> None:
    connection = empty()
    looked(connection, "a", AS_OF - 9 * HOUR, {HOUR: 10, 9 * HOUR: 810})
    assert [round(row["gained_count"]) for row in said(connection)] == [100]


def test_one_message_passed_on_far_more_than_usual_is_told_and_named() -> None:
    connection = empty()
    ordinary(connection)
    viral = looked(connection, "v", AS_OF - 2 * HOUR, {HOUR: 20, 2 * HOUR: 400})
    (alert,) = told(connection)
    assert alert.level >= ENTER
    assert (alert.subject_id, alert.observed, alert.message_ids) == ("eau", 380, (viral,))
    assert alert.share == pytest.approx(1.0)


def test_an_ordinary_hour_is_not_told() -> None:
    connection = empty()
    ordinary(connection)
    looked(connection, "n", AS_OF - 2 * HOUR, {HOUR: 4, 2 * HOUR: 44})
    assert [alert for alert in told(connection) if alert.level >= ENTER] == []


def test_a_day_is_told_hour_by_hour_beside_what_such_hours_bring() -> None:
    connection = empty()
    ordinary(connection)
    looked(connection, "v", AS_OF - 2 * HOUR, {HOUR: 20, 2 * HOUR: 400})
    day = gains.day(connection, "eau", as_of=AS_OF)
    assert day is not None
    assert len(day.gained) == len(day.low) == len(day.high) == 24
    (row,) = said(connection)
    assert day.gained[-1] == pytest.approx(row["gained_count"], rel=0.01)
    assert (day.low[-1], day.high[-1]) == (row["low"], row["high"])
    assert day.gained[-2] == pytest.approx(20, abs=15)
    assert max(day.gained[:-2]) < 40


def test_there_is_no_day_of_what_was_never_gained_or_only_since_yesterday() -> None:
    connection = empty()
    assert gains.day(connection, "eau", as_of=AS_OF) is None
    looked(connection, "v", AS_OF - 2 * HOUR, {HOUR: 20, 2 * HOUR: 400})
    assert gains.day(connection, "eau", as_of=AS_OF) is None


def test_an_old_message_first_seen_now_has_gained_nothing_now() -> None:
    connection = empty()
    looked(connection, "old", AS_OF - timedelta(days=3), {timedelta(days=3): 5000})
    assert said(connection) == []


def test_what_was_counted_later_changes_nothing() -> None:
    connection = empty()
    ordinary(connection)
    looked(connection, "v", AS_OF - 2 * HOUR, {HOUR: 20, 2 * HOUR: 400, 3 * HOUR: 9000})
    assert [round(row["gained_count"]) for row in said(connection)] == [380]


def test_a_subject_of_which_nothing_is_usual_yet_is_warming_up() -> None:
    connection = empty()
    looked(connection, "v", AS_OF - HOUR, {HOUR: 200})
    (row,) = said(connection)
    assert row["is_warming_up"]
    assert row["expected"] is None


def test_a_replay_never_counts_less_than_an_hour_gained() -> None:
    """The pulse of a backtest passes over moments; it must not pass over one that would speak."""
    connection = empty()
    ordinary(connection, days=2)
    looked(connection, "v", AS_OF - 2 * HOUR, {HOUR: 20, 2 * HOUR: 400})
    day = (AS_OF - timedelta(seconds=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    found = backtest_pulse.counted(connection, day, STEP, PARIS).to_pylist()
    most = {r["place"]: r["mention_count"] for r in found if r["scope"] == backtest_pulse.REACTIONS}
    for place in range(288):
        for row in gains.signals(connection, as_of=day + STEP * (place + 1)).to_pylist():
            assert most[place] >= row["gained_count"]
    assert 380 <= max(most.values()) < 500


def _lie_as(connection: duckdb.DuckDBPyConnection, table: str, order: str) -> None:
    """Lay the rows of a table in another order."""
    connection.execute(f"create or replace temp table lying as from {table} order by {order}")
    connection.execute(f"delete from {table}; insert into {table} from lying")  # noqa: S608


@pytest.mark.parametrize("order", ["rowid desc", "hash(rowid)", "hash(rowid, 3)"])
def test_how_rows_lie_in_their_tables_changes_no_digit(order: str) -> None:
    """A run that is killed and run again leaves the same rows, but in another order."""
    connection = empty()
    ordinary(connection)
    for number in range(300):
        ago = timedelta(seconds=1801 + 37 * number)
        looked(connection, f"f{number}", AS_OF - ago, {ago / 3: 1 + number % 7, ago: 3 + number})
    found, hours = said(connection), gains.day(connection, "eau", as_of=AS_OF)
    for table in ("mention", "mention_metric"):
        _lie_as(connection, table, order)
    assert said(connection) == found
    assert gains.day(connection, "eau", as_of=AS_OF) == hours
