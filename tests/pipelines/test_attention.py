"""Attention: measured, stored once, shown by day; never a mention, never a person."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipelines import load, privacy, publish, run, warehouse
from pipelines.attention import ATTENTION_SCHEMA
from tests.pipelines.loopback import serving
from tests.pipelines.sources.test_wikipedia import PAGE, Wiki, change
from tests.pipelines.staged import SEEN, checksums, measure, one, stage, stored
from tests.pipelines.test_mention import SQL_TYPES
from tests.pipelines.test_run import TOML

UNTIL = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WIKI = """kind = "wikipedia"
pages = ["Valmont (Loire)"]
subject = "ville"
host = "{url}"
views_host = "{url}"
"""


def test_the_arrow_schema_and_the_sql_table_are_equal() -> None:
    connection = duckdb.connect()
    warehouse.migrate(connection)
    table = connection.execute("describe attention").fetchall()
    assert [(name, kind, null) for name, kind, null, *_ in table] == [
        (field.name, SQL_TYPES[field.type], "YES" if field.nullable else "NO")
        for field in ATTENTION_SCHEMA
    ]


def test_a_measure_read_again_is_replaced_and_a_second_load_writes_nothing(tmp_path: Path) -> None:
    with stored(tmp_path, attention=[measure(1, 340), measure(2, 300)]) as connection:
        before = checksums(connection)
        again = stage(tmp_path / "again", attention=[measure(1, 340)], run_id="b")
        load.load(connection, again, loaded_at=SEEN)
        assert checksums(connection)["attention"] == before["attention"]
        later = stage(tmp_path / "later", attention=[measure(1, 352)], run_id="c")
        load.load(connection, later, loaded_at=SEEN)
        rows = connection.execute("select value, run_id from attention order by measured_at desc")
        assert [row[0] for row in rows.fetchall()] == [352.0, 300.0]
        assert one(connection, "select count(*) from mention") == 0


def _days(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select day_on, view_count, usual_view_count, round(view_ratio, 2), edit_count,"
        " revert_count, changed_bytes from attention_daily order by day_on desc"
    ).fetchall()


def test_a_day_is_compared_with_the_four_weeks_before(tmp_path: Path) -> None:
    noon = SEEN.replace(hour=12, minute=0) - timedelta(days=1)
    moment: dict[str, Any] = {"measured_at": noon, "span_seconds": 0}
    edits = [
        measure(1, -469, native_id="r1", kind="revert", **moment),
        measure(1, 31, native_id="r2", kind="edit", **moment),
    ]
    read = [measure(day, 1_200 if day == 1 else 300 + day) for day in range(1, 9)]
    with stored(tmp_path, attention=[*read, *edits]) as connection:
        found = _days(connection)
    assert found[0] == (date(2026, 11, 19), 1_200, 305.0, 3.93, 2, 1, 500)
    assert found[1] == (date(2026, 11, 18), 302, None, None, 0, 0, 0)  # six days are too few


def test_a_day_with_changes_alone_has_no_readings_rather_than_none(tmp_path: Path) -> None:
    edit = measure(0, 5, kind="edit", span_seconds=0)
    with stored(tmp_path, attention=[edit]) as connection:
        assert _days(connection) == [(date(2026, 11, 20), None, None, None, 1, 0, 5)]


def test_analysts_get_the_days_and_nothing_of_a_person(tmp_path: Path) -> None:
    with stored(tmp_path, attention=[measure(1, 340)]):
        pass
    path = publish.publish(tmp_path, made_at=SEEN)
    with warehouse.opened_file(path, read_only=True) as connection:
        assert one(connection, "select about from attention_daily") == "Valbrume"


def test_a_run_reads_a_wiki_from_the_page_to_the_analyst(tmp_path: Path) -> None:
    """Collected, accepted, scored, loaded; twice, since a killed run is run again."""
    changes = [change(n, UNTIL - timedelta(hours=n + 1)) for n in range(1, 5)]
    changes.append(changes[0] | {"title": "Autre page", "revid": 99})  # nobody asked about it
    views = {date(2026, 11, 20) - timedelta(days=n): 300 + n for n in range(1, 8)}
    with serving(Wiki(changes, views=views)) as peer:
        block = WIKI.format(url=peer.url)
        text = TOML.format(url=peer.url).replace("[net]\n", '[net]\ncontact = "a@b.example"\n')
        text = re.sub(r'kind = "feed"\nurl = .*\n', lambda _: block, text)
        (tmp_path / "vigie.toml").write_text(text, encoding="utf-8")
        privacy.new_key(tmp_path)
        house = run.house(tmp_path, environ={})
        for _ in range(2):
            run.watch(house, since=UNTIL - timedelta(minutes=5), until=UNTIL, now=UNTIL)
    with warehouse.opened(tmp_path, read_only=True) as connection:
        kinds = connection.execute(
            "select kind, count(*), any_value(subject_id) from attention group by 1 order by 1"
        ).fetchall()
        assert kinds == [("page_views", 7, "ville"), ("revert", 4, "ville")]
        intake = connection.execute("select status, post_count, accepted_count from intake")
        assert intake.fetchall() == [("ok", 11, 0)]
        assert one(connection, "select count(*) from mention") == 0
        assert one(connection, "select about from attention_daily limit 1") == PAGE
