"""Expires what has had its time, in the warehouse and on the disk, and writes a receipt.

| What | Kept for | Setting |
|---|---|---|
| payloads as received (`landing/`, `received/`) | 7 days from the day they came | `payload_days` |
| tables between steps (`staging/`) | 2 days | |
| texts of mentions, edited ones too; what quotes them | 30 days from first sight | `text_days` |
| refusals (`quarantine`) | 30 days, or `text_days` when that is less | |
| mentions, scores, counts over time, who heard them | 6 months (YouTube: 30 days) | `score_days` |
| counts, digests' figures, incidents and who acted, coverage | 3 years | `aggregate_days` |
| labels and who gave them; of a mention that has gone, its text's hash | 3 years | same |
| logs of Airflow's tasks (`airflow/logs/`) | 14 days | |
| the analysts' file | 2 days: it is made anew every day | |
| what was typed into `vigie sql`, as it may name somebody | 30 days | `text_days` |
| receipts, tombstones, objections | always: they prove, or block a return | |

Files of `inbox/` are the operator's own; `vigie doctor` names the old ones. Cost: one pass over
the mentions, the warehouse held for as long. Known gap: DuckDB frees the blocks of deleted rows
and writes over them later; until then the bytes are in the file, though no query returns them.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipelines import counts, sources, typed, warehouse
from pipelines.settings import Retention, Settings

log = logging.getLogger(__name__)

STAGING_DAYS = 2
PUBLISHED_DAYS = 2
LOG_DAYS = 14
QUARANTINE_DAYS = 30
_IN_USE = timedelta(hours=2)  # a file changed this recently may belong to a step that runs now
_RUN = re.compile(r"(\d{8}T\d{6})Z$")


def expire(
    connection: warehouse.Connection, *, settings: Settings, as_of: datetime
) -> dict[str, int]:
    """Delete all that is past its limit at `as_of` (aware UTC); how many of each kind.

    Files go first, then rows with their receipt in one transaction. A second call finds nothing.
    """
    gone = _expire_files(settings.home, settings.retention, as_of)
    with warehouse.transaction(connection):
        gone |= _expire_rows(connection, settings.retention, as_of)
        receipt = {"kind": "expiry", "made_at": as_of, "detail": json.dumps(gone)}
        receipt |= {"receipt_id": f"expiry-{as_of.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"}
        warehouse.run(connection, "writes/merge_receipt", receipt)
    log.info("warehouse.expired %s", " ".join(f"{name}={n}" for name, n in gone.items() if n))
    return gone


def _expire_rows(
    connection: warehouse.Connection, kept: Retention, as_of: datetime
) -> dict[str, int]:
    # A mail or a page quotes what was said on the day before it was made.
    quoted_days = max(kept.text_days - 1, 1)
    before = {
        "text_before": kept.text_days,
        "row_before": kept.score_days,
        "message_before": quoted_days,
        "quarantine_before": min(QUARANTINE_DAYS, kept.text_days),
        "count_before": kept.aggregate_days,
    }
    moments: dict[str, Any] = {n: as_of - timedelta(days=days) for n, days in before.items()}
    moments |= {"as_of": as_of, "day": as_of.astimezone(UTC).date()}
    moments |= {"zone": counts.local_zone(connection)}
    moments |= {"count_day": moments["count_before"].date()}
    moments |= {"strict": _strict(as_of)}
    steps = {
        "texts": "expire_text",
        "mentions": "expire_mention",
        "scores": "expire_score",
        "counts": "expire_history",
        "quarantined": "expire_quarantine",
        "messages": "expire_message",
        "days_counted": "expire_aggregate",
    }
    return {name: _changed(connection, file, moments) for name, file in steps.items()}


def _strict(as_of: datetime) -> list[dict[str, Any]]:
    """For each source whose terms let no row live longer: the first sight from which it may."""
    manifests = (sources.load(kind).MANIFEST for kind in sources.names())
    return [
        {"source": m.name, "before": as_of - timedelta(days=m.retention_days)}
        for m in manifests
        if m.rows_expire
    ]


def _changed(connection: warehouse.Connection, name: str, moments: dict[str, Any]) -> int:
    row = warehouse.run(connection, f"writes/{name}", moments).fetchone()
    return int(row[0]) if row else 0


def _expire_files(home: Path, kept: Retention, as_of: datetime) -> dict[str, int]:
    return {
        "payload_days": _remove(_old_days(home, kept.payload_days, as_of), as_of),
        "pushed_messages": _remove(_old_messages(home, kept.payload_days, as_of), as_of),
        "staging_runs": _remove(_old_runs(home, as_of), as_of),
        "digest_pages": _remove(_old_pages(home, kept.text_days, as_of), as_of),
        "published_files": _remove(_old_published(home, as_of), as_of),
        "airflow_logs": _remove(_old_logs(home, as_of), as_of),
        "leftovers": _remove(_leftovers(home), as_of),
        "typed_queries": typed.forget(home, before=as_of - timedelta(days=kept.text_days)),
    }


def _remove(paths: Iterable[Path], as_of: datetime) -> int:
    """Delete files and folders but those that a step may be writing now; how many went."""
    idle = [path for path in paths if not _is_in_use(path, as_of)]
    for path in idle:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return len(idle)


def _is_in_use(path: Path, as_of: datetime) -> bool:
    """Whether it, or a file in it, has changed within two hours of `as_of`.

    A back-fill lands and stages under an old date, so that the name alone does not tell.
    """
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return any(abs(as_of - _changed_at(file, as_of)) < _IN_USE for file in files)


def _changed_at(path: Path, as_of: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, tz=UTC)
    except FileNotFoundError:  # the step that writes it has just renamed it
        return as_of


def _old_days(home: Path, days: int, as_of: datetime) -> Iterator[Path]:
    """Folders `landing/<source>/<day>` whose first payload may have reached the limit."""
    last = as_of.astimezone(UTC).date() - timedelta(days=days)
    for folder in (home / "landing").glob("*/*"):
        day = _day(folder.name) or _changed_at(folder, as_of).date()
        if day <= last:
            yield folder


def _old_messages(home: Path, days: int, as_of: datetime) -> Iterator[Path]:
    """Messages pushed in that nobody has taken, and the hashes by which a repeat was known."""
    for path in (p for p in (home / "received").glob("*/**/*") if p.is_file()):
        if as_of - _changed_at(path, as_of) >= timedelta(days=days):
            yield path


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name[:10])
    except ValueError:
        return None


def _old_runs(home: Path, as_of: datetime) -> Iterator[Path]:
    for folder in (home / "staging").glob("*"):
        found = _RUN.search(folder.name)
        at = _moment(found[1]) if found else _changed_at(folder, as_of)
        if as_of - at >= timedelta(days=STAGING_DAYS):
            yield folder


def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _old_pages(home: Path, days: int, as_of: datetime) -> Iterator[Path]:
    """Pages of digests, which quote the messages of their day; their figures stay in a table."""
    last = as_of.astimezone(UTC).date() - timedelta(days=days)
    for page in (home / "digests").glob("*"):
        day = _day(page.name) or _changed_at(page, as_of).date()
        if day <= last:
            yield page


def _old_published(home: Path, as_of: datetime) -> Iterator[Path]:
    """The analysts' file, when it has not been made anew: it holds texts."""
    for path in (home / "published").glob("*.duckdb"):
        made_at = _made_at(path)
        if made_at is None or as_of - made_at >= timedelta(days=PUBLISHED_DAYS):
            yield path


def _made_at(path: Path) -> datetime | None:
    """When a published file says that it was made; none when it cannot be read."""
    try:
        with warehouse.opened_file(path, read_only=True) as connection:
            row = connection.execute("select made_at from about").fetchone()
    except duckdb.Error:
        return None
    return row[0] if row else None


def _old_logs(home: Path, as_of: datetime) -> Iterator[Path]:
    """What Airflow writes of each run: nothing else removes it, and it is 50 MB a day."""
    for pattern in ("dag_id=*/run_id=*", "dag_processor/[0-9]*"):
        for folder in (home / "airflow" / "logs").glob(pattern):
            if as_of - _changed_at(folder, as_of) >= timedelta(days=LOG_DAYS):
                yield folder


def _leftovers(home: Path) -> Iterator[Path]:
    """What killed steps left aside: half-written files, and what DuckDB had spilled."""
    yield from home.glob("published/.*.part*")  # `publish` works in a folder of that name
    yield from home.glob("digests/.*.part")
    yield from home.glob(f".{typed.FILE}.*.part")
    yield from home.glob(f"{warehouse.WAREHOUSE}.tmp/*")
