"""What a run has made, merged into the warehouse in one transaction."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import (
    load as loading,
    query_history,
    sources,
    subjects,
    warehouse,
)
from pipelines.aside import written_aside
from pipelines.house import House as House, house as house
from pipelines.run.counted import covered, read_whole
from pipelines.run.names import receipt_of, run_id, staging, until_of
from pipelines.run.readers import heard_of
from pipelines.run.scoring import scorer

log = logging.getLogger(__name__)


def load(house: House, run: str) -> dict[str, int]:
    """Merge a run into the warehouse, with its cursors, in one transaction; what changed."""
    folder = staging(house.home, run)
    staged = loading.Staged(
        run_id=run,
        mentions=folder / "mentions.parquet",
        replaced=folder / "replaced.parquet",
        scores=folder / "scores.parquet",
        deletions=folder / "deletions.parquet",
        rejections=folder / "rejections.parquet",
        attention=folder / "attention.parquet",
        intake=tuple(_intake(house, folder, run)),
        heard=tuple(_heard(house, folder)),
        asked=_asked(folder),
        scorer=scorer(folder),
    )
    with warehouse.opened(house.home) as connection:
        loaded = loading.load(connection, staged, loaded_at=until_of(run))
        query_history.note_versions(connection, watched(house), used_at=until_of(run))
    counts = asdict(loaded)
    log.info("mentions.loaded run=%s %s", run, " ".join(f"{k}={v}" for k, v in counts.items()))
    return counts


def watched(house: House) -> tuple[subjects.Watch, ...]:
    """Every subject as it is watched now: its tree and its version."""
    settings = house.settings
    made = subjects.matcher(settings.subjects, settings.institution, settings.relays)
    return made.watches


def _intake(house: House, folder: Path, run: str) -> Iterator[loading.Intake]:
    """The coverage of the sources that the run has read; a look at held posts reads none."""
    for name, count in _accepted(folder):
        receipt = read_whole(receipt_of(folder, name), count)
        if "landed" in receipt or "is_held" in receipt:
            continue
        intake = covered(house, receipt, count, run, until_of(run))
        yield replace(intake, cursor=_moved(receipt), cursor_run_id=_stands_at(receipt, run))


def _accepted(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(json.loads((folder / "accepted.json").read_text()).items())


def _asked(folder: Path) -> Path | None:
    """The keys of what the run has looked up again, as a file of it; none where nothing was."""
    if not (folder / "held.parquet").exists():
        return None
    receipts = {name: receipt_of(folder, name) for name, _ in _accepted(folder)}
    told = [name for name, receipt in receipts.items() if receipt["status"] == "ok"]
    held = pq.read_table(folder / "held.parquet", columns=["mention_id", "source_name"])
    asked = held.filter(pc.is_in(held["source_name"], value_set=pa.array(told, pa.string())))
    path = folder / "asked.parquet"
    with written_aside(path) as aside:
        pq.write_table(asked, aside)
    return path


def _heard(house: House, folder: Path) -> Iterator[loading.Heard]:
    """What of the readers' landings the run loads, each with the coverage of its five minutes."""
    for name, count in _accepted(folder):
        receipt = receipt_of(folder, name)
        if "landed" in receipt:
            yield heard_of(house, receipt, count)


def _moved(receipt: Mapping[str, Any]) -> sources.Cursor | None:
    """Where the next run goes on; a source that had nothing to tell has been read all the same."""
    if receipt["is_backfill"] or receipt["status"] not in ("ok", "waiting"):
        return None
    before = receipt["cursor"] if receipt["status"] == "ok" else None
    found: sources.Cursor | None = receipt["next_cursor"] or before
    return found


def _stands_at(receipt: Mapping[str, Any], run: str) -> str:
    """The run whose window a cursor has reached: of one that was read in part, the run before, so
    that the next run reads from there and the window does not pass for read."""
    is_whole = receipt["status"] == "ok"
    return run if is_whole else run_id(datetime.fromisoformat(receipt["since"]))
