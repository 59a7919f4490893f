"""What became of the payloads of a reading, as coverage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines import (
    load as loading,
)
from pipelines.house import House as House, house as house
from pipelines.notes import told
from pipelines.said import say

UNREADABLE_SHARE = 0.2  # of a reading's payloads; above it the parser is wrong, not a payload


@dataclass(slots=True)
class Count:
    """What became of the payloads of one source; the one thing here that changes in place."""

    posts: int = 0
    accepted: int = 0
    rejected: int = 0
    off_subject: int = 0
    duplicates: int = 0
    deleted: int = 0
    unreadable: int = 0
    broken: str = ""


def covered(
    house: House,
    receipt: Mapping[str, Any],
    count: Mapping[str, Any],
    run: str,
    at: datetime,
) -> loading.Intake:
    moment = datetime.fromisoformat
    gaps = [(moment(since), moment(until)) for since, until in receipt["gaps"]]
    return loading.Intake(
        run_id=run,
        source_name=receipt["name"],
        source=house.block(receipt["name"]).kind,
        since_at=datetime.fromisoformat(receipt["since"]),
        until_at=datetime.fromisoformat(receipt["until"]),
        status=receipt["status"],
        payload_count=receipt["payload_count"],
        post_count=count["posts"],
        accepted_count=count["accepted"],
        rejected_count=count["rejected"],
        off_subject_count=count["off_subject"],
        duplicate_count=count["duplicates"],
        deleted_count=count["deleted"],
        is_capped=receipt["is_capped"],
        gap_since_at=min((since for since, _ in gaps), default=None),
        gap_until_at=max((until for _, until in gaps), default=None),
        note=told(receipt["note"], house.settings.institution.locale),
        finished_at=at,
        cursor=None,
        gaps=tuple(gaps),
    )


def read_whole(receipt: dict[str, Any], count: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt; that of a failed reading, to be read again, where what came was no use."""
    if count["broken"]:
        return receipt | {"status": "failed", "note": count["broken"]}
    if count["unreadable"] <= UNREADABLE_SHARE * receipt["payload_count"]:
        return receipt
    note = say(
        "{n} of {count} payloads broke the parser",
        n=count["unreadable"],
        count=receipt["payload_count"],
    )
    return receipt | {"status": "failed", "note": note}
