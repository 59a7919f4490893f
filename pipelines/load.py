"""Merges the staged tables of a run into the warehouse, in one transaction.

Mentions are merged by key, so that a second load of a run changes nothing. With the rows go the
cursors of their sources, the coverage, what was refused, the scores and the counts by hour and
day; a process that dies leaves all of it or none.

Cost: a load reads the key column of all history once (20 ms a million mentions) and otherwise
only the days that it touches. A run is taken in slices, so that memory does not grow with it.
Known gap: a deletion that comes before its post is forgotten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import counts, gaps, warehouse
from pipelines.aside import written_aside
from pipelines.mention import mention_id

log = logging.getLogger(__name__)

SLICE_ROWS = 100_000  # mentions merged at a time; about 150 MB of memory
RECHECK_DAYS = 30

# Made of no batches: of Python values, pyarrow would make it with pandas (half a second to import).
_NOTHING = pa.Table.from_batches([], schema=pa.schema([("mention_id", pa.string())]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What one run read from one source block; the fields of table `intake`, and more.

    `cursor` is where the next run goes on, or none to leave it where it stands; `cursor_run_id` the
    run whose window it has reached, this one where there is none. `gaps` are the spans that the
    source told it could not read; the row of `intake` holds the first moment and the last.
    """

    run_id: str
    source_name: str
    source: str
    since_at: datetime
    until_at: datetime
    status: str
    payload_count: int
    post_count: int
    accepted_count: int
    rejected_count: int
    off_subject_count: int
    duplicate_count: int
    deleted_count: int
    is_capped: bool
    gap_since_at: datetime | None
    gap_until_at: datetime | None
    note: str | None
    finished_at: datetime
    cursor: dict[str, Any] | None
    cursor_run_id: str | None = None
    gaps: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What of a reader's landings a run loads: its coverage, and the last landing among them.

    `intake.run_id` names the five minutes whose coverage it is added to. `away` is the reading that
    failed beside it: what a reader that is missing, or fails, has not read since. `landed` is none
    where nothing was landed, and only how far the source has been read is told.
    """

    intake: Intake
    landed: str | None
    away: Intake | None = None

    @property
    def told_at(self) -> datetime:
        """When this was told (aware UTC)."""
        return (self.away or self.intake).finished_at

    @property
    def readings(self) -> tuple[Intake, ...]:
        """What there is to tell: nothing that was read is no window."""
        read = self.intake
        is_idle = self.away and read.since_at == read.until_at and not read.payload_count
        found = (None if is_idle else read, self.away)
        return tuple(intake for intake in found if intake)


class Lineage(Protocol):
    """Which models scored: the fields of table `scorer` but its first use."""

    @property
    def scorer_id(self) -> str: ...
    @property
    def sentiment_model_id(self) -> str: ...
    @property
    def sentiment_weights_sha256(self) -> str: ...
    @property
    def topics_model_id(self) -> str: ...
    @property
    def topics_weights_sha256(self) -> str: ...
    @property
    def code_version(self) -> str: ...
    @property
    def thresholds(self) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The Parquet files that a run hands over; none where there is nothing of the kind."""

    run_id: str
    mentions: Path | None = None
    replaced: Path | None = None
    scores: Path | None = None
    deletions: Path | None = None
    rejections: Path | None = None
    attention: Path | None = None
    places: Path | None = None
    intake: tuple[Intake, ...] = ()
    heard: tuple[Heard, ...] = ()
    asked: Path | None = None
    scorer: Lineage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """How many mentions a load inserted, changed, left alone, emptied, and refused to take back."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    blocked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a source block stands: its cursor, and the run that brought it there."""

    cursor: dict[str, Any]
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """How far a reader's landings are loaded: the last of them, up to when the source was read,
    and when this was last told (aware UTC)."""

    landed: str
    until_at: datetime
    moved_at: datetime


