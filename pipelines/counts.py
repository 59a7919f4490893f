"""Counts mentions by hour and by local day again, for the moments that a change has touched.

Who changes mentions calls `begin`, notes each touched publication time in the temporary table
`touched_moment`, and calls `refresh`, all in one transaction. Days whose mentions have begun to
expire are frozen (table `frozen_day`) and keep their counts.

Cost: the touched days are read whole, everything else is skipped.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pipelines import warehouse

SPAN_DAYS = 31  # local days counted in one statement
SPAN_LIMIT = 40  # more spans than this are joined across gaps; each costs about 10 ms

Span = tuple[datetime, datetime]


def begin(connection: warehouse.Connection) -> None:
    """Make the empty table `touched_moment`, one row per touched `published_at`."""
    connection.execute("create or replace temp table touched_moment (published_at timestamptz)")


def refresh(connection: warehouse.Connection) -> None:
    """Count the touched hours and days again, a span of days at a time; `hourly` and `daily`."""
    zone = local_zone(connection)
    warehouse.run(connection, "writes/touched_day", {"zone": zone})
    rows = connection.execute("select since_at, until_at from touched_day order by since_at")
    for since, until in _spans(rows.fetchall()):
        span = {"since": since, "until": until, "zone": zone}
        warehouse.run(connection, "writes/refresh_hourly", span)
        warehouse.run(connection, "writes/refresh_daily", span)
    for name in ("touched_moment", "touched_hour", "touched_day", "fresh_hourly", "fresh_daily"):
        connection.execute(f"drop table if exists temp.{name}")


def local_zone(connection: warehouse.Connection) -> str:
    """The zone of the institution's days, as `prepare` wrote it down."""
    row = connection.execute("select any_value(time_zone) from institution").fetchone()
    return (row and row[0]) or "Europe/Paris"


def _spans(days: list[Span]) -> list[Span]:
    """Touched days as few spans of at most SPAN_DAYS: neighbours joined, or all near each other.

    A reading of a span skips every other day, so far-off days are better read apart, unless
    there are many of them.
    """
    spans = _joined(days, gap=timedelta(0))
    return spans if len(spans) <= SPAN_LIMIT else _joined(days, gap=timedelta(days=SPAN_DAYS))


def _joined(days: list[Span], *, gap: timedelta) -> list[Span]:
    spans: list[Span] = []
    for since, until in days:
        longest = timedelta(days=SPAN_DAYS)
        if spans and since - spans[-1][1] <= gap and until - spans[-1][0] <= longest:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((since, until))
    return spans
