"""Topics on the board: two weeks of each, and one day by day, from the published file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Any

from models.taxonomy import taxonomy
from pipelines import scopes
from pipelines.board import drawn
from pipelines.board.drawn import DAYS, Day
from pipelines.board.visit import Answer, Row, Stopped, Visit, published, rows
from pipelines.warehouse import Connection


def topics(visit: Visit) -> Answer:
    """Every topic that was spoken of in two weeks, the most spoken of first."""
    last, found = _found(visit, topic_id=None)
    by_topic: dict[str, list[Day]] = defaultdict(list)
    for row in found:
        by_topic[row["topic_id"]].append(_day(row))
    lines = [_line(visit, name, drawn.fortnight(last, days)) for name, days in by_topic.items()]
    lines.sort(key=lambda line: (-(line["week"] or 0), -(line["count"] or 0), line["topic_id"]))
    values = {"lines": lines, "last": last, **_subjects(visit)}
    return Answer(template="topics", values=values)


def topic(visit: Visit) -> Answer:
    """One topic, day by day."""
    name = visit.path["topic_id"]
    known = next((t for t in taxonomy() if t.id == name), None)
    if known is None:
        raise Stopped("unknown")
    last, found = _found(visit, topic_id=name)
    days = drawn.fortnight(last, [_day(row) for row in found])
    values: dict[str, Any] = {
        "topic_id": name,
        "label": scopes.label(name, visit.w.locale),
        "days": days,
        "bars": drawn.bars(days),
        "last": last,
        **_subjects(visit),
    }
    return Answer(template="topic", values=values, about=name)


def _found(visit: Visit, *, topic_id: str | None) -> tuple[date, list[Row]]:
    """The last day of the published file, and the rows of the two weeks to it."""
    with published(visit.desk) as connection:
        last = last_day(connection, visit)
        asked = {
            "subject_id": _subject(visit),
            "since": last - timedelta(days=DAYS - 1),
            "until": last,
            "topic_id": topic_id,
        }
        return last, rows(connection, "board_topics", asked)


def last_day(connection: Connection, visit: Visit) -> date:
    """The local day on which the published file was made."""
    row = connection.execute("select made_at from about").fetchone()
    if row is None:
        raise Stopped("empty")
    found: date = row[0].astimezone(UTC).astimezone(visit.settings.institution.zone).date()
    return found


def _subject(visit: Visit) -> str:
    asked, known = visit.query.get("subject", ""), [s.id for s in visit.settings.subjects]
    return asked if asked in known else known[0]


def _subjects(visit: Visit) -> dict[str, Any]:
    subjects = [(s.id, s.label) for s in visit.settings.subjects]
    return {"subject": _subject(visit), "subjects": subjects}


def _day(row: Row) -> Day:
    return Day(
        day=row["day_on"],
        count=row["mention_count"],
        scored=row["scored_count"] or 0,
        negative=row["negative_count"] or 0,
    )


def _line(visit: Visit, name: str, days: Sequence[Day]) -> dict[str, Any]:
    half = DAYS // 2
    scored = sum(day.scored for day in days)
    negative = sum(day.negative for day in days)
    return {
        "topic_id": name,
        "label": scopes.label(name, visit.w.locale),
        "count": _sum(days),
        "week": _sum(days[half:]),
        "before": _sum(days[:half]),
        "share": negative / scored if scored >= drawn.LEAST_TONED else None,
        "bars": drawn.bars(days),
    }


def _sum(days: Sequence[Day]) -> int | None:
    """The messages of some days; None where there were some and all are held back."""
    total = sum(day.count or 0 for day in days)
    return None if not total and any(day.count is None for day in days) else total