def load(connection: warehouse.Connection, staged: Staged, *, loaded_at: datetime) -> Loaded:
    """Merge a run into the warehouse; what changed. All of it or, on any error, nothing."""
    with warehouse.transaction(connection):
        _find_known(connection, staged)
        loaded = _merge_mentions(connection, staged.mentions)
        deleted = _merge_deletions(connection, staged.deletions)
        if staged.replaced:
            warehouse.run(connection, "writes/keep_replaced", {"path": str(staged.replaced)})
        if staged.asked:
            asked = {"path": str(staged.asked), "loaded_at": loaded_at}
            warehouse.run(connection, "writes/merge_recheck", asked)
        _merge_scores(connection, staged, loaded_at)
        if staged.places:
            warehouse.run(connection, "writes/merge_place", {"path": str(staged.places)})
        _merge_account(connection, staged, loaded_at)
        if staged.attention:
            warehouse.run(
                connection, "writes/merge_attention", {"attention": str(staged.attention)}
            )
        counts.refresh(connection)
        _drop_scratch(connection)
    result = Loaded(deleted=deleted, **loaded)
    log.info("warehouse.loaded run=%s %s", staged.run_id, asdict(result))
    return result


def cursors(connection: warehouse.Connection) -> dict[str, Position]:
    """Where every source block stands, by its name."""
    rows = connection.execute("select source_name, cursor, run_id from source_cursor").fetchall()
    return {name: Position(cursor=json.loads(text), run_id=run) for name, text, run in rows}


def listened(connection: warehouse.Connection) -> dict[str, Listened]:
    """How far the landings of every reader are loaded, by the name of its source block."""
    rows = connection.execute("select source_name, landed, until_at, moved_at from listened")
    return {
        name: Listened(landed=landed, until_at=until_at, moved_at=moved_at)
        for name, landed, until_at, moved_at in rows.fetchall()
    }


def recheck_ids(
    connection: warehouse.Connection, source_name: str, *, as_of: datetime, limit: int
) -> tuple[str, ...]:
    """Native ids for a collection to look up again where its source has no `recheck`, late first.

    As `recheck_due`, but for what is due at once for want of counts: theirs never come with any.
    """
    rows = connection.execute(
        "select native_id from recheck_plan where source_name = ? and published_at >= ?"
        " and looked_at + wait <= ? order by looked_at + wait, native_id limit ?",
        [source_name, as_of - timedelta(days=RECHECK_DAYS), as_of, limit],
    ).fetchall()
    return tuple(native_id for (native_id,) in rows)


def recheck_due(
    connection: warehouse.Connection, source_name: str, *, as_of: datetime, most: int
) -> list[tuple[str, str | None]]:
    """The posts of a source block that are due to be looked up again: native id, look-up id.

    Young posts come due often, old ones seldom (view `recheck_plan`), none after 30 days. `most`
    is the budget of a quarter of an hour: what was looked up in the last one is taken off it.
    """
    given: dict[str, Any] = {"source_name": source_name, "as_of": as_of, "most": most}
    given |= {"since": as_of - timedelta(days=RECHECK_DAYS)}
    return warehouse.run(connection, "queries/recheck_due", given).fetchall()


def export(
    connection: warehouse.Connection, path: Path, *, since: datetime, until: datetime
) -> None:
    """Write the live mentions of a span (aware, half open) to a Parquet file, without authors."""
    with written_aside(path) as aside:
        span = {"since": since, "until": until, "path": str(aside)}
        warehouse.run(connection, "writes/export_mention", span)


def _find_known(connection: warehouse.Connection, staged: Staged) -> None:
    """Look up every key of the run at once: the only reading that goes through all of history."""
    connection.execute("create or replace temp table wanted_key (mention_id varchar)")
    counts.begin(connection)
    gaps.begin(connection)
    with _registered(connection, "incoming_deletion", _deletions(staged.deletions)):
        connection.execute(
            "create or replace temp table staged_deletion as from incoming_deletion;"
            "insert into wanted_key select mention_id from staged_deletion"
        )
    for path in (staged.mentions, staged.scores, staged.asked):
        if path:
            warehouse.run(connection, "writes/wanted_add", {"path": str(path)})
    warehouse.run(connection, "writes/known_key")


