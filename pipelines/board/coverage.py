"""Sources and coverage on the board: what each brought, how far it was read, what was not heard."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from pipelines import canaries, coverage as covering, coverage_words, wording
from pipelines.board import drawn
from pipelines.board.drawn import DAYS, Day
from pipelines.board.topics import last_day
from pipelines.board.visit import Answer, Row, Stopped, Visit, as_rows, ledger, published, rows

SPANS = {"1": timedelta(days=1), "7": timedelta(days=7)}
_RECALL = timedelta(days=7)  # a shorter span has too few posts in common


def coverage(visit: Visit) -> Answer:
    """What was read and heard of the last day or week, and what was not, in plain words."""
    asked = visit.query.get("days", "1")
    span = SPANS.get(asked, SPANS["1"])
    zone, end = visit.settings.institution.zone, visit.desk.end
    now = end.read_until if end else visit.now
    since = now - span
    week = {"since": min(since, now - _RECALL), "until": now, "as_of": now}
    with ledger(visit.desk) as connection:
        found = covering.between(connection, since=since, until=now, as_of=now, zone=zone)
        overlaps = covering.overlaps(connection, **week)
        planted = canaries.plantings(
            connection,
            visit.settings.canaries,
            since=since,
            until=now,
            as_of=now,
            zone=zone,
        )
    spoken = wording.words(visit.w.locale, zone, name="coverage")
    lines = [coverage_words.effect(found, spoken), coverage_words.lateness(found, spoken)]
    lines += coverage_words.recalls(overlaps, spoken) + coverage_words.planted(planted, spoken)
    values: dict[str, Any] = {
        "headline": coverage_words.headline(found, spoken),
        "lines": [line for line in lines if line],
        "sources": [
            {
                "name": source.name,
                "share": source.read_share,
                "count": source.mention_count,
                "late": source.late_p50,
                "troubles": coverage_words.troubles(source, found, spoken),
            }
            for source in found.sources
        ],
        "days": asked if asked in SPANS else "1",
        "spans": list(SPANS),
    }
    return Answer(template="coverage", values=values)


def sources(visit: Visit) -> Answer:
    """Every source: how it stands, and what it brought lately."""
    with published(visit.desk) as connection:
        found = as_rows(connection.execute("select * from source_coverage order by source_name"))
    return Answer(template="sources", values={"sources": found})


def source(visit: Visit) -> Answer:
    """One source, day by day."""
    name = visit.path["source_name"]
    zone = visit.settings.institution.zone
    with published(visit.desk) as connection:
        standing = _standing(connection, name)
        last = last_day(connection, visit)
        first = datetime.combine(last - timedelta(days=DAYS - 1), time.min, tzinfo=zone)
        end = datetime.combine(last + timedelta(days=1), time.min, tzinfo=zone)
        asked: dict[str, Any] = {"source_name": name}
        asked |= {"since": first.astimezone(UTC), "until": end.astimezone(UTC)}
        found = rows(connection, "board_source_days", asked)
    days = drawn.fortnight(last, [_day(row) for row in found])
    values = {"source": standing, "days": days, "bars": drawn.bars(days)}
    return Answer(template="source", values=values, about=name)


def _standing(connection: Any, name: str) -> Row:
    found = as_rows(
        connection.execute("select * from source_coverage where source_name = ?", [name])
    )
    if not found:
        raise Stopped("unknown")
    return found[0]


def _day(row: Row) -> Day:
    return Day(
        day=row["day_on"],
        count=row["mention_count"],
        scored=row["scored_count"],
        negative=row["negative_count"],
    )
