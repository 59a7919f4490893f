"""The contract of the accepted table: what keeps it goes on, what breaks it is quarantined.

Great Expectations checks `pipelines/expectations.py` on every batch. A row that breaks it becomes
a Rejection with the expectation's name and no person's text; a batch that is wrong as a whole
stops the run. Results hold counts, never values.

Cost: importing Great Expectations takes 4 s of processor once a process; then a second for 100,000
rows (`tests/bench`). No network: its telemetry is off and it is given no address.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import expectations
from pipelines.datadocs import build_docs
from pipelines.errors import ContractBroken
from pipelines.mention import MENTION_SCHEMA, Rejection

__all__ = ["Accepted", "accept", "build_docs"]

log = logging.getLogger(__name__)

REASON = "contract"
BROKEN_SHARE = 0.20  # above it a batch is wrong as a whole: a parser has changed, not a few rows
BROKEN_ROWS = 100  # and only where there are enough rows to say so

Results = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a batch left: rows that keep the contract, those that do not, and what was checked.

    `results` is JSON: one record, with counts of rows and of rows broken by each check.
    """

    table: pa.Table
    rejections: tuple[Rejection, ...]
    duplicate_count: int
    results: Results


def accept(table: pa.Table) -> Accepted:
    """The rows of a batch of mentions that keep the contract; of the same key, the last.

    Raises ContractBroken naming the expectation when a column is missing or of another type, or
    when more than a fifth of a hundred rows or more are broken. Touches neither disk nor network.
    """
    _check_shape(table)
    single = _last_of_each(table)
    broken = _broken_rows(single)
    bad = np.unique(np.concatenate([*broken.values(), np.empty(0, dtype=np.int64)]))
    _check_share(broken, len(bad), single.num_rows)
    keep = np.ones(single.num_rows, dtype=bool)
    keep[bad] = False
    duplicate_count = table.num_rows - single.num_rows
    result = {
        "row_count": table.num_rows,
        "duplicate_count": duplicate_count,
        "rejected_count": len(bad),
        "broken": {name: len(rows) for name, rows in broken.items()},
    }
    return Accepted(
        table=single.filter(pa.array(keep)) if len(bad) else single,
        rejections=_rejections(single, broken, bad),
        duplicate_count=duplicate_count,
        results=[result],
    )


def _check_shape(table: pa.Table) -> None:
    names = set(table.schema.names)
    missing = [field.name for field in MENTION_SCHEMA if field.name not in names]
    unknown = sorted(names.difference(MENTION_SCHEMA.names))
    if missing or unknown:
        _stop(
            "expect_table_columns_to_match_set",
            f"columns missing: {missing}; columns unknown: {unknown}",
        )
    wrong = [f for f in MENTION_SCHEMA if not table.schema.field(f.name).type.equals(f.type)]
    if wrong:
        found = ", ".join(
            f"{f.name} is {table.schema.field(f.name).type}, not {f.type}" for f in wrong
        )
        _stop("expect_column_values_to_be_of_type", found)


def _stop(expectation: str, found: str) -> None:
    raise ContractBroken(
        f"the accepted table breaks {expectation}: {found}. Build it with "
        "pipelines.mention.to_table(mentions, MENTION_SCHEMA), and bring both to one version",
        (expectation,),
    )


def _last_of_each(table: pa.Table) -> pa.Table:
    """The table with one row a mention: the last seen, in the order of those rows."""
    rows = pa.array(np.arange(table.num_rows))
    last = (
        pa.table({"mention_id": table["mention_id"], "row": rows})
        .group_by("mention_id")
        .aggregate([("row", "max")])
    )
    if last.num_rows == table.num_rows:
        return table
    return table.take(last["row_max"].sort())


def _broken_rows(table: pa.Table) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """The rows that break each check, by the check's id; checks that hold are left out."""
    if not table.num_rows:
        return {}
    batch, suite = _batch_definition(), _suite()
    found = batch.get_batch({"dataframe": expectations.frame(table)}).validate(
        suite, result_format={"result_format": "COMPLETE", "include_unexpected_rows": False}
    )
    broken: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
    for result in found.results:
        if result.success:
            continue
        name = _id_of(result.expectation_config)
        if "unexpected_index_list" not in result.result:
            _stop(name, "the check could not run on this batch")
        broken[name] = np.array(result.result["unexpected_index_list"], dtype=np.int64)
    return broken


def _id_of(config: Any) -> str:
    return f"{config.type} on {config.kwargs['column']}"


@cache
def _context() -> Any:
    return expectations.gx_context(mode="ephemeral")


@cache
def _batch_definition() -> Any:
    source = _context().data_sources.add_pandas("vigie")
    return source.add_dataframe_asset("mentions").add_batch_definition_whole_dataframe("batch")


@cache
def _suite() -> Any:
    return _context().suites.add(expectations.gx_suite())


def _check_share(
    broken: Mapping[str, Sequence[int] | np.ndarray[Any, Any]], bad_count: int, row_count: int
) -> None:
    if row_count < BROKEN_ROWS or bad_count <= BROKEN_SHARE * row_count:
        return
    worst = sorted(broken, key=lambda name: -len(broken[name]))
    share = f"{bad_count / row_count:.0%}"
    raise ContractBroken(
        f"{share} of {row_count} rows break the contract, most of all {worst[0]} "
        f"({len(broken[worst[0]])} rows): nothing of this batch is kept. The source has "
        "changed its format or a parser is wrong: see the payloads in landing/, mend parse(), "
        "run accept again",
        tuple(worst),
    )


def _rejections(
    table: pa.Table, broken: Mapping[str, Iterable[int]], bad: np.ndarray[Any, Any]
) -> tuple[Rejection, ...]:
    """A rejection for each broken row: which checks it breaks, and no value of it."""
    if not len(bad):
        return ()
    reasons: dict[int, list[str]] = {int(row): [] for row in bad}
    for name, rows in broken.items():
        for row in rows:
            reasons[int(row)].append(name)
    shown = table.select(["source", "native_id", "raw_ref"]).take(pa.array(bad)).to_pylist()
    log.warning("mentions.rejected count=%d expectations=%s", len(bad), ";".join(sorted(broken)))
    return tuple(
        Rejection(reason=REASON, detail="; ".join(reasons[int(row)]), **_named(values))
        for row, values in zip(bad, shown, strict=True)
    )


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "source": values["source"] or "unknown"}
