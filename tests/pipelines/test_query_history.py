"""Queries of today over stored mentions: what they find, what they let go, and what stays."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import query_history, query_match, warehouse, words
from pipelines.query_history import Rejudged
from pipelines.query_terms import Allowed
from pipelines.settings import Subject
from pipelines.subjects import Watch, watched
from tests.pipelines import query_dice
from tests.pipelines.staged import SEEN, mention, one, score, stored

ALL = {"since": datetime(2000, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


def watch(subject_id: str = "ville", **changes: Any) -> Watch:
    values = {"id": subject_id, "label": "x", "purpose": "répondre aux habitants"}
    (made,) = watched([Subject(**(values | changes))], Allowed())
    return made


def rerun(
    connection: duckdb.DuckDBPyConnection, *watches: Watch, given: Iterable[tuple[str, str]] = ()
) -> list[Rejudged]:
    days = query_history.days(connection, **ALL)
    return [query_history.rerun(connection, watches, day, given=list(given)) for day in days]


def rows(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[list[str], list[str]]]:
    found = connection.execute(
        "select native_id, subject_ids, query_versions from mention order by native_id"
    )
    return {name: (ids, versions) for name, ids, versions in found.fetchall()}


def test_a_changed_query_gains_and_loses_and_keeps_its_record(tmp_path: Path) -> None:
    old, new = watch(query="tram"), watch(query="bus")
    mentions = [
        mention(1, text="le tram", query_versions=(old.version,)),
        mention(2, text="le bus", subject_ids=("tram",), query_versions=("tram@1",)),
        mention(3, text="le tram et le bus", query_versions=(old.version,)),
    ]
    with stored(tmp_path, mentions, scores=map(score, mentions)) as connection:
        (found,) = rerun(connection, new)
        assert rows(connection) == {
            "n1": ([], [old.version]),
            "n2": (["tram", "ville"], sorted(["tram@1", new.version])),
            "n3": (["ville"], sorted([old.version, new.version])),
        }
        counted = dict(
            connection.execute(
                "select subject_id, mention_count from daily where scope = 'all'"
            ).fetchall()
        )
    assert (dict(found.added), dict(found.removed)) == ({"ville": 1}, {"ville": 1})
    assert counted == {"ville": 2, "tram": 1}


def test_a_second_run_changes_nothing_and_an_old_query_brings_back_what_it_found(
    tmp_path: Path,
) -> None:
    old, new = watch(query="tram"), watch(query="bus")
    with stored(tmp_path, [mention(1, text="le tram", query_versions=(old.version,))]) as c:
        rerun(c, new)
        before = rows(c)
        assert [day.added + day.removed for day in rerun(c, new)] == [{}]
        assert rows(c) == before
        rerun(c, old)
        assert rows(c)["n1"] == (["ville"], [old.version])


def test_what_a_block_or_the_own_account_gives_stays(tmp_path: Path) -> None:
    mentions = [
        mention(1, text="rien", query_versions=("ville@given",)),
        mention(2, text="rien", query_versions=("ville@own",), is_own=True),
        mention(3, text="rien", query_versions=None),
        mention(4, text="rien", query_versions=None, source_name="autre"),
        mention(5, text="rien", query_versions=None, source_name="autre", is_own=True),
        mention(6, text="rien", query_versions=("ville@0",)),
    ]
    with stored(tmp_path, mentions) as connection:
        connection.execute("update mention set query_versions = null where native_id in ('n3')")
        rerun(connection, watch(query="bus"), given=[("masto", "ville")])
        kept = [name for name, (ids, _) in rows(connection).items() if ids]
    assert kept == ["n1", "n2", "n3", "n6"]


def test_what_a_post_stands_under_names_its_subject_for_good(tmp_path: Path) -> None:
    under = mention(1, text="Encore une honte", query_versions=("ville@under",))
    with stored(tmp_path, [under]) as connection:
        (found,) = rerun(connection, watch(query="tram"))
        assert rows(connection)["n1"] == (["ville"], ["ville@under"])
    assert found.removed == {}


def test_only_the_subjects_named_are_run(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1, text="rien", query_versions=("ville@1",))]) as connection:
        rerun(connection, watch("tram", query="bus"))
        assert rows(connection)["n1"] == (["ville"], ["ville@1"])


def test_words_that_are_missing_are_read_first(tmp_path: Path) -> None:
    mentions = [mention(n, text=f"le bus {n}", words=None) for n in range(5)]
    with stored(tmp_path, mentions) as connection:
        query_history.WORDLESS_ROWS, most = 2, query_history.WORDLESS_ROWS
        try:
            (found,) = rerun(connection, watch(query="bus"))
        finally:
            query_history.WORDLESS_ROWS = most
        assert found.read_count == 5
        told = one(connection, "select words from mention where native_id = 'n3'")
        assert told == words.read("le bus 3").stored


def test_what_has_no_text_left_is_left_as_it_is(tmp_path: Path) -> None:
    gone = [mention(n, text="le tram", query_versions=("ville@1",)) for n in range(3)]
    with stored(tmp_path, gone) as connection:
        connection.execute(
            "update mention set text = '', words = null, text_expired_at = now()"
            " where native_id = 'n0'"
        )
        connection.execute("update mention set deleted_at = now() where native_id = 'n1'")
        connection.execute("update mention set optout = true where native_id = 'n2'")
        assert rerun(connection, watch(query="bus")) == []
        assert {tuple(ids) for ids, _ in rows(connection).values()} == {("ville",)}


def test_days_are_days_of_the_institution_and_each_is_a_transaction(tmp_path: Path) -> None:
    late = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # half past midnight in Paris
    mentions = [
        mention(1, text="le bus", published_at=late),
        mention(2, text="le bus", published_at=late - timedelta(hours=2)),
        mention(3, text="le bus", published_at=late + timedelta(hours=24)),  # clocks went back
    ]
    with stored(tmp_path, mentions) as connection:
        days = query_history.days(connection, **ALL)
        assert [(d.day_on.day, d.mention_count) for d in days] == [(24, 1), (25, 2)]
        assert days[1].until - days[1].since == timedelta(hours=25)
        query_history.rerun(connection, [watch(query="bus")], days[0])
        marked = [name for name, (_, said) in rows(connection).items() if len(said or []) > 1]
        assert marked == ["n2"]


def test_a_run_that_breaks_leaves_the_day_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stored(tmp_path, [mention(1, text="le tram", words=None)]) as connection:
        before = rows(connection)
        monkeypatch.setattr(query_history.counts, "refresh", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rerun(connection, watch(query="bus"))
        assert rows(connection) == before
        assert one(connection, "select words from mention") is None


def test_the_stream_and_history_say_the_same_of_what_is_stored(tmp_path: Path) -> None:
    import random

    chance = random.Random(4)
    posts = [query_dice.post(chance) for _ in range(150)]
    shared = ("url", "network", "content_type", "lang", "like_count", "reply_count", "is_own",
              "share_count", "quote_count", "relay_id", "content_warning", "hashtags",
              "mentioned_handles", "source", "source_name")  # fmt: skip
    documents = [replace(query_dice.document(post), place_codes=()) for post in posts]
    mentions = [
        mention(
            n, text=post.text, title=post.title, words=read.words.stored, query_versions=(),
            subject_ids=("autre",), **{name: getattr(post, name) for name in shared},
        )
        for n, (post, read) in enumerate(zip(posts, documents, strict=True))
    ]  # fmt: skip
    asked = [query_dice.asked(chance) for _ in range(25)]
    watches = watched(
        [
            Subject(id=f"s{n}", label="x", purpose="répondre aux habitants", query=each.text)
            for n, each in enumerate(asked)
        ],
        query_dice.ALLOWED,
    )
    stream = query_match.compiled([each.tree for each in watches])
    with stored(tmp_path, mentions) as connection:
        rerun(connection, *watches)
        found = {name: set(ids) - {"autre"} for name, (ids, _) in rows(connection).items()}
    said = {f"n{n}": {f"s{place}" for place in stream.find(d)} for n, d in enumerate(documents)}
    assert found == said
    assert sum(map(len, said.values())) > 100


def test_versions_are_recorded_with_what_they_ask_and_when(tmp_path: Path) -> None:
    old, new = watch(query="tram"), watch(query="bus", names=("Bus",))
    with stored(tmp_path) as connection:
        query_history.note_versions(connection, [old], used_at=SEEN)
        query_history.note_versions(connection, [new], used_at=SEEN + timedelta(days=1))
        query_history.note_versions(connection, [old], used_at=SEEN + timedelta(days=2))
        query_history.note_versions(connection, [old], used_at=SEEN + timedelta(days=1))
        found = connection.execute(
            "select version, asked, first_used_at, last_used_at from query_version"
            " order by first_used_at"
        ).fetchall()
    assert [row[0] for row in found] == [old.version, new.version]
    assert json.loads(found[1][1]) == {"query": "bus", "names": ["Bus"]}
    assert found[0][2:] == (SEEN, SEEN + timedelta(days=2))


def test_the_table_of_versions_holds_no_post_and_no_person(tmp_path: Path) -> None:
    with stored(tmp_path) as connection:
        names = [row[0] for row in connection.execute("describe query_version").fetchall()]
    assert names == ["version", "subject_id", "asked", "first_used_at", "last_used_at"]
    assert warehouse.sql("migrations/0003_queries").count("create table") == 1
