"""Attention: how much people look at, or fight over, a page about what is watched.

A measure, not a mention: nobody's words, nobody's name. It has no tone and no topic, is in no
count of mentions, and is kept as long as counts are. A source's parser yields `Attention` beside
(or instead of) posts; `run` adds whose reading it was and writes the table `attention`, of which
`ATTENTION_SCHEMA` is the Arrow twin (a test keeps them equal).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

# page_views: how often a page was read in `span_seconds` from `measured_at`. edit, revert: one
# change of it, the second one that undoes another; `value` is the bytes added (negative: removed).
AttentionKind = Literal["page_views", "edit", "revert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One measure: what it is of (`about`, a page's title), when (aware UTC), and how much.

    `native_id` names it for good, so that a second reading replaces it.
    """

    source: str
    native_id: str
    kind: AttentionKind
    about: str
    url: str | None
    measured_at: datetime
    span_seconds: int
    value: float


_TIME = pa.timestamp("us", tz="UTC")
ATTENTION_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_name", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("subject_id", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("about", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("measured_at", _TIME, nullable=False),
        pa.field("span_seconds", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("seen_at", _TIME, nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)


def to_table(
    measures: Iterable[Attention],
    *,
    source_name: str,
    subject_id: str | None,
    seen_at: datetime,
    run_id: str,
) -> pa.Table:
    """Measures of one source block and run as an Arrow table of `ATTENTION_SCHEMA`."""
    shared: dict[str, Any] = {"source_name": source_name, "subject_id": subject_id}
    shared |= {"seen_at": seen_at, "run_id": run_id}
    rows = [asdict(measure) | shared for measure in measures]
    return pa.Table.from_pylist(rows, schema=ATTENTION_SCHEMA)
