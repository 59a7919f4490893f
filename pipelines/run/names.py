"""What a run is called, the folder through which its steps hand over, and what stands in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import (
    sources,
)
from pipelines.aside import written_aside
from pipelines.house import House as House, house as house
from pipelines.said import say
from pipelines.settings import SourceBlock


def run_id(until: datetime) -> str:
    """The name of the run whose window ends at `until`; names sort as their windows do."""
    return f"{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def until_of(run: str) -> datetime:
    """The end of a run's window (aware UTC), from its name, whatever its kind."""
    stamp = run.rpartition("-")[2]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def live_run(moment: datetime) -> str:
    """The name of the run that takes up what readers have landed by `moment`; two in one second
    have two names."""
    return f"live-{moment.astimezone(UTC):%f}-{run_id(moment)}"


def refresh_run(moment: datetime) -> str:
    """The name of the run that looks posts up again at `moment`."""
    return f"refresh-{run_id(moment)}"


def backfill_run(moment: datetime) -> str:
    """The name of the run that reads the past again, made at `moment`."""
    return f"backfill-{run_id(moment)}"


def staging(home: Path, run: str) -> Path:
    """The folder through which the steps of a run hand over."""
    return home / "staging" / run


def planned(house: House, run: str) -> list[str]:
    """The names of the source blocks that a run collects."""
    path = staging(house.home, run) / "plan.json"
    return [order["name"] for order in json.loads(path.read_text())]


def order(
    block: SourceBlock,
    cursor: sources.Cursor | None,
    since: datetime,
    until: datetime,
    *,
    recheck_ids: tuple[str, ...] = (),
    is_backfill: bool = False,
) -> dict[str, Any]:
    return {
        "name": block.name,
        "cursor": cursor,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "recheck_ids": recheck_ids,
        "is_backfill": is_backfill,
    }


def order_of(folder: Path, name: str) -> dict[str, Any]:
    """What the plan of a run says of one source block."""
    orders: list[dict[str, Any]] = json.loads((folder / "plan.json").read_text())
    return next(order for order in orders if order["name"] == name)


def receipt_of(folder: Path, name: str) -> dict[str, Any]:
    """What `collect` wrote; a source whose collector died without a word is `missing`."""
    path = folder / "landed" / f"{name}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    lost: dict[str, Any] = {"path": None, "payload_count": 0, "next_cursor": None, "gaps": []}
    lost |= {"status": "missing", "is_capped": False, "note": say("never finished")}
    return order_of(folder, name) | lost


def landed_paths(receipt: Mapping[str, Any]) -> list[str]:
    """The landed files of one source in a run: one, or those that a reader has landed."""
    found: list[str] = receipt.get("paths") or ([receipt["path"]] if receipt["path"] else [])
    return found


def write_json(path: Path, content: object) -> None:
    with written_aside(path) as aside:
        aside.write_text(json.dumps(content, ensure_ascii=False, default=str))