def _deletions(path: Path | None) -> pa.Table:
    """The staged deletions with the key of their mention."""
    schema = pa.schema(
        [
            ("mention_id", pa.string()),
            ("deleted_at", pa.timestamp("us", tz="UTC")),
            ("reason", pa.string()),
        ]
    )
    if path is None:
        return schema.empty_table()
    table = pq.read_table(path)
    pairs = zip(table["source"].to_pylist(), table["native_id"].to_pylist(), strict=True)
    keys = pa.array([mention_id(source, native_id) for source, native_id in pairs], pa.string())
    return pa.table([keys, table["deleted_at"], table["reason"]], schema=schema)


@dataclass(slots=True)
class _Window:
    """The rows at hand, under one name for the whole load: DuckDB reads what it holds now.

    A name registered anew for every slice keeps all of them in memory until the transaction
    ends (seen with DuckDB 1.5.5: 100 MB a slice).
    """

    rows: pa.Table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)


@contextmanager
def _registered(connection: warehouse.Connection, name: str, rows: pa.Table) -> Iterator[_Window]:
    """An Arrow table under `name`, exchangeable, for as long as the block lasts."""
    window = _Window(rows)
    connection.register(name, window)
    try:
        yield window
    finally:
        connection.unregister(name)


def _slices(path: Path | None) -> Iterator[pa.Table]:
    """The rows of a Parquet file, SLICE_ROWS at a time, with their `row_number`."""
    if path is None:
        return
    first = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(SLICE_ROWS):
            numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
            yield pa.table(batch.append_column("row_number", numbers))
            first += batch.num_rows


def _by_time(table: pa.Table) -> pa.Table:
    """The oldest first: DuckDB skips the row groups of other days when rows lie in order."""
    times = table["published_at"].combine_chunks()
    if pc.all(pc.less_equal(times[:-1], times[1:])).as_py():
        return table
    return table.take(pc.sort_indices(times))


def _merge_mentions(connection: warehouse.Connection, path: Path | None) -> dict[str, int]:
    total = {"inserted": 0, "updated": 0, "unchanged": 0, "blocked": 0}
    with _registered(connection, "incoming_mention", _NOTHING) as window:
        for rows in _slices(path):
            window.rows = _by_time(rows)
            found = _merge_slice(connection)
            total = {name: count + found[name] for name, count in total.items()}
    return total


def _merge_slice(connection: warehouse.Connection) -> dict[str, int]:
    warehouse.run(connection, "writes/stage_mention")
    warehouse.run(connection, "writes/new_mention")
    warehouse.run(connection, "writes/revised_mention")
    staged = _count(connection, "staged_key")
    known = _count(connection, "staged_key semi join known_key using (mention_id)")
    inserted = _count(connection, "new_key")
    changed = _count(connection, "changed_key")
    warehouse.run(connection, "writes/keep_version")
    warehouse.run(connection, "writes/merge_metric")
    warehouse.run(connection, "writes/insert_mention")
    warehouse.run(connection, "writes/merge_mention")
    seen = warehouse.run(connection, "writes/merge_sighting").fetchone()
    warehouse.run(connection, "writes/drop_stale_score")
    warehouse.run(connection, "writes/merge_heard")
    warehouse.run(connection, "writes/merge_canary_heard")
    updated = changed + (seen[0] if seen else 0)
    return {
        "inserted": inserted,
        "updated": updated,
        "unchanged": known - updated,
        "blocked": staged - known - inserted,
    }


def _merge_deletions(connection: warehouse.Connection, path: Path | None) -> int:
    if path is None:
        return 0
    warehouse.run(connection, "writes/delete_mention")
    return _count(connection, "deleted_key")


