"""The analysts' contract: every column told, every change seen, every figure traced.

    python -m tests.sql.test_contract     # writes sql/contract.toml and sql/lineage.csv again

Raise the version in sql/contract.toml by hand: before the point when a column goes or changes.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path

import duckdb
import pytest

from pipelines import contract, dictionary, publish, warehouse
from pipelines.contract import Edge
from tests.pipelines.staged import SEEN, mention, settings, stored
from tests.sql import lineage

SQL = Path(__file__).parents[2] / "sql"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analysts' file of one message."""
    home = tmp_path_factory.mktemp("home")
    with stored(home, [mention(1)]):
        pass
    return publish.publish(home, made_at=SEEN)


@pytest.fixture(scope="module")
def analyst(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """That file, open."""
    with warehouse.opened_file(published, read_only=True) as connection:
        yield connection


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where not internal"
        " order by table_name, column_index"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def _traced() -> list[Edge]:
    with tempfile.TemporaryDirectory() as folder:
        warehouse.prepare(settings(Path(folder)))
        with warehouse.opened(Path(folder)) as connection:
            tables = lineage.schema(connection)
    return list(lineage.edges(tables))


def test_every_table_and_column_of_the_file_has_a_comment(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    silent = analyst.execute(
        "select table_name, column_name from dictionary where coalesce(says, '') = ''"
    ).fetchall()
    assert silent == []


def test_the_columns_of_the_file_are_those_of_the_contract(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    assert _columns(analyst) == {name: dict(of) for name, of in contract.columns().items()}, (
        "the contract has changed: raise its version and run `python -m tests.sql.test_contract`"
    )


def test_the_file_says_which_contract_it_keeps(analyst: duckdb.DuckDBPyConnection) -> None:
    assert analyst.execute("select contract from about").fetchall() == [(contract.version(),)]
    assert re.fullmatch(r"\d+\.\d+", contract.version())


def test_a_view_in_the_dictionary_has_its_grain_units_and_caveat(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    heads = analyst.execute(
        "select table_name from dictionary where column_name is null and grain != ''"
        " and units != '' and caveat != '' and reads != ''"
    ).fetchall()
    assert sorted(name for (name,) in heads) == contract.published_views()


def test_lineage_is_as_the_sql_reads() -> None:
    assert list(contract.lineage()) == _traced(), "run `python -m tests.sql.test_contract`"


def test_every_figure_of_the_digest_leads_to_the_warehouse() -> None:
    queries = {edge.name for edge in contract.lineage() if edge.kind == "query"}
    assert {"digest_volume", "digest_tone", "digest_topics", "coverage_windows"} <= queries
    assert queries == dictionary.digest_queries()
    with tempfile.TemporaryDirectory() as folder:
        warehouse.prepare(settings(Path(folder)))
        with warehouse.opened(Path(folder)) as connection:
            tables = lineage.schema(connection)
    views = {edge.name for edge in contract.lineage() if edge.kind == "view"}
    for edge in contract.lineage():
        assert edge.from_column == "*" or edge.from_column in tables[edge.from_table], edge
        assert edge.kind == "view" or edge.from_table in views or edge.from_table in tables


def test_a_column_is_traced_through_the_view_it_stands_in() -> None:
    found = {(e.name, e.column, e.from_table, e.from_column) for e in contract.lineage()}
    assert ("daily_tone", "negative_share", "daily", "negative_count") in found
    assert ("mention_public", "sentiment", "mention_scored", "sentiment") in found
    assert ("mention_scored", "sentiment", "score", "sentiment") in found
    assert ("digest_own_posts", "share_count", "mention_scored", "share_count") in found


def test_no_lineage_of_a_published_column_leads_to_an_author() -> None:
    views = [edge for edge in contract.lineage() if edge.kind == "view"]
    assert [edge for edge in views if edge.from_column.startswith("author_k")] == []
    assert any(edge.from_column == "author_count" for edge in views)


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_page_names_every_column_question_macro_and_figure(
    published: Path, locale: str
) -> None:
    page = (published.parent / f"dictionary.{locale}.html").read_text(encoding="utf-8")
    for table, columns in contract.columns().items():
        for column in columns:
            assert f'id="{table}.{column}"' in page
    for question in contract.questions():
        assert f"<code>{question.name}</code>" in page
    for name in contract.macros():
        assert name in page
    for name in dictionary.digest_queries():
        assert f'id="query.{name}"' in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_french_page_is_french_to_the_last_column(published: Path) -> None:
    french = (published.parent / "dictionary.fr.html").read_text(encoding="utf-8")
    english = (published.parent / "dictionary.en.html").read_text(encoding="utf-8")
    cells = re.compile(r'<tr id="([^"]+)">.*?<td class="muted">.*?</td><td>(.*?)</td>')
    told = dict(cells.findall(english))
    same = [name for name, says in cells.findall(french) if says == told[name]]
    assert same == []


def test_a_hostile_name_of_an_institution_stays_text_on_the_page(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1)]) as connection:
        connection.execute("update institution set name = '<script>alert(1)</script>'")
    path = publish.publish(tmp_path, made_at=SEEN)
    page = (path.parent / "dictionary.fr.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_macros_keep_what_they_say(tmp_path: Path) -> None:
    from datetime import timedelta

    from tests.pipelines.staged import score

    mentions = [
        mention(1, place_codes=("commune:37261",)),
        mention(2, published_at=SEEN - timedelta(days=3), subject_ids=("tram",)),
        mention(3, published_at=SEEN - timedelta(days=9), is_own=True),
    ]
    scores = [score(m, topics=[t]) for m, t in zip(mentions, ("T09", "T20", "T09"), strict=True)]
    with stored(tmp_path, mentions, scores=scores):
        pass
    path = publish.publish(tmp_path, made_at=SEEN)
    expected = {
        "last_days(1)": 1,
        "last_days(7)": 2,
        "last_days(30) where not is_own": 2,
        "not_own()": 2,
        "of_subject('tram')": 1,
        "of_topic('T09')": 2,
        "last_days(7) semi join of_topic('T09') as t using (mention_id)": 1,
        "of_place('departement:37')": 1,
        "of_place('region:11')": 0,
        "between_days('2026-11-11', '2026-11-17')": 2,
        "between_days('2026-11-12', '2026-11-17')": 1,
        "between_days('2026-11-17', '2026-11-12')": 0,
        "heard()": 2,
        "heard(days := 1)": 1,
        "heard(topic := 'T20', subject := 'tram')": 1,
        "heard(days := 7, topic := 'T09', place := 'commune:37261')": 1,
        "heard(days := 1, topic := 'T20')": 0,
    }
    with warehouse.opened_file(path, read_only=True) as connection:
        for relation, count in expected.items():
            query = f"select count(*) from {relation}"  # noqa: S608
            assert connection.execute(query).fetchall() == [(count,)], relation
        low, high = connection.execute("select share_low(10, 20), share_high(10, 20)").fetchall()[0]
        assert (round(low, 4), round(high, 4)) == (0.2993, 0.7007)
        assert connection.execute("select share_low(0, 0)").fetchall() == [(None,)]
        assert set(contract.macros()) == {
            name
            for (name,) in connection.execute(
                "select function_name from duckdb_functions()"
                " where not internal and function_type like '%macro' and comment is not null"
            ).fetchall()
        }


def _write() -> None:
    """Write sql/lineage.csv and the columns of sql/contract.toml again."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Edge)])
    writer.writerows(astuple(edge) for edge in _traced())
    (SQL / "lineage.csv").write_text(text.getvalue(), encoding="utf-8")
    contract.lineage.cache_clear()
    with tempfile.TemporaryDirectory() as folder:
        with stored(Path(folder), [mention(1)]):
            pass
        path = publish.publish(Path(folder), made_at=SEEN)
        with warehouse.opened_file(path, read_only=True) as connection:
            tables = _columns(connection)
    kept = (SQL / "contract.toml").read_text(encoding="utf-8").partition("\n[tables.")[0]
    blocks = [
        "\n".join([f"[tables.{name}]", *(f'{c} = "{kind}"' for c, kind in columns.items())])
        for name, columns in tables.items()
    ]
    (SQL / "contract.toml").write_text(kept + "\n" + "\n\n".join(blocks) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
