"""What the data-protection officer sees: receipts of expiry and erasure, and who opened what."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pipelines.board import store
from pipelines.board.visit import Answer, Row, Visit, ledger, rows
from pipelines.wording import plain

PAGE = 50


def receipts(visit: Visit) -> Answer:
    """How long each kind is kept, what has gone, and how many may not come back."""
    before = _before(visit)
    with ledger(visit.desk) as connection:
        found = rows(connection, "board_receipts", {"before": before, "most": PAGE + 1})
        [blocked] = rows(connection, "board_blocked", {})
    values: dict[str, Any] = {
        "receipts": [_receipt(row) for row in found[:PAGE]],
        "blocked": blocked,
        "kept": visit.settings.retention,
        "legal_basis": plain(visit.settings.institution.legal_basis),
        "more": found[PAGE - 1]["made_at"].isoformat() if len(found) > PAGE else None,
    }
    return Answer(template="privacy", values=values)


def accesses(visit: Visit) -> Answer:
    """Who opened and did what, the last first."""
    asked = visit.query.get("before", "")
    before = int(asked) if asked.isdecimal() and len(asked) < 18 else None
    found = store.accesses(visit.settings.home, before=before, limit=PAGE + 1)
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return Answer(template="accesses", values={"accesses": found[:PAGE], "more": more})


def _before(visit: Visit) -> datetime:
    """The moment that a page of a list ends before: of its address, or now by the clock itself,
    whatever time pages tell of: what is erased from data that has ended is shown too."""
    now = visit.desk.now()
    try:
        found = datetime.fromisoformat(visit.query.get("before", ""))
    except ValueError:
        return now
    return found if found.tzinfo else now


def _receipt(row: Row) -> Row:
    """A receipt with its counts, those that are not 0; its reason where one is kept."""
    told = json.loads(row["detail"])
    counts = [
        (plain(str(name)), value)
        for name, value in told.items()
        if isinstance(value, int) and not isinstance(value, bool) and value
    ]
    return {"kind": row["kind"], "made_at": row["made_at"], "counts": counts}
