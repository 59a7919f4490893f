"""The SQL at the foot of a digest's page: what ran, and what anyone may run again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb
import pytest

from pipelines import appendix, digest, warehouse
from pipelines.brief import Digest
from tests.pipelines import valmont


@pytest.fixture(scope="module")
def town() -> Iterator[duckdb.DuckDBPyConnection]:
    with valmont.warehouse_of("crisis") as connection:
        yield connection


@pytest.fixture(scope="module")
def made(town: duckdb.DuckDBPyConnection) -> Digest:
    return digest.build(town, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF)


@pytest.fixture(scope="module")
def page(made: Digest, tmp_path_factory: pytest.TempPathFactory) -> str:
    letter = digest.render(made, locale="fr")
    home = tmp_path_factory.mktemp("home")
    return digest.save(home, made, letter, locale="fr").read_text(encoding="utf-8")


def _queries(page: str) -> dict[str, str]:
    found = re.findall(r'<details id="([a-z_]+)">.*?<pre>(.*?)</pre>', page, re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


def test_every_mark_of_the_page_leads_to_its_sql(page: str) -> None:
    marks = set(re.findall(r'href="#([a-z]+_[a-z_]+)"', page))
    assert len(marks) > 15
    assert marks <= _queries(page).keys()


def test_what_the_page_shows_runs_and_says_what_the_digest_read(
    page: str, made: Digest, town: duckdb.DuckDBPyConnection
) -> None:
    first = {ran.name: ran.parameters for ran in reversed(made.ran)}
    for name, text in _queries(page).items():
        given = {**made.bounds, **first.get(name, {})}
        left = set(re.findall(r"\$([a-z_]+)", text))
        assert left <= {"texts"}, name
        shown = town.execute(text, {key: given[key] for key in left}).fetchall()
        assert shown == warehouse.run(town, f"queries/{name}", given).fetchall(), name


def test_the_mail_holds_names_and_no_sql(made: Digest) -> None:
    letter = digest.render(made, locale="fr")
    assert "select" not in letter.html
    assert '<span id="digest_volume">' in letter.html


def test_the_page_without_its_pictures_stays_small(page: str) -> None:
    bare = re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert len(bare.encode()) < 100_000


@pytest.mark.parametrize(
    "value",
    [
        *("l'eau '; drop table mention; --", "a\\'b", 3, 2.5, True, None, ["x", "y'z"], []),
        *(date(2026, 11, 19), time(12, 30), time.max),
        datetime(2026, 11, 19, 23, 0, 0, 1, tzinfo=UTC),
    ],
)
def test_a_value_as_a_literal_is_the_value(value: object) -> None:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    text = appendix.filled("select $value is not distinct from $same", {"value": value})
    assert connection.execute(text, {"same": value}).fetchone() == (True,)


def test_a_kind_that_no_query_takes_is_refused() -> None:
    with pytest.raises(TypeError, match="Path"):
        appendix.literal(Path("/etc"))