def _merge_scores(connection: warehouse.Connection, staged: Staged, loaded_at: datetime) -> None:
    with _registered(connection, "incoming_score", _NOTHING) as window:
        for rows in _slices(staged.scores):
            window.rows = rows
            warehouse.run(connection, "writes/stage_score")
            warehouse.run(connection, "writes/merge_score")
    if staged.scorer:
        names = (
            "scorer_id",
            "sentiment_model_id",
            "sentiment_weights_sha256",
            "topics_model_id",
            "topics_weights_sha256",
            "code_version",
        )
        values = {name: getattr(staged.scorer, name) for name in names}
        values |= {"thresholds": _text(staged.scorer.thresholds), "loaded_at": loaded_at}
        warehouse.run(connection, "writes/merge_scorer", values)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _merge_account(connection: warehouse.Connection, staged: Staged, loaded_at: datetime) -> None:
    """Coverage, cursors and refusals: what the run says of itself."""
    newest = _newest(connection, staged.mentions)
    for intake in staged.intake:
        values = asdict(intake) | {"newest_published_at": newest.get(intake.source_name)}
        warehouse.run(connection, "writes/merge_intake", values)
        if intake.cursor is not None:
            text = json.dumps(intake.cursor, sort_keys=True, ensure_ascii=False)
            moved: dict[str, Any] = {"source_name": intake.source_name, "cursor": text}
            moved |= {"run_id": intake.cursor_run_id or staged.run_id, "loaded_at": loaded_at}
            warehouse.run(connection, "writes/merge_cursor", moved)
    told = list(staged.intake)
    known = listened(connection)
    for heard in staged.heard:
        if not _is_loaded(heard, known.get(heard.intake.source_name)):
            _add_heard(connection, heard, staged.run_id, newest)
            told += heard.readings
    if staged.rejections:
        refused: dict[str, Any] = {"rejections": str(staged.rejections), "run_id": staged.run_id}
        warehouse.run(connection, "writes/merge_quarantine", refused | {"loaded_at": loaded_at})
    gaps.record(connection, [_reading(intake) for intake in told], loaded_at=loaded_at)


def _reading(intake: Intake) -> gaps.Reading:
    told = intake.gaps
    if not told and intake.gap_since_at and intake.gap_until_at:
        told = ((intake.gap_since_at, intake.gap_until_at),)
    return gaps.Reading(
        run_id=intake.run_id,
        source_name=intake.source_name,
        since_at=intake.since_at,
        until_at=intake.until_at,
        status=intake.status,
        finished_at=intake.finished_at,
        gaps=told,
    )


def _is_loaded(heard: Heard, before: Listened | None) -> bool:
    """Whether the coverage of these landings was added already, by this run or by another."""
    if before is None:
        return False
    if heard.landed is None:
        return before.moved_at >= heard.told_at
    return before.landed >= heard.landed


def _add_heard(
    connection: warehouse.Connection, heard: Heard, run_id: str, newest: dict[str, datetime]
) -> None:
    name = heard.intake.source_name
    for intake in heard.readings:
        values = asdict(intake)
        values["newest_published_at"] = newest.get(name) if intake is heard.intake else None
        warehouse.run(connection, "writes/add_intake", values)
    moved: dict[str, Any] = {"source_name": name, "until_at": heard.intake.until_at}
    moved |= {"finished_at": heard.told_at, "landed": heard.landed or "", "run_id": run_id}
    warehouse.run(connection, "writes/merge_listened", moved)


def _newest(connection: warehouse.Connection, path: Path | None) -> dict[str, datetime]:
    """When the newest staged mention of each source block was published."""
    if path is None:
        return {}
    rows = connection.execute(
        "select source_name, max(published_at) from read_parquet(?) group by source_name",
        [str(path)],
    )
    return dict(rows.fetchall())


_SCRATCH = (
    "wanted_key",
    "known_key",
    "staged_deletion",
    "deleted_key",
    "staged_key",
    "new_key",
    "kept_mention",
    "revised_mention",
    "changed_key",
    "changed_score",
)


def _drop_scratch(connection: warehouse.Connection) -> None:
    for name in _SCRATCH:
        connection.execute(f"drop table if exists temp.{name}")


def _count(connection: warehouse.Connection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0
