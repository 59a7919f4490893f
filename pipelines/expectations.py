"""What the accepted table promises, row by row: the contract that Great Expectations checks.

Plain data, so that it can be read, counted and printed without loading Great Expectations.
Columns that are not in the table are derived by `frame`; each is explained beside it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import privacy
from pipelines.mention import (
    MENTION_SCHEMA,
    SCHEMA_VERSION,
    TEXT_LIMIT,
    AuthorKind,
    CollectedVia,
    ContentType,
    DeletionReason,
    Precision,
    Visibility,
)

SUITE = "mention"
FIRST_YEAR = 2005
LEAD_SECONDS = 600  # how far a source's clock may run ahead of ours
KEPT_DAYS = 181  # the longest retention of text that the settings allow, and one day of zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation on one column; `kind` is Great Expectations' name of it."""

    kind: str
    column: str
    limits: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What names this check in results, in errors and in the quarantine."""
        return f"{self.kind} on {self.column}"


_SET = "expect_column_values_to_be_in_set"
_REGEX = "expect_column_values_to_match_regex"
_BETWEEN = "expect_column_values_to_be_between"
_LENGTH = "expect_column_value_lengths_to_be_between"
_FILLED = "expect_column_values_to_not_be_null"
_NULL = "expect_column_values_to_be_null"
_UNIQUE = "expect_column_values_to_be_unique"

# `\Z`, since `$` would let a line end pass.
_NAME = r"^[a-z][a-z0-9_]{0,39}\Z"
_LANG = r"^[a-z]{2,3}\Z"
_PATTERNS = {
    "mention_id": r"^[0-9a-f]{32}\Z",
    "text_hash": r"^[0-9a-f]{32}\Z",
    "author_key": r"^[0-9a-f]{64}\Z",
    "source": _NAME,
    "source_name": _NAME,
    "network": r"^[a-z][a-z0-9_.\-]{0,39}\Z",
    "url": r"^https?://[^\s]+\Z",
    "lang": _LANG,
    "lang_declared": _LANG,
    "geo_country": r"^[A-Z]{2}\Z",
}
_PLACE = r"^(arrondissement|commune|departement|region):[0-9AB]{2,5}\z"  # RE2's end of text
_VALUES = {
    "content_type": list(get_args(ContentType)),
    "collected_via": list(get_args(CollectedVia)),
    "author_kind": list(get_args(AuthorKind)),
    "published_precision": list(get_args(Precision)),
    "visibility": list(get_args(Visibility)),
    "deletion_reason": list(get_args(DeletionReason)),
    "schema_version": [SCHEMA_VERSION],
    "is_empty": [False],
    "is_read_against_wish": [False],
    "is_author_named": [False],
    "is_place_misspelt": [False],
}
_BOUNDS = {
    **{f.name: (0, None) for f in MENTION_SCHEMA if f.name.endswith("_count")},
    "published_year": (FIRST_YEAR, None),
    "published_lead_seconds": (None, LEAD_SECONDS),
    "kept_days": (0, KEPT_DAYS),
}
_LENGTHS = {"native_id": (1, 1_000), "text": (0, TEXT_LIMIT), "title": (1, 500), "url": (8, 2_000)}


def checks() -> tuple[Check, ...]:
    """Every check of the contract, in the order in which they are printed."""
    filled = [f.name for f in MENTION_SCHEMA if not f.nullable and not pa.types.is_list(f.type)]
    return (
        Check(kind=_UNIQUE, column="mention_id", limits={}),
        *(Check(kind=_FILLED, column=column, limits={}) for column in filled),
        *(Check(kind=_REGEX, column=c, limits={"regex": r}) for c, r in _PATTERNS.items()),
        *(Check(kind=_SET, column=c, limits={"value_set": v}) for c, v in _VALUES.items()),
        *(_between(_BETWEEN, column, bounds) for column, bounds in _BOUNDS.items()),
        *(_between(_LENGTH, column, bounds) for column, bounds in _LENGTHS.items()),
        Check(kind=_NULL, column="unmasked", limits={}),
    )


def _between(kind: str, column: str, bounds: tuple[int | None, int | None]) -> Check:
    limits = {"min_value": bounds[0], "max_value": bounds[1]}
    return Check(
        kind=kind, column=column, limits={k: v for k, v in limits.items() if v is not None}
    )


def frame(table: pa.Table) -> pd.DataFrame:
    """The columns of accepted mentions that the checks read, derived ones included.

    One row a mention, in the order of `table`. Numbers are NumPy's own (with nulls, float64):
    Great Expectations compares those as columns, and pandas' nullable ones value by value.
    """
    wanted = [
        name for name in dict.fromkeys(c.column for c in checks()) if name in table.schema.names
    ]
    columns = {name: table[name] for name in wanted} | _derived(table)
    read: pd.DataFrame = pa.table(columns).to_pandas()
    return read


def _derived(table: pa.Table) -> dict[str, Any]:
    shown_title = pc.fill_null(table["title"], "")
    has_words = pc.not_equal(pc.binary_join_element_wise(shown_title, table["text"], ""), "")
    has_words = pc.or_(has_words, pc.is_valid(table["content_warning"]))
    optout = table["optout"]
    is_named = pc.or_(table["is_own"], pc.is_valid(table["relay_id"]))
    has_key = pc.is_valid(table["author_key"])
    is_linked, is_cut = pc.is_valid(table["url"]), pc.is_valid(table["words"])
    lead = pc.seconds_between(table["last_seen_at"], table["published_at"])
    seen_on = table["last_seen_at"].cast(pa.date32())
    return {
        "published_year": pc.year(table["published_at"]),
        "published_lead_seconds": lead,
        "kept_days": pc.days_between(seen_on, table["retention_until"]).cast(pa.int64()),
        # Neither text nor title nor warning, though nobody asked for that.
        "is_empty": pc.and_not(pc.invert(has_words), optout),
        # The author asked not to be listed, and yet there is text, an address or a pseudonym.
        "is_read_against_wish": pc.and_(
            optout, pc.or_(pc.or_(has_words, has_key), pc.or_(is_linked, is_cut))
        ),
        # A pseudonym beside a public name would tell whose pseudonym it is.
        "is_author_named": pc.and_(is_named, has_key),
        # A place that is no code: coordinates, an address, a name.
        "is_place_misspelt": _misspelt(table["place_codes"]),
        "unmasked": _unmasked(table),
    }


def _misspelt(lists: pa.ChunkedArray) -> pa.Array:
    """Whether any of the codes in each list is none."""
    column = lists.combine_chunks()
    is_odd = pc.invert(pc.match_substring_regex(pc.list_flatten(column), _PLACE))
    found = np.zeros(len(column), np.bool_)
    found[pc.list_parent_indices(column).filter(is_odd).to_numpy()] = True
    return pa.array(found)


# What RE2 finds in one pass over a column: the few rows that are worth a closer look.
_SUSPECT = rf"[@＠﹫][\pL\pN_]|\d(?:[()]?{privacy.SEPARATORS}{{0,3}}[()]?\d){{7}}"


def _unmasked(table: pa.Table) -> pa.Array:
    """What kind of personal mark a text, title or warning still shows, null when none."""
    parts = (pc.fill_null(table[name], "") for name in ("title", "content_warning", "text"))
    read = pc.binary_join_element_wise(*parts, "\n")
    suspects = pc.indices_nonzero(pc.match_substring_regex(read, _SUSPECT))
    kinds: list[str | None] = [None] * table.num_rows
    shown = zip(
        suspects.to_pylist(),
        read.take(suspects).to_pylist(),
        table["mentioned_handles"].take(suspects).to_pylist(),
        strict=True,
    )
    for row, text, handles in shown:
        kinds[row] = privacy.leak(text, keep=frozenset(handles or ()))
    return pa.array(kinds, type=pa.string())


def gx_context(**options: Any) -> Any:
    """A context of Great Expectations: no telemetry, no progress bars. Imports it (4 s)."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # else 215 lines a run
    import great_expectations
    from great_expectations.data_context.types import base

    base.logger.setLevel(logging.WARNING)  # set to INFO by its import: a line a context
    context = great_expectations.get_context(**options)
    context.variables.progress_bars = base.ProgressBarsConfig(globally=False)
    return context


def gx_suite() -> Any:
    """The checks as a suite of Great Expectations, not yet in a context."""
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationSuite(
        name=SUITE,
        expectations=[
            ExpectationConfiguration(
                type=check.kind, kwargs={"column": check.column, **check.limits}
            )
            for check in checks()
        ],
    )
