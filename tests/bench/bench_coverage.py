"""What coverage costs as history grows: one run's share of the load, and one reading of a day.

    python -m tests.bench.bench_coverage

Ten sources read every five minutes; 4,000 mentions a day, each heard by one source, kept for half
a year; the rest of history is windows and hours. Processor time of all threads.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from pipelines import coverage, gaps, run, warehouse

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SOURCES = 10
KEPT_DAYS = 183
TRIES = 5  # the best of them counts
_WINDOWS = """
    insert into intake
    select strftime(until_at, '%Y%m%dT%H%M%SZ'), 's' || source, 'x', until_at - interval 5 minute,
        until_at, 'ok', 1, 1, 1, 0, 0, 0, 0, false, null, null, null, until_at, until_at
    from (
        select unnest(generate_series($since, $until, interval 5 minute)) as until_at
    ) cross join range($sources) as sources(source)
    order by until_at
"""
_HOURS = """
    insert into source_hour
    select 's' || source, 'x', hour_at, 3600, 3600, 0, 0, 12, 0, 0, 0, 17, 17, 17, 180, 290
    from (
        select unnest(generate_series($since, $until, interval 1 hour)) as hour_at
    ) cross join range($sources) as sources(source)
    order by hour_at
"""
_HEARD = """
    insert into heard
    select md5(n::varchar), 's' || (n % $sources), $until - to_seconds(n * 86400 / 4000),
        $until - to_seconds(n * 86400 / 4000) + interval 3 minute, true, true
    from range($days * 4000) as posts(n)
    order by n desc
"""


def _filled(connection: warehouse.Connection, days: int) -> None:
    span = {"since": NOW - timedelta(days=days), "until": NOW, "sources": SOURCES}
    warehouse.migrate(connection)
    connection.execute("insert into institution values ('v', 'V', 'Europe/Paris', 'fr')")
    connection.execute(
        "insert into source_block select 's' || n, 'x', 5, 180 from range(?) as sources(n)",
        [SOURCES],
    )
    connection.execute(
        "insert into source_start select source_name, $since, $since from source_block",
        {"since": span["since"]},
    )
    for text in (_WINDOWS, _HOURS):
        connection.execute(text, span)
    kept = {"until": NOW, "sources": SOURCES, "days": min(days, KEPT_DAYS)}
    connection.execute(_HEARD, kept)
    warehouse.create_views(connection)


def _register(connection: warehouse.Connection) -> None:
    """The windows of one more run, as the load writes them before it records gaps and hours."""
    until = NOW + timedelta(minutes=5)
    connection.execute(
        "insert into intake select $run, source_name, 'x', $since, $until, 'ok', 1, 1, 1, 0, 0, 0,"
        " 0, false, null, null, null, $until, $until from source_block",
        {"run": run.run_id(until), "since": NOW, "until": until},
    )


def _record(connection: warehouse.Connection) -> float:
    """The seconds of processor that a run of all sources adds to its load."""
    until = NOW + timedelta(minutes=5)
    readings = [
        gaps.Reading(
            run_id=run.run_id(until),
            source_name=f"s{n}",
            since_at=NOW,
            until_at=until,
            status="ok",
            finished_at=until,
        )
        for n in range(SOURCES)
    ]
    gaps.begin(connection)
    started = time.process_time()
    gaps.record(connection, readings, loaded_at=until)
    return time.process_time() - started


def _away(connection: warehouse.Connection) -> float:
    """The same for one source that has failed as long as there is history."""
    since = connection.execute("select min(since_at) from intake").fetchone()
    assert since
    until = NOW + timedelta(minutes=5)
    reading = gaps.Reading(
        run_id=f"away-{run.run_id(until)}",
        source_name="s0",
        since_at=since[0],
        until_at=until,
        status="failed",
        finished_at=until,
    )
    gaps.begin(connection)
    started = time.process_time()
    gaps.record(connection, [reading], loaded_at=until)
    return time.process_time() - started


def _between(connection: warehouse.Connection) -> float:
    started = time.process_time()
    coverage.between(
        connection,
        since=NOW - timedelta(days=1),
        until=NOW,
        as_of=NOW,
        zone=ZoneInfo("Europe/Paris"),
    )
    return time.process_time() - started


def _view(connection: warehouse.Connection) -> float:
    started = time.process_time()
    rows = connection.execute("from coverage where hour_at >= ?", [NOW - timedelta(days=1)])
    assert rows.fetchall()
    return time.process_time() - started


def _away_cost(connection: warehouse.Connection) -> float:
    connection.execute("update intake set status = 'failed' where source_name = 's0'")
    return min(_away(connection) for _ in range(TRIES))


def main() -> None:
    """Print the cost after a month, a year and three."""
    print(
        "| History | windows | added to a load | a day read | the view, 24 h | one away so long |"
    )
    print("|---|---|---|---|---|---|")
    for days in (30, 365, 1095):
        with TemporaryDirectory() as folder, warehouse.opened(Path(folder)) as connection:
            _filled(connection, days)
            _register(connection)
            record, between, view = (
                min(cost(connection) for _ in range(TRIES)) for cost in (_record, _between, _view)
            )
            windows = days * 288 * SOURCES
            print(
                f"| {days} days | {windows:,} | {record * 1000:.0f} ms | {between * 1000:.0f} ms |"
                f" {view * 1000:.0f} ms | {_away_cost(connection) * 1000:.0f} ms |"
            )


if __name__ == "__main__":
    main()
