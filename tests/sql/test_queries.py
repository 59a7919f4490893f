"""The analysts' questions run as they stand against the published file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import publish, warehouse
from tests.pipelines.staged import SEEN, intake, measure, mention, score, stored

QUESTIONS = [name for name in warehouse.sql_names("queries") if name.startswith("analyst_")]


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Two weeks of twelve people a day, twice as negative in the second."""
    home = tmp_path_factory.mktemp("home")
    mentions = [
        mention(
            day * 100 + n,
            published_at=SEEN - timedelta(days=day, minutes=n),
            text="Même texte" if n < 3 and day == 0 else f"Texte {day} {n}",
            like_count=n,
            network="x" if n % 12 == 11 else "mastodon",
            place_codes=(("commune:37261", "commune:37122"), ("departement:37",), ())[n % 3],
        )
        for day in range(14)
        for n in range(24 if day < 7 else 12)
    ]
    mentions.append(mention(5000, is_own=True, reply_count=4, view_count=100))
    scores = [
        score(m, sentiment="negative" if n % 3 else "undetermined") for n, m in enumerate(mentions)
    ]
    read = [measure(day, 1_203 if day == 1 else 340) for day in range(1, 20)]
    with stored(home, mentions, scores=scores, intakes=[intake()], attention=read) as connection:
        connection.execute(
            "insert into incident values ('i1', 'f', 'volume_surge', '1', 'ville', 'all',"
            " 'warning', 'firing', $at, $at, null, 3, 1, '{}')",
            {"at": SEEN},
        )
    path = publish.publish(home, made_at=SEEN)
    with warehouse.opened_file(path, read_only=True) as connection:
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, object]]:
    cursor = warehouse.run(connection, f"queries/{name}")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_there_are_questions_enough() -> None:
    assert len(QUESTIONS) >= 30


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_asked_in_its_header_and_answered(
    name: str, analyst: duckdb.DuckDBPyConnection
) -> None:
    text = warehouse.sql(f"queries/{name}")
    assert re.match(r"-- Question: .+\?\n-- Purpose: ", text)
    for word in ("Grain:", "Reads:", "Units:", "Caveat:"):
        assert word in text
    assert _rows(analyst, name) is not None


def test_rising_topics_compares_two_weeks(analyst: duckdb.DuckDBPyConnection) -> None:
    (topic,) = _rows(analyst, "analyst_rising_topics")
    assert (topic["this_week_count"], topic["last_week_count"]) == (168, 84)
    assert topic["change"] == 2


def test_copies_counts_one_text_once(analyst: duckdb.DuckDBPyConnection) -> None:
    (text,) = _rows(analyst, "analyst_copies")
    assert (text["copy_count"], text["said"]) == (3, "Même texte")


def test_how_sure_tells_the_undetermined(analyst: duckdb.DuckDBPyConnection) -> None:
    (french,) = _rows(analyst, "analyst_how_sure")
    assert french["lang"] == "fr"
    assert french["undetermined_share"] == pytest.approx(1 / 3, abs=0.01)


def test_attention_names_the_days_on_which_a_page_drew_it(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = _rows(analyst, "analyst_attention")
    assert (row["about"], row["view_count"], row["usual_view_count"]) == ("Valbrume", 1_203, 340.0)


def test_own_posts_are_rated_by_view(analyst: duckdb.DuckDBPyConnection) -> None:
    (post,) = _rows(analyst, "analyst_own_posts")
    assert (post["reply_count"], post["rate"]) == (4, 0.04)


def test_places_count_a_message_once_for_all_that_its_places_lie_within(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    found = {row["place_code"]: row["mention_count"] for row in _rows(analyst, "analyst_places")}
    assert found == {
        "commune:37261": 84, "commune:37122": 84, "departement:37": 168, "region:24": 168,
    }  # fmt: skip


def test_the_institutions_own_posts_are_in_no_other_answer(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    assert sum(row["mention_count"] for row in _rows(analyst, "analyst_rhythm")) == 252  # type: ignore[misc]


def test_no_question_needs_a_parameter(tmp_path: Path) -> None:
    for name in QUESTIONS:
        assert "$" not in warehouse.sql(f"queries/{name}")
