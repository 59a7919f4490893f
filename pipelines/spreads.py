"""How far messages are passed on: near-copies of one claim or of one call, by how many people.

A claim and its denial are never one group (`pipelines/copies.py`). What a group does is what the
models say of it (acts `claim`, `gather`) or what its words show (`pipelines/cues.py`): the heads
miss a claim that is worded as an order ("ne buvez plus…").

Reads the mentions of six hours, whatever the history, and at most `MOST_TEXTS` distinct texts of
them: those with most copies, then the newest.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from pipelines import copies, cues, warehouse

log = logging.getLogger(__name__)

MINUTES = 360  # the longest window; the other is an hour
MOST_TEXTS = 20_000  # compared for near-copies: about a second
LEAST_WORDS = copies.SHORT_WORDS  # "merci la mairie" is said by many and passed on by none
_MEMBERS = pa.schema(
    {
        "text_hash": pa.string(),
        "spread_id": pa.string(),
        **dict.fromkeys(("is_claim", "is_call", "is_dated", "is_denial"), pa.bool_()),
    }
)
_MONTHS = (
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    "|january|february|march|april|june|july|august|september|october|november|december"
)
_DAYS = (
    "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|demain|ce soir|après-demain|week-end"
    "|monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|tonight|weekend"
)
_DATED = re.compile(
    rf"\b(?:{_DAYS})\b|\b\d{{1,2}}(?:er)? (?:{_MONTHS})\b|\b(?:{_MONTHS}) \d{{1,2}}\b"
    r"|\b\d{1,2}[/.]\d{1,2}\b|\b\d{1,2} ?(?:h|heures?|am|pm)\b|\b\d{1,2}[h:]\d{2}\b|\bmidi\b",
    re.IGNORECASE,
)


def signals(connection: duckdb.DuckDBPyConnection, *, as_of: datetime) -> pa.Table:
    """What is passed on at `as_of`: what the rules of sql/alerts read as `spread`.

    The columns are those of sql/signals/spread.sql. Reads nothing that was published at or after
    `as_of`.
    """
    window: dict[str, Any] = {"as_of": as_of, "minutes": MINUTES}
    texts = _texts(connection, window)
    connection.register("copied_text", pa.Table.from_pylist([*_members(texts)], schema=_MEMBERS))
    try:
        return warehouse.run(connection, "signals/spread", window).to_arrow_table()
    finally:
        connection.unregister("copied_text")


def _texts(
    connection: duckdb.DuckDBPyConnection, window: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = warehouse.run(connection, "signals/spread_texts", {**window, "most": MOST_TEXTS})
    texts: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    if len(texts) == MOST_TEXTS:
        log.warning("spread.cut texts=%d", MOST_TEXTS)
    return texts


def _members(texts: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each text that may be passed on with its group, and what the group does."""
    for group in copies.groups([row["text"] for row in texts]):
        rows = [texts[place] for place in group.members]
        if len(copies.words(rows[0]["text"])) < LEAST_WORDS:
            continue
        what = _what(rows)
        spread_id = min(row["text_hash"] for row in rows)
        for row in rows:
            yield {"text_hash": row["text_hash"], "spread_id": spread_id, **what}


def _what(rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """What a group of near-copies does: what most of its mentions are taken for, or its words."""
    total = sum(row["mention_count"] for row in rows)
    text = rows[0]["text"]
    is_denial = cues.is_denial(text)

    def is_most(name: str) -> bool:
        return bool(2 * sum(row["mention_count"] for row in rows if row[name]) >= total)

    return {
        "is_claim": not is_denial and (is_most("is_claim") or cues.is_claim(text)),
        "is_call": is_most("is_call") or cues.is_gathering(text),
        "is_dated": bool(_DATED.search(text)),
        "is_denial": is_denial,
    }
