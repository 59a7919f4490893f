"""Runs every rule of `sql/alerts` at a given moment.

A rule is one SQL file: its header says what a person should know of it, its first CTE holds its
numbers, its columns are those of `pipelines.alert.Alert`. Adding a rule is adding a file. Rules
read `signal`, the windows of subjects and topics with their baseline, `signal_act`, the same of
acts and of complaints about a service (scopes with a colon), `spread`, what is passed on
(`pipelines/spreads.py`), `engagement`, what is gained by it (`pipelines/gains.py`), and any table
of the warehouse; they are given `$as_of` and must not read what was published at or after it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import gains, spreads, surge, warehouse
from pipelines.alert import COLUMNS, Alert
from pipelines.errors import WarehouseError
from pipelines.settings import Settings

log = logging.getLogger(__name__)

TABLES = ("signal", "signal_act", "spread", "engagement")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_TABLE = re.compile(rf"\b(?:{'|'.join(TABLES)})\b", re.IGNORECASE)


def detect(
    connection: duckdb.DuckDBPyConnection,
    *,
    settings: Settings,
    as_of: datetime,
    keeps: bool = False,
    names: Collection[str] | None = None,
) -> list[Alert]:
    """What every rule says at `as_of`: rows that enter, and rows that have not yet left.

    `names`: only these rules, for which only what they read is made. The same warehouse and moment
    give the same alerts. Changes nothing in the warehouse, unless it `keeps` what it learns for the
    rest of the day (`pipelines/learnt.py`).
    """
    asked = [n for n in warehouse.sql_names("alerts") if names is None or n in names]
    wanted = {table for name in asked for table in reads(warehouse.sql(f"alerts/{name}"))}
    zone = settings.institution.zone
    with read(connection, as_of=as_of, zone=zone, keeps=keeps, wanted=wanted):
        return [alert for name in asked for alert in evaluate(connection, name, as_of=as_of)]


def reads(text: str) -> frozenset[str]:
    """Those of `TABLES` that a rule may read."""
    return frozenset(found.lower() for found in _TABLE.findall(_COMMENT.sub("", text)))


@contextmanager
def read(
    connection: duckdb.DuckDBPyConnection,
    *,
    as_of: datetime,
    zone: ZoneInfo,
    keeps: bool = False,
    wanted: Collection[str] = TABLES,
) -> Iterator[None]:
    """What rules read beside the warehouse at `as_of`, there until the block ends: `TABLES`, or
    those `wanted`."""
    found: dict[str, pa.Table] = {}
    if not {"signal", "signal_act"}.isdisjoint(wanted):
        found |= _signals(surge.signals(connection, as_of=as_of, zone=zone, keeps=keeps))
    if "spread" in wanted:
        found["spread"] = spreads.signals(connection, as_of=as_of)
    if "engagement" in wanted:
        found["engagement"] = gains.signals(connection, as_of=as_of)
    for name, table in found.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in found:
            connection.unregister(name)


def _signals(found: pa.Table) -> dict[str, pa.Table]:
    is_act = pc.match_substring(found["scope"], ":")
    return {"signal": found.filter(pc.invert(is_act)), "signal_act": found.filter(is_act)}


def evaluate(connection: duckdb.DuckDBPyConnection, name: str, *, as_of: datetime) -> list[Alert]:
    """The alerts of one rule; WarehouseError when its columns are not those of an Alert."""
    found = warehouse.run(connection, f"alerts/{name}", {"as_of": as_of})
    columns = [column[0] for column in found.description or ()]
    if wrong := sorted({*columns} ^ {*COLUMNS}):
        raise WarehouseError(
            f"sql/alerts/{name}.sql does not return the columns of an Alert: "
            f"correct {', '.join(wrong)} in its last select"
        )
    rows = [_alert(name, dict(zip(columns, row, strict=True))) for row in found.fetchall()]
    log.info("rule.evaluated rule=%s rows=%d", name, len(rows))
    return rows


def _alert(name: str, row: dict[str, Any]) -> Alert:
    try:
        return msgspec.convert(row, Alert, strict=False)
    except msgspec.ValidationError as error:
        raise WarehouseError(
            f"sql/alerts/{name}.sql returns a row that is no Alert ({error}): "
            "correct its last select"
        ) from error
