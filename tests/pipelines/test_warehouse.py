"""warehouse: opened late, closed early; views in any order; only the named parameters bound."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from pipelines import warehouse
from pipelines.errors import WarehouseBusy, WarehouseError
from pipelines.places import gazetteer
from tests.pipelines.staged import one, settings

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """SQL files of the test's own, by name."""
    found: dict[str, str] = {}
    monkeypatch.setattr(warehouse, "sql", found.__getitem__)
    monkeypatch.setattr(
        warehouse,
        "sql_names",
        lambda folder: sorted(n.split("/")[1] for n in found if n.startswith(f"{folder}/")),
    )
    return found


def test_run_binds_exactly_the_parameters_that_a_statement_names(texts: dict[str, str]) -> None:
    texts["writes/x"] = "select $day as day -- not $days\n"
    given = {"day": 1, "days": 2, "da": 3}
    assert warehouse.run(duckdb.connect(), "writes/x", given).fetchall() == [(1,)]


def test_run_gives_each_statement_of_a_file_its_own_parameters(texts: dict[str, str]) -> None:
    texts["writes/x"] = "create table t as select $a as a; insert into t select $b; from t;"
    assert warehouse.run(duckdb.connect(), "writes/x", {"a": 1, "b": 2}).fetchall() == [(1,), (2,)]


def test_run_refuses_a_parameter_that_was_not_given(texts: dict[str, str]) -> None:
    texts["writes/x"] = "select $since"
    with pytest.raises(duckdb.InvalidInputException):
        warehouse.run(duckdb.connect(), "writes/x", {"until": 1})


def test_views_are_made_whatever_their_names_and_keep_their_comments(
    texts: dict[str, str],
) -> None:
    texts["views/a"] = (
        "-- Reads: b; has a semicolon here.\n"
        "create or replace view a as select * from b; comment on view a is 'one; two';"
    )
    texts["views/b"] = "create or replace view b as select 1 as n; comment on view b is 'b';"
    connection = duckdb.connect()
    for _ in range(2):
        warehouse.create_views(connection)
        comments = connection.execute(
            "select view_name, comment from duckdb_views() where not internal order by 1"
        ).fetchall()
        assert comments == [("a", "one; two"), ("b", "b")]


def test_a_view_whose_columns_change_takes_those_that_read_it_along(texts: dict[str, str]) -> None:
    texts["views/a"] = "create or replace view a as select * from b"
    texts["views/b"] = "create or replace view b as select 1 as n"
    texts["views/old"] = "create or replace view old as select 1 as n"
    connection = duckdb.connect()
    warehouse.create_views(connection)
    texts["views/b"] = "create or replace view b as select 'x' as n, 2 as m"
    del texts["views/old"]
    warehouse.create_views(connection)
    assert connection.execute("from a").fetchall() == [("x", 2)]
    assert one(connection, "select list(view_name) from duckdb_views() where not internal") == [
        "a",
        "b",
    ]


def test_a_view_that_reads_what_is_not_there_is_told_in_duckdbs_words(
    texts: dict[str, str],
) -> None:
    texts["views/a"] = "create or replace view a as select * from nowhere"
    with pytest.raises(duckdb.CatalogException, match="nowhere"):
        warehouse.create_views(duckdb.connect())


def test_prepare_twice_applies_each_migration_once(tmp_path: Path) -> None:
    for _ in range(2):
        warehouse.prepare(settings(tmp_path))
    with warehouse.opened(tmp_path, read_only=True) as connection:
        names = connection.execute("select name from migration").fetchall()
        assert names == [(name,) for name in warehouse.sql_names("migrations")]
        assert one(connection, "select name from institution") == "Ville de Valbrume"
        assert one(connection, "select count(*) from source_block") == 2


def test_a_warehouse_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    warehouse.prepare(settings(tmp_path))
    with warehouse.opened(tmp_path) as connection:
        connection.execute("insert into migration values ('9999_later', now())")
        with pytest.raises(WarehouseError, match="9999_later"):
            warehouse.migrate(connection)


def test_reading_where_there_is_no_warehouse_says_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseError, match="vigie watch"),
        warehouse.opened(tmp_path, read_only=True),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_whoever_finds_the_warehouse_held_waits_for_it(tmp_path: Path) -> None:
    warehouse.prepare(settings(tmp_path))
    path = str(tmp_path / warehouse.WAREHOUSE)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        with (
            pytest.raises(WarehouseBusy, match="held by another process"),
            warehouse.opened(tmp_path, wait_seconds=0.2),
        ):
            pass
        threading.Timer(0.3, other.stdin.close).start()
        with warehouse.opened(tmp_path, wait_seconds=30) as connection:
            assert one(connection, "select 1") == 1


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    connection = duckdb.connect()
    with pytest.raises(duckdb.Error), warehouse.transaction(connection):
        connection.execute("create table t (a int); insert into t values ('no number')")
    assert one(connection, "select count(*) from duckdb_tables()") == 0


def test_nothing_is_fetched_and_memory_is_bounded(tmp_path: Path) -> None:
    with warehouse.in_memory() as connection:
        assert one(connection, "select current_setting('autoinstall_known_extensions')") is False
        assert "MiB" in one(connection, "select current_setting('memory_limit')")
        assert one(connection, "select current_setting('timezone')") == "UTC"


def test_a_warehouse_of_another_account_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, **_: object) -> None:
        raise duckdb.IOException(f'IO Error: Cannot open file "{path}": Permission denied')

    monkeypatch.setattr(duckdb, "connect", refuse)
    told = "run as the account that owns it, or chown it"
    with pytest.raises(WarehouseError, match=told), warehouse.opened(tmp_path):
        pass


def test_the_gazetteer_is_written_once(tmp_path: Path) -> None:
    warehouse.prepare(settings(tmp_path))
    with warehouse.opened(tmp_path) as connection:
        assert one(connection, "select count(*) from place") == len(gazetteer.places())
        connection.execute("delete from place where level = 'commune'")
    warehouse.prepare(settings(tmp_path))
    with warehouse.opened(tmp_path) as connection:
        assert one(connection, "select count(*) from place where level = 'commune'") == 0
        connection.execute("update gazetteer set version = 'older'")
    warehouse.prepare(settings(tmp_path))
    with warehouse.opened(tmp_path) as connection:
        assert one(connection, "select count(*) from place") == len(gazetteer.places())
