"""Runs the queries of today over the mentions that are stored, a day at a time; their versions.

A day is one transaction: its answers by SQL, its subjects written anew, its counts again. So a
run that is killed leaves whole days, done or not, and can be run again; memory holds a day of keys,
which DuckDB spills, and never a day of texts. The warehouse is held for one day at a time.

Only what is stored can be found again: a post that no subject named when it was read was never
kept. `vigie query rerun --landed` reads the payloads again that have not expired (7 days).

Cost: 40 s of processor for a million mentions and ten queries, 30 more where words are missing
(`tests/bench/bench_query.py`).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from pipelines import counts, query_sql, warehouse, words
from pipelines.subjects import Watch

log = logging.getLogger(__name__)

WORDLESS_ROWS = 2_000  # texts read at a time
_WORDS = pa.schema(
    [
        ("mention_id", pa.string()),
        ("published_at", pa.timestamp("us", tz="UTC")),
        ("words", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A local day of stored mentions: its bounds (aware UTC, half open) and how many there are."""

    day_on: date
    since: datetime
    until: datetime
    mention_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """What a day's run changed: mentions by subject, gained and lost; words that were missing."""

    day: Day
    added: Counter[str]
    removed: Counter[str]
    read_count: int


def days(connection: warehouse.Connection, *, since: datetime, until: datetime) -> list[Day]:
    """The days of a span on which there is a text to read, the oldest first."""
    span = {"since": since, "until": until, "zone": counts.local_zone(connection)}
    rows = warehouse.run(connection, "queries/rerun_days", span).fetchall()
    return [Day(day_on=d, since=s, until=u, mention_count=n) for d, n, s, u in rows]


def rerun(
    connection: warehouse.Connection,
    watches: Sequence[Watch],
    day: Day,
    *,
    given: Sequence[tuple[str, str]] = (),
) -> Rejudged:
    """Ask the queries of these subjects of one day's mentions, and write what they say.

    `given` are pairs of a source block and the subject that it gives: those stay. A second call
    changes nothing.
    """
    span = {"since": day.since, "until": day.until}
    with warehouse.transaction(connection):
        counts.begin(connection)
        read_count = _fill_words(connection, span)
        _answer(connection, watches, span)
        ids = [watch.subject.id for watch in watches]
        pairs = [f"{source_name}/{subject_id}" for source_name, subject_id in given]
        judging = span | {"subject_ids": ids, "given": pairs}
        warehouse.run(connection, "writes/rejudge_mention", judging)
        added, removed = (_changed(connection, name) for name in ("added_ids", "removed_ids"))
        counts.refresh(connection)
        for name in ("answered", "rejudged"):
            connection.execute(f"drop table if exists temp.{name}")
    log.info("mentions.rejudged day=%s count=%d", day.day_on, day.mention_count)
    return Rejudged(day=day, added=added, removed=removed, read_count=read_count)


def note_versions(
    connection: warehouse.Connection, watches: Sequence[Watch], *, used_at: datetime
) -> None:
    """Record the versions that were used at a moment (aware UTC), with what each asks."""
    with warehouse.transaction(connection):
        for watch in watches:
            values = {"version": watch.version, "subject_id": watch.subject.id, "used_at": used_at}
            warehouse.run(
                connection, "writes/merge_query_version", values | {"asked": asked(watch)}
            )


def asked(watch: Watch) -> str:
    """The terms and the query of a subject as JSON, those that are empty left out."""
    names = ("query", "names", "ambiguous", "context", "exclude", "places", "hashtags", "handles")
    held: dict[str, Any] = {name: getattr(watch.subject, name) for name in names}
    shown = {name: value for name, value in held.items() if value}
    return json.dumps(shown, ensure_ascii=False)


def _fill_words(connection: warehouse.Connection, span: dict[str, datetime]) -> int:
    """Read the texts of a span that have no words yet, a slice at a time; how many."""
    count = 0
    while True:
        asked_for = span | {"most": WORDLESS_ROWS}
        rows = warehouse.run(connection, "queries/wordless_mention", asked_for).fetchall()
        if not rows:
            return count
        read = [
            words.read(text, title=title, warning=warning, hashtags=tags, handles=handles).stored
            for _, _, title, warning, text, tags, handles in rows
        ]
        keys = [[row[0] for row in rows], [row[1] for row in rows]]
        connection.register("read_words", pa.table([*keys, read], schema=_WORDS))
        warehouse.run(connection, "writes/fill_words")
        connection.unregister("read_words")
        count += len(rows)


_PIECE = (
    "(select * from mention where published_at >= $since and published_at < $until"
    " and deleted_at is null and text_expired_at is null and not optout)"
)


def _answer(
    connection: warehouse.Connection, watches: Sequence[Watch], span: dict[str, datetime]
) -> None:
    """Which mentions of a span answer which subject, in the temporary table `answered`."""
    connection.execute(
        "create or replace temp table answered"
        " (mention_id varchar, subject_id varchar, version varchar)"
    )
    columns = [row[0] for row in connection.execute("describe mention").fetchall()]
    for watch in watches:
        sql = query_sql.condition(watch.tree, columns=columns)
        found = sql.select(_PIECE, ["mention_id", "$subject_id", "$version"])
        bound = span | {"subject_id": watch.subject.id, "version": watch.version}
        connection.execute(f"insert into answered {found}", bound | sql.parameters)


def _changed(connection: warehouse.Connection, name: str) -> Counter[str]:
    """How many mentions gained, or lost, each subject."""
    each = f"select unnest({name}) as subject_id from rejudged"  # noqa: S608 - our own names
    counted = f"select subject_id, count(*) from ({each}) group by subject_id"  # noqa: S608
    rows = connection.execute(counted)
    return Counter(dict(rows.fetchall()))
