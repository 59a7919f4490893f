"""Which steps of a subject nobody read: unknown, never silence.

A step is unread where the sources that usually bring half of what is said about the subject
(`BLIND_SHARE`) have an open gap there (table `gap`), as known at a moment. A gap that a later run
fills is read. Costs nothing while no gap is open, else the mentions of the weeks looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import numpy as np

from pipelines import spans, warehouse
from pipelines.series import FINEST, Flags, Floats
from pipelines.spans import Span

BLIND_SHARE = 0.5  # of what is usually heard, as in pipelines/surroundings.py
STEP = timedelta(minutes=FINEST)
AN_HOUR = 60 // FINEST


def steps(
    connection: duckdb.DuckDBPyConnection,
    subjects: Sequence[str],
    span: tuple[datetime, datetime],
    *,
    as_of: datetime,
) -> Flags:
    """Where nobody read: `(len(subjects), n)` of the n steps of five minutes of `span`.

    A step counts as unread from half of it on.
    """
    count = (span[1] - span[0]) // STEP
    unread = np.zeros((len(subjects), count), dtype=np.bool_)
    gaps = open_gaps(connection, span, as_of=as_of)
    if not gaps:
        return unread
    usual = _usual(connection, subjects, span)
    covered = {name: _covered(found, span, count) for name, found in gaps.items()}
    for row, subject in enumerate(subjects):
        shares = usual.get(subject, {})
        missing = sum(
            (share * covered[name] for name, share in shares.items() if name in covered),
            np.zeros(count),
        )
        unread[row] = missing >= BLIND_SHARE
    return unread


def hours(
    connection: duckdb.DuckDBPyConnection,
    subjects: Sequence[str],
    span: tuple[datetime, datetime],
    *,
    as_of: datetime,
) -> Floats:
    """How much nobody read, 0..1, of each of the n whole hours of `span`: `(len(subjects), n)`."""
    found = steps(connection, subjects, span, as_of=as_of)
    count = found.shape[1] // AN_HOUR
    share: Floats = found.reshape(len(subjects), count, AN_HOUR).mean(axis=2)
    return share


def open_gaps(
    connection: duckdb.DuckDBPyConnection, span: Span, *, as_of: datetime
) -> dict[str, list[Span]]:
    """The spans by source that nobody had read at `as_of`, joined."""
    given = {"since": span[0], "until": span[1], "as_of": as_of}
    rows = warehouse.run(connection, "queries/coverage_gaps", given).to_arrow_table().to_pylist()
    found: dict[str, list[Span]] = {}
    for row in rows:
        if row["filled_by"] is None:
            found.setdefault(row["source_name"], []).append((row["since_at"], row["until_at"]))
    return {name: spans.merged(each) for name, each in found.items()}


def _usual(
    connection: duckdb.DuckDBPyConnection, subjects: Sequence[str], span: Span
) -> dict[str, dict[str, float]]:
    """The share of each subject's mentions that each source brings."""
    given = {"subjects": list(subjects), "since": span[0], "until": span[1]}
    found: dict[str, dict[str, float]] = {}
    for subject, source, share in warehouse.run(connection, "signals/unread", given).fetchall():
        found.setdefault(subject, {})[source] = share
    return found


def _covered(gaps: Sequence[Span], span: Span, count: int) -> Floats:
    """1 in each step of which half or more lies in a gap, else 0."""
    seconds = np.zeros(count)
    for since, until in gaps:
        first = (max(since, span[0]) - span[0]) / STEP
        last = min((min(until, span[1]) - span[0]) / STEP, count)
        inside = np.arange(int(first), int(np.ceil(last)))
        seconds[inside] += np.minimum(inside + 1, last) - np.maximum(inside, first)
    covered: Floats = (seconds >= 0.5).astype(float)
    return covered
