"""Where each column comes from, as sqlglot reads the SQL of views and of the digest's queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope, traverse_scope

from pipelines import contract, dictionary, warehouse
from pipelines.contract import Edge

Schema = Mapping[str, Mapping[str, str]]


def schema(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Every table and view of the warehouse with the types of its columns."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where not internal"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def edges(tables: Schema) -> Iterator[Edge]:
    """Every step: published views and those they read, and the queries behind the digest."""
    for name in sorted({*contract.published_views(), "mention_scored"}):
        yield from _edges("view", name, warehouse.sql(f"views/{name}"), tables)
    for name in sorted(dictionary.digest_queries()):
        yield from _edges("query", name, warehouse.sql(f"queries/{name}"), tables)


def _edges(kind: str, name: str, text: str, tables: Schema) -> Iterator[Edge]:
    first = duckdb.extract_statements(text)[0].query
    parsed: Any = sqlglot.parse_one(first, dialect="duckdb")
    select = parsed.expression if isinstance(parsed, exp.Create) else parsed
    whole = qualify(select, schema=dict(tables), dialect="duckdb", validate_qualify_columns=False)
    scope = build_scope(whole)
    read = {t.name for part in traverse_scope(whole) for t in part.tables} & set(tables)
    for column in whole.named_selects:
        found = lineage(column, whole, scope=scope, schema=dict(tables), dialect="duckdb")
        leaves = {
            (node.source.name, node.name.rpartition(".")[2].strip('"'))
            for node in found.walk()
            if isinstance(node.source, exp.Table) and node.source.name in tables
        }
        for table, source in sorted(leaves or {(table, "*") for table in read}):
            yield Edge(kind, name, column, table, source)
