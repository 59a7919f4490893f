"""The matcher of the stream and the SQL over history say the same of every query and post."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from pipelines import query, query_match, query_sql
from pipelines.errors import QueryError
from pipelines.query_terms import literal
from pipelines.query_tree import Node, Raw
from tests.pipelines import query_dice as dice

HOSTILE = (
    "'; drop table posts; --", "' or 1=1 --", "\\x{41}", "a|b", ".*", "(?i)x", "$q1", "${q1}",
    "%' or '1'='1", 'a"b', "a\\", "\\Qx\\E", "[a-z]", "^$", "{0,3}", "a\x00b", "𝕏{", "e\u0301",
)  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "1"}) as opened:
        opened.execute("set enable_progress_bar = false")
        yield opened


def _differ(
    connection: duckdb.DuckDBPyConnection, tree: Node, posts: list[dice.Drawn]
) -> list[dice.Drawn]:
    documents = [dice.document(post) for post in posts]
    connection.register("posts", dice.table(posts, documents))
    by_sql = dice.by_sql(connection, tree, "posts")
    return [posts[n] for n in by_sql ^ dice.by_matcher(tree, documents)]


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0))
def test_both_say_the_same_of_random_queries_and_posts(
    connection: duckdb.DuckDBPyConnection, seed: int
) -> None:
    chance = random.Random(seed)
    posts = [dice.post(chance) for _ in range(40)]
    asked = dice.asked(chance)
    assert _differ(connection, asked.tree, posts) == [], asked.text


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0))
def test_both_say_the_same_of_the_terms_of_a_subject(
    connection: duckdb.DuckDBPyConnection, seed: int
) -> None:
    chance = random.Random(seed)
    posts = [dice.post(chance) for _ in range(40)]
    tree = dice.terms(chance)
    assert _differ(connection, tree, posts) == [], tree


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4))
def test_both_say_the_same_of_any_text_and_any_words(
    connection: duckdb.DuckDBPyConnection, text: str, asked: list[str]
) -> None:
    trees = [_phrase(word) for word in [*asked, *text.split()[:3]]]
    trees += [Raw(word) for word in [*asked, *text.split()[:3], text[3:9]] if word.strip()]
    for tree in (tree for tree in trees if tree is not None):
        found = query_match.document(text)
        row = _row(connection, found, text)
        assert _answers(connection, tree, row) == bool(query_match.compiled([tree]).find(found))


def _phrase(word: str) -> Node | None:
    return literal(word, is_counted=True)


def _row(connection: duckdb.DuckDBPyConnection, read: query_match.Document, text: str) -> str:
    connection.execute(
        "create or replace temp table one as select ? as words, ? as text, cast(null as varchar)"
        " as title, cast(null as varchar) as content_warning",
        [read.words.stored, text],
    )
    return "one"


def _answers(connection: duckdb.DuckDBPyConnection, tree: Node, relation: str) -> bool:
    sql = query_sql.condition(tree, columns=())
    return bool(connection.execute(sql.select(relation, ["1"]), sql.parameters).fetchall())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_reach_sql_as_values_and_never_as_sql(
    connection: duckdb.DuckDBPyConnection, text: str
) -> None:
    harmless = query_sql.condition(Raw("mot"), columns=()).condition
    assert query_sql.condition(Raw(text), columns=()).condition == harmless
    for tree in (_phrase(text), Raw(text)):
        if tree is None:
            continue
        if not isinstance(tree, Raw):
            sql = query_sql.condition(tree, columns=())
            assert re.fullmatch(r"[a-z_(), $0-9]+", sql.condition)
        for shown in (text, f"x {text} y", "nothing"):
            read = query_match.document(shown)
            row = _row(connection, read, shown)
            expected = bool(query_match.compiled([tree]).find(read))
            assert _answers(connection, tree, row) == expected, (text, shown)


@pytest.mark.parametrize(
    "asked",
    [f'source:"{text}"' for text in ("x';drop", "a b")] + ["site:a'b.fr", "lang:f'r", "place:3'7"],
)
def test_a_value_that_is_none_of_its_kind_never_reaches_sql(asked: str) -> None:
    with pytest.raises(QueryError):
        query.parse(f"mairie AND {asked}")


def test_every_letter_and_digit_of_python_is_one_for_sql(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    kept = [code for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    connection.execute(
        "create or replace temp table sign as select unnest(?::integer[]) as code", [kept]
    )
    rows = connection.execute(
        "select code from sign where regexp_matches(chr(code), ?)",
        [f"^[{query_sql._letters()}]$"],
    ).fetchall()
    assert {code for (code,) in rows} == {code for code in kept if chr(code).isalnum()}


def test_thousands_of_phrases_are_a_few_expressions(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    text = " OR ".join(f'"mot{n} de la mairie {n}"' for n in range(3_000))
    tree = query.parse(text).tree
    post = query_match.document("voici mot2999 de la mairie 2999")
    assert _answers(connection, tree, _row(connection, post, ""))
    assert len(query_sql.condition(tree, columns=()).parameters) < 20


@pytest.mark.parametrize(
    "asked",
    ["((mairie NEAR/100 tram) NEAR/100 bus) NEAR/100 absent", "mairie NEAR/100 absent", "x?mairie"],
)
def test_a_long_text_that_repeats_the_words_costs_sql_little(
    connection: duckdb.DuckDBPyConnection, asked: str
) -> None:
    post = query_match.document("mairie tram bus " * 6_000)
    row = _row(connection, post, "")
    began = time.process_time()
    assert not _answers(connection, query.parse(asked).tree, row)
    assert time.process_time() - began < 4.0


def test_a_place_is_asked_only_of_a_table_that_has_them() -> None:
    tree = query.parse("place:37").tree
    assert query_sql.condition(tree, columns=("words",)).condition == "coalesce(false, false)"
    assert "place_codes" in query_sql.condition(tree, columns=("place_codes",)).condition


def test_a_mention_without_words_answers_no_word(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "create or replace temp table one as select cast(null as varchar) as words, '' as text,"
        " cast(null as varchar) as title, cast(null as varchar) as content_warning"
    )
    assert not _answers(connection, query.parse("mairie").tree, "one")
    assert not _answers(connection, query.parse("mairie NEAR/5 tram").tree, "one")
