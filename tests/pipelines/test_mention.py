from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from pipelines import warehouse
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    Deletion,
    Mention,
    field_names,
    mention_id,
    to_table,
)

# What DuckDB calls each Arrow type.
SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.list_(pa.string()): "VARCHAR[]",
}


def test_the_record_the_arrow_schema_and_the_sql_table_are_equal() -> None:
    connection = duckdb.connect()
    warehouse.migrate(connection)
    table = connection.execute("describe mention").fetchall()
    assert field_names(Mention) == tuple(MENTION_SCHEMA.names)
    assert [(name, kind, null) for name, kind, null, *_ in table] == [
        (field.name, SQL_TYPES[field.type], "YES" if field.nullable else "NO")
        for field in MENTION_SCHEMA
    ]


def test_the_key_depends_on_the_source_and_the_native_id_and_their_border() -> None:
    assert mention_id("feed", "a") == mention_id("feed", "a")
    assert mention_id("feed", "a") != mention_id("fee", "da")
    assert len(mention_id("feed", "a")) == 32


def test_records_become_a_table_of_the_schema() -> None:
    gone = Deletion(source="feed", native_id="a", deleted_at=datetime(2026, 10, 1, tzinfo=UTC))
    table = to_table([gone], DELETION_SCHEMA)
    assert table.schema == DELETION_SCHEMA
    assert table.to_pylist()[0]["reason"] == "gone"
