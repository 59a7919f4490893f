"""A copy of a warehouse to replay in: what rules read of a span, and nothing of what they made.

The warehouse itself is attached to be read only, for as long as copying takes, and let go of; the
copy is a file of its own in a private folder that goes with the block. It begins without incidents
but those from before the span, without letters, and with readings as they are known by now: a
mention counts from its publication, whenever it was heard.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipelines import surge, warehouse
from pipelines.settings import Settings, Web
from pipelines.warehouse import Connection

KEPT = ("institution", "subject", "source_block", "source_start", "canary", "gazetteer")
PLACES = ("place",)
# Tables with what was said, by the column that says when; the rest is what a run makes.
TIMED = {
    "mention": ("published_at", surge.STEPS),
    "score": ("published_at", surge.STEPS),
    "mention_metric": ("published_at", surge.STEPS),
    "hourly": ("hour_at", surge.HOURS),
    "source_hour": ("hour_at", surge.HOURS),
    "attention": ("measured_at", surge.STEPS),
}
STATE = (
    *("incident", "incident_event", "incident_ack", "outbox", "outbox_incident", "silence"),
    *("alert_evidence", "rule_text", "alert_label", "burst_day"),
)
_A_DAY = timedelta(days=1)
_HOURLY = 60  # minutes: how often the readings of a replay are noted


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The copy, and settings whose home it lives in: nothing of the real home is written to."""

    connection: Connection
    settings: Settings


@contextmanager
def copied(settings: Settings, *, since: datetime, until: datetime) -> Iterator[Copy]:
    """A copy of the warehouse of `settings` for a replay of [`since`, `until`), then deleted.

    Raises WarehouseError where there is no warehouse, WarehouseBusy as `warehouse.opened`.
    """
    with tempfile.TemporaryDirectory(prefix="vigie-backtest-") as folder:
        home = Path(folder)
        _copy_rota(settings.home, home)
        with warehouse.opened_file(home / warehouse.WAREHOUSE, read_only=False) as connection:
            warehouse.migrate(connection)
            warehouse.create_views(connection)
            warehouse.attach(connection, settings.home / warehouse.WAREHOUSE, "store")
            _fill(connection, since, until)
            connection.execute("detach store")
            # What is asked is small and often: threads cost more than they bring.
            connection.execute("set threads = 1")
            connection.execute("alter table intake alter since_at drop not null")  # of the clock
            # A rule that somebody tries may read what is here, and no file.
            connection.execute("set enable_external_access = false")
            yield Copy(
                connection=connection,
                settings=settings.model_copy(update={"home": home, "web": Web()}),
            )


def _copy_rota(real: Path, home: Path) -> None:
    if (real / "on_call").is_dir():
        shutil.copytree(real / "on_call", home / "on_call")


def _fill(connection: Connection, since: datetime, until: datetime) -> None:
    for table in (*KEPT, *PLACES):
        _copy_table(connection, table, "true", {})
    _copy_table(connection, "gap", "filled_by is null", {})
    connection.execute("update gap set found_at = since_at")  # known by now
    for table, (column, back) in TIMED.items():
        span = {"first": since - back - _A_DAY, "last": until}
        _copy_table(connection, table, f"{column} >= $first and {column} < $last", span)
    warehouse.run(connection, "writes/replay_incident", {"since": since})
    warehouse.run(connection, "writes/replay_intake", {"since": since, "until": until})
    connection.execute(
        "update source_block set every_minutes = greatest(every_minutes, $least)",
        {"least": _HOURLY},
    )


def _copy_table(connection: Connection, table: str, where: str, span: dict[str, datetime]) -> None:
    """Copy the columns that both sides know: the real warehouse may be of an older version."""
    shared = ", ".join(
        row[0]
        for row in connection.execute(
            "select fresh.column_name from duckdb_columns() as fresh inner join duckdb_columns()"
            " as old on fresh.column_name = old.column_name and fresh.table_name = old.table_name"
            " where old.database_name = 'store' and fresh.database_name = current_database()"
            " and fresh.table_name = $table order by fresh.column_index",
            {"table": table},
        ).fetchall()
    )
    if shared:
        connection.execute(
            f"insert into {table} by name select {shared} from store.{table} where {where}",  # noqa: S608 - our own names
            span or None,
        )


def emptied(connection: Connection, *, since: datetime) -> None:
    """Forget what a replay has made, so that another can begin at `since`."""
    for table in STATE:
        where = "opened_at >= $since" if table == "incident" else "true"
        given = {"since": since} if table == "incident" else None
        connection.execute(f"delete from {table} where {where}", given)  # noqa: S608 - ours
