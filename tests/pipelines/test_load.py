"""load: one transaction, merged by key, the same result however often a run is loaded."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings as checks, strategies

from pipelines import load, warehouse
from pipelines.mention import MENTION_SCHEMA, Deletion, Mention, Rejection, text_hash
from tests.pipelines.staged import (
    RUN,
    SEEN,
    checksums,
    intake,
    mention,
    one,
    score,
    settings,
    stage,
    stored,
)

LATER = SEEN + timedelta(minutes=5)


MINUTE = timedelta(minutes=1)


def _again(
    connection: duckdb.DuckDBPyConnection, home: Path, mentions: list[Mention], **staged: object
) -> load.Loaded:
    run_id = str(staged.pop("run_id", "20261120T102000Z"))
    files = stage(home / "staging" / run_id, mentions, run_id=run_id, **staged)  # type: ignore[arg-type]
    return load.load(connection, files, loaded_at=LATER)


def _row(connection: duckdb.DuckDBPyConnection, native_id: str = "n1") -> dict[str, object]:
    cursor = connection.execute("select * from mention where native_id = ?", [native_id])
    names = [column[0] for column in cursor.description or ()]
    (row,) = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def test_the_table_and_the_arrow_schema_of_a_mention_are_equal(tmp_path: Path) -> None:
    with stored(tmp_path) as connection:
        columns = connection.execute("describe mention").fetchall()
        stored_schema = connection.execute("from mention").to_arrow_table().schema
    assert [column[0] for column in columns] == MENTION_SCHEMA.names
    assert [f.type for f in stored_schema] == [f.type for f in MENTION_SCHEMA]
    assert [c[2] == "YES" for c in columns] == [f.nullable for f in MENTION_SCHEMA]


def test_load_inserts_new_mentions_with_scores_counts_coverage_and_cursors(tmp_path: Path) -> None:
    mentions = [mention(n) for n in range(1, 4)]
    refused = Rejection(
        source="mastodon",
        native_id=None,
        reason="no_date",
        detail="published_at is missing",
        raw_ref="landing/masto_2/2026-11-20/r.jsonl.zst#4",
    )
    with stored(
        tmp_path,
        mentions,
        scores=map(score, mentions),
        rejections=[refused],
        intakes=[intake(accepted_count=3)],
    ) as connection:
        assert (
            one(connection, "select count(*) from mention_scored where sentiment is not null") == 3
        )
        assert one(connection, "select first_used_at from scorer") == SEEN
        assert one(connection, "select source_name from quarantine") == "masto_2"
        assert one(connection, "select newest_published_at from intake") == mentions[0].published_at
        assert load.cursors(connection) == {"masto": load.Position(cursor={"after": 1}, run_id=RUN)}


def test_a_second_load_of_a_run_changes_nothing(tmp_path: Path) -> None:
    mentions = [mention(n, subject_ids=("ville", "tram")) for n in range(1, 40)]
    staged = {
        "scores": [score(m) for m in mentions],
        "deletions": [Deletion(source="mastodon", native_id="n3", deleted_at=SEEN)],
        "rejections": [Rejection(source="feed", native_id=None, reason="r", detail="d")] * 2,
        "intakes": [intake(deleted_count=1)],
    }
    with stored(tmp_path, mentions, **staged) as connection:
        before = checksums(connection)
        loaded = _again(connection, tmp_path, mentions, run_id=RUN, **staged)
        assert checksums(connection) == before
        assert loaded == load.Loaded(unchanged=39)


def test_a_known_mention_seen_again_keeps_its_first_sight_and_takes_new_counts(
    tmp_path: Path,
) -> None:
    first = mention(1, like_count=2, share_count=1)
    second = replace(
        first,
        like_count=5,
        share_count=None,
        first_seen_at=LATER,
        last_seen_at=LATER,
        metrics_at=LATER,
    )
    with stored(tmp_path, [first]) as connection:
        assert _again(connection, tmp_path, [second]).updated == 1
        row = _row(connection)
    assert (row["first_seen_at"], row["last_seen_at"]) == (SEEN, LATER)
    assert (row["like_count"], row["share_count"]) == (5, 1)
    assert row["text"] == first.text


def test_an_older_sighting_adds_its_subjects_and_nothing_else(tmp_path: Path) -> None:
    first = mention(1, like_count=9)
    older = replace(
        first,
        like_count=1,
        text="Avant correction",
        text_hash=text_hash("Avant correction"),
        subject_ids=("tram",),
        last_seen_at=SEEN - timedelta(days=1),
        metrics_at=SEEN - timedelta(days=1),
    )
    with stored(tmp_path, [first]) as connection:
        _again(connection, tmp_path, [older])
        row = _row(connection)
        assert (
            one(connection, "select sum(mention_count) from hourly where subject_id = 'tram'") == 1
        )
    assert row["subject_ids"] == ["tram", "ville"]
    assert (row["like_count"], row["text"], row["last_seen_at"]) == (9, first.text, SEEN)


def test_an_edited_text_replaces_the_old_one_and_its_score(tmp_path: Path) -> None:
    first = mention(1)
    text = "Le tram roule de nouveau"
    edited = replace(
        first, text=text, text_hash=text_hash(text), edited_at=LATER, last_seen_at=LATER
    )
    with stored(tmp_path, [first], scores=[score(first)]) as connection:
        _again(connection, tmp_path, [edited])
        assert _row(connection)["text"] == text
        assert one(connection, "select count(*) from score") == 0
        assert one(connection, "select sum(scored_count) from daily where scope = 'all'") == 0
        fresh = score(edited, sentiment="positive", topics=[])
        _again(connection, tmp_path, [edited], scores=[fresh])
        assert one(connection, "select sentiment from mention_scored") == "positive"
        counted = connection.execute("select scope, positive_count from hourly").fetchall()
    assert counted == [("all", 1), ("service:transport", 1)]


def test_a_text_that_has_expired_stays_empty(tmp_path: Path) -> None:
    first = mention(1)
    with stored(tmp_path, [first]) as connection:
        connection.execute("update mention set text = '', text_expired_at = ?", [SEEN])
        _again(connection, tmp_path, [replace(first, last_seen_at=LATER, title="Titre")])
        row = _row(connection)
    assert (row["text"], row["title"], row["last_seen_at"]) == ("", None, LATER)


@pytest.mark.parametrize(
    ("text", "is_truncated"), [("Le tram est", True), ("", False)], ids=["cut", "empty"]
)
def test_a_whole_text_is_never_lost_to_a_lesser_one(
    tmp_path: Path, text: str, is_truncated: bool
) -> None:
    first = mention(1)
    lesser = replace(
        first,
        text=text,
        text_hash=text_hash(text),
        text_truncated=is_truncated,
        last_seen_at=LATER,
    )
    with stored(tmp_path, [first], scores=[score(first)]) as connection:
        _again(connection, tmp_path, [lesser], scores=[score(lesser, sentiment="neutral")])
        assert _row(connection)["text"] == first.text
        assert one(connection, "select sentiment from mention_scored") == "negative"


def test_a_post_found_by_two_sources_in_one_run_is_one_mention_of_all_its_subjects(
    tmp_path: Path,
) -> None:
    twice = [mention(1), mention(1, source_name="autre", subject_ids=("tram",), like_count=3)]
    scores = [score(m) for m in twice]
    with stored(tmp_path, twice, scores=scores) as connection:
        row = _row(connection)
        assert one(connection, "select count(*) from score") == 1
        assert one(connection, "select max(mention_count) from hourly") == 1
    assert (row["subject_ids"], row["like_count"]) == (["tram", "ville"], 3)
    assert row["query_versions"] == ["tram@given", "ville@given"]


def test_every_version_that_ever_said_yes_stays_on_record(tmp_path: Path) -> None:
    first = mention(1, query_versions=("ville@1",))
    with stored(tmp_path, [first]) as connection:
        again = replace(first, query_versions=("ville@2",), last_seen_at=LATER)
        _again(connection, tmp_path, [again])
        assert _row(connection)["query_versions"] == ["ville@1", "ville@2"]
        older = replace(first, query_versions=("ville@0",), last_seen_at=SEEN - timedelta(hours=1))
        _again(connection, tmp_path, [older])
        assert _row(connection)["query_versions"] == ["ville@0", "ville@1", "ville@2"]


def test_words_follow_the_text_and_are_read_again_where_a_title_was_not_told_twice(
    tmp_path: Path,
) -> None:
    first = mention(1, title="Titre")
    edited = replace(first, text="Autre", text_hash=text_hash("Autre"), last_seen_at=LATER)
    with stored(tmp_path, [first]) as connection:
        _again(connection, tmp_path, [replace(edited, words=" |  autre \nww")])
        assert _row(connection)["words"] == " |  autre \nww"
        later = LATER + timedelta(hours=1)
        _again(connection, tmp_path, [replace(edited, title=None, last_seen_at=later)])
        row = _row(connection)
        assert (row["title"], row["words"]) == ("Titre", None)


def test_a_deleted_post_is_emptied_no_longer_counts_and_never_comes_back(tmp_path: Path) -> None:
    mentions = [mention(1, hashtags=("tram",), urls=("https://a.example",), title="T"), mention(2)]
    gone = Deletion(source="mastodon", native_id="n1", deleted_at=LATER, reason="author")
    with stored(tmp_path, mentions, scores=map(score, mentions)) as connection:
        assert _again(connection, tmp_path, [], deletions=[gone]).deleted == 1
        again = replace(mentions[0], last_seen_at=LATER + timedelta(hours=1), like_count=8)
        _again(connection, tmp_path, [again], scores=[score(again)])
        row = _row(connection)
        assert one(connection, "select count(*) from mention_scored") == 1
        assert one(connection, "select count(*) from score") == 1
        assert one(connection, "select sum(mention_count) from hourly where scope = 'all'") == 1
        assert one(connection, "select sum(mention_count) from daily where scope = 'T09'") == 1
    assert (row["deleted_at"], row["deletion_reason"]) == (LATER, "author")
    assert (row["text"], row["text_hash"], row["hashtags"], row["urls"]) == ("", "", [], [])
    assert not any(
        row[name] for name in ("title", "url", "words", "author_key", "raw_ref", "like_count")
    )


def test_a_post_and_its_deletion_in_one_run_leave_an_empty_row(tmp_path: Path) -> None:
    gone = Deletion(source="mastodon", native_id="n1", deleted_at=SEEN)
    with stored(tmp_path, [mention(1)], deletions=[gone]) as connection:
        assert _row(connection)["text"] == ""
        assert one(connection, "select count(*) from hourly") == 0


def test_an_erased_post_and_a_post_of_an_objector_do_not_come_back(tmp_path: Path) -> None:
    with stored(tmp_path) as connection:
        erased, objector, welcome = mention(1), mention(2), mention(3)
        connection.execute("insert into tombstone values (?, 'x', now())", [erased.mention_id])
        connection.execute("insert into objection values (?, now())", [objector.author_key])
        loaded = _again(connection, tmp_path, [erased, objector, welcome])
        assert (loaded.inserted, loaded.blocked) == (1, 2)
        assert one(connection, "select list(native_id) from mention") == ["n3"]


def test_the_institutions_own_posts_and_opted_out_posts_do_not_count(tmp_path: Path) -> None:
    mentions = [mention(1), mention(2, is_own=True), mention(3, optout=True)]
    with stored(tmp_path, mentions) as connection:
        assert one(connection, "select mention_count from hourly") == 1
        assert one(connection, "select mention_count from daily") == 1
        assert one(connection, "select count(*) from mention_scored") == 2


def test_who_asks_not_to_be_listed_later_is_minimised_for_good(tmp_path: Path) -> None:
    first = mention(1, title="Titre", hashtags=("tram",))
    refused = replace(
        first, optout=True, text="", text_hash=text_hash(""), url=None, last_seen_at=LATER
    )
    with stored(tmp_path, [first], scores=[score(first)]) as connection:
        _again(connection, tmp_path, [refused], scores=[score(refused)])
        row = _row(connection)
        assert one(connection, "select count(*) from hourly") == 0
        assert one(connection, "select count(*) from score") == 0
        _again(connection, tmp_path, [replace(first, last_seen_at=LATER)], scores=[score(first)])
        assert _row(connection) == row
    assert (row["text"], row["hashtags"], row["optout"]) == ("", [], True)
    assert not any(row[name] for name in ("title", "url", "words", "author_key", "text_hash"))


def test_hourly_counts_by_subject_and_topic_and_pseudonym(tmp_path: Path) -> None:
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    mentions = [
        mention(1, published_at=at, subject_ids=("tram", "ville"), author_key="a" * 64),
        mention(2, published_at=at, author_key="a" * 64),
        mention(3, published_at=at, author_key=None),
    ]
    scores = [
        score(mentions[0], topics=["T09", "T10"]),
        score(mentions[1], sentiment="undetermined", topics=[]),
    ]
    with stored(tmp_path, mentions, scores=scores) as connection:
        counted = connection.execute(
            "select subject_id, scope, mention_count, scored_count, negative_count, author_count"
            " from hourly where not contains(scope, ':') order by subject_id, scope"
        ).fetchall()
        assert one(connection, "select any_value(hour_at) from hourly") == at.replace(minute=0)
    assert counted == [
        ("tram", "T09", 1, 1, 1, 1),
        ("tram", "T10", 1, 1, 1, 1),
        ("tram", "all", 1, 1, 1, 1),
        ("ville", "T09", 1, 1, 1, 1),
        ("ville", "T10", 1, 1, 1, 1),
        ("ville", "all", 3, 1, 1, 1),
    ]


@pytest.mark.parametrize(
    ("day", "first_utc", "hours"), [((2026, 3, 29), 23, 23), ((2026, 10, 25), 22, 25)]
)
def test_a_day_is_a_day_at_the_institution_when_the_clocks_change(
    tmp_path: Path, day: tuple[int, int, int], first_utc: int, hours: int
) -> None:
    start = datetime(*day, tzinfo=UTC).replace(hour=first_utc) - timedelta(days=1)
    moments = [start + timedelta(hours=n, minutes=30) for n in range(-1, hours + 1)]
    mentions = [mention(n, published_at=at) for n, at in enumerate(moments, start=1)]
    with stored(tmp_path, mentions) as connection:
        rows = connection.execute("select mention_count from daily order by day_on").fetchall()
        assert rows == [(1,), (hours,), (1,)]
        assert one(connection, "select count(*) from hourly") == hours + 2
        # Touched by one mention of its second half, the whole day is counted again.
        _again(connection, tmp_path, [mention(90, published_at=start + timedelta(hours=20))])
        rows = connection.execute("select mention_count from daily order by day_on").fetchall()
    assert rows == [(1,), (hours + 1,), (1,)]


def test_a_frozen_day_keeps_its_counts(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1), mention(2)]) as connection:
        connection.execute("insert into frozen_day values ('2026-11-20', now())")
        connection.execute("delete from mention where native_id = 'n1'")
        _again(connection, tmp_path, [mention(3)])
        assert one(connection, "select mention_count from daily") == 2
        assert one(connection, "select sum(mention_count) from hourly") == 2


def test_a_cursor_never_moves_back_and_stands_still_without_a_new_one(tmp_path: Path) -> None:
    with stored(tmp_path, intakes=[intake()]) as connection:
        for run_id, cursor in (("20261119T000000Z", {"after": 0}), ("20261121T000000Z", None)):
            older = intake(run_id=run_id, cursor=cursor)
            _again(connection, tmp_path, [], run_id=run_id, intakes=[older])
        assert load.cursors(connection)["masto"].cursor == {"after": 1}
        assert one(connection, "select count(*) from intake") == 3


def test_a_load_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    bad = pa.table({"source": ["x"]})
    with stored(tmp_path) as connection:
        before = checksums(connection)
        files = stage(tmp_path / "bad", [mention(1)], intakes=[intake()])
        assert files.rejections is not None
        pq.write_table(bad, files.rejections)
        with pytest.raises(duckdb.Error):
            load.load(connection, files, loaded_at=SEEN)
        assert checksums(connection) == before


def test_scores_alone_replace_those_of_another_scorer_and_count_again(tmp_path: Path) -> None:
    one_mention = mention(1)
    with stored(tmp_path, [one_mention], scores=[score(one_mention)]) as connection:
        files = stage(
            tmp_path / "again",
            scores=[score(one_mention, scorer_id="models-2", sentiment="neutral", topics=["T20"])],
        )
        only_scores = load.Staged(run_id="rescore", scores=files.scores)
        load.load(connection, only_scores, loaded_at=LATER)
        assert one(connection, "select scorer_id from mention_scored") == "models-2"
        scopes = connection.execute("select scope from hourly order by 1").fetchall()
    assert scopes == [("T20",), ("all",), ("service:transport",)]


def test_a_new_title_may_change_the_score_of_the_same_text(tmp_path: Path) -> None:
    first = mention(1, title="Un titre")
    retitled = replace(first, title="Un autre titre", last_seen_at=LATER)
    with stored(tmp_path, [first], scores=[score(first)]) as connection:
        _again(connection, tmp_path, [retitled], scores=[score(retitled, sentiment="neutral")])
        assert one(connection, "select sentiment from mention_scored") == "neutral"


def test_export_hands_over_the_texts_of_a_span_without_authors(tmp_path: Path) -> None:
    gone = Deletion(source="mastodon", native_id="n3", deleted_at=SEEN)
    mentions = [mention(1), mention(2), mention(3), mention(120)]
    with stored(tmp_path, mentions, deletions=[gone]) as connection:
        path = tmp_path / "out.parquet"
        load.export(connection, path, since=SEEN - timedelta(hours=1), until=SEEN)
    table = pq.read_table(path)
    assert table.schema.names == MENTION_SCHEMA.names
    assert sorted(table["native_id"].to_pylist()) == ["n1", "n2"]
    assert table["author_key"].null_count == 2
    assert [p.name for p in tmp_path.glob("*.p*")] == ["out.parquet"]


# Looking up again


def _due(connection: duckdb.DuckDBPyConnection, minutes: float, *, most: int = 50) -> list[str]:
    at = SEEN + timedelta(minutes=minutes)
    found = load.recheck_due(connection, "masto", as_of=at, most=most)
    return [native_id for native_id, _ in found]


def test_recheck_asks_again_for_the_young_often_and_the_old_seldom(tmp_path: Path) -> None:
    ages = {1: timedelta(minutes=10), 2: timedelta(hours=4), 3: timedelta(days=3)}
    mentions = [mention(n, published_at=SEEN - age) for n, age in ages.items()]
    mentions += [
        mention(4, published_at=SEEN - timedelta(days=40)),
        mention(5, source_name="presse"),
        mention(6, is_own=True, published_at=SEEN - timedelta(hours=1)),
    ]
    with stored(tmp_path, mentions) as connection:
        assert _due(connection, 14) == []
        assert set(_due(connection, 20)) == {"n1", "n6"}
        assert set(_due(connection, 70)) == {"n1", "n2", "n6"}
        assert set(_due(connection, 60 * 20)) == {"n1", "n2", "n3", "n6"}


def test_with_too_small_a_budget_the_latest_for_its_age_comes_first(tmp_path: Path) -> None:
    young, old = mention(1), mention(2, published_at=SEEN - timedelta(days=3))
    with stored(tmp_path, [old, young]) as connection:
        # The young one has waited four times its quarter of an hour, the old one its 18 hours.
        assert _due(connection, 60 * 18 + 1, most=1) == ["n1"]


def test_what_was_looked_up_is_taken_off_the_budget_of_its_quarter_of_an_hour(
    tmp_path: Path,
) -> None:
    mentions = [mention(n) for n in range(1, 6)]
    with stored(tmp_path, mentions) as connection:
        first = _due(connection, 20, most=3)
        asked = [m for m in mentions if m.native_id in first]
        run_id = "refresh-20261120T103500Z"
        files = stage(tmp_path / "staging" / run_id, run_id=run_id, asked=asked)
        load.load(connection, files, loaded_at=SEEN + timedelta(minutes=20))
        assert _due(connection, 21, most=3) == []
        second = _due(connection, 36, most=3)
        assert len(second) == 3
        assert set(second) >= {m.native_id for m in mentions} - set(first)


def test_a_post_that_cannot_be_found_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1)]) as connection:
        files = stage(tmp_path / "staging" / "refresh", asked=[mention(1), mention(99)])
        load.load(connection, files, loaded_at=SEEN + timedelta(minutes=20))
        assert _due(connection, 34) == []
        assert _due(connection, 36) == ["n1"]
        assert one(connection, "select count(*) from recheck") == 1


def test_a_post_whose_author_s_wishes_are_not_known_is_due_at_once_and_first(
    tmp_path: Path,
) -> None:
    unread = mention(2, metrics_at=None, lookup_id="host:2")
    with stored(tmp_path, [mention(1), unread]) as connection:
        found = load.recheck_due(connection, "masto", as_of=SEEN + timedelta(hours=1), most=5)
        assert found == [("n2", "host:2"), ("n1", None)]
        assert _due(connection, 0) == ["n2"]


# Counts over time


def _looks(connection: duckdb.DuckDBPyConnection, native_id: str = "n1") -> list[tuple[Any, ...]]:
    return connection.execute(
        "select epoch(counted_at - ?::timestamptz) / 60, like_count, reply_count"
        " from mention_metric semi join mention using (mention_id)"
        " where mention_id in (select mention_id from mention where native_id = ?)"
        " order by counted_at",
        [SEEN, native_id],
    ).fetchall()


def _counted(minutes: int, likes: int | None, replies: int | None = 0) -> Mention:
    at = SEEN + timedelta(minutes=minutes)
    seen = {"last_seen_at": at, "first_seen_at": at, "metrics_at": at}
    return mention(1, like_count=likes, reply_count=replies, **seen)


def test_each_look_that_finds_new_counts_is_kept_and_the_first_numbers_stay(
    tmp_path: Path,
) -> None:
    with stored(tmp_path, [_counted(0, 3)]) as connection:
        for minutes, likes in ((15, 3), (30, 8), (60, 7)):
            _again(connection, tmp_path, [_counted(minutes, likes)], run_id=f"r{minutes}")
        assert _looks(connection) == [(0, 3, 0), (30, 8, 0), (60, 7, 0)]
        assert _row(connection)["like_count"] == 7


def test_a_look_loaded_again_or_out_of_turn_changes_nothing(tmp_path: Path) -> None:
    with stored(tmp_path, [_counted(0, 3)]) as connection:
        _again(connection, tmp_path, [_counted(30, 8)])
        before = checksums(connection)
        _again(connection, tmp_path, [_counted(30, 8)])
        _again(connection, tmp_path, [_counted(15, 5)], run_id="late")
        after = checksums(connection)
    assert after["mention_metric"] == before["mention_metric"]
    assert after["mention"] == before["mention"]


def test_a_look_without_counts_empties_none(tmp_path: Path) -> None:
    with stored(tmp_path, [_counted(0, 3)]) as connection:
        streamed = mention(1, last_seen_at=LATER, metrics_at=None, like_count=None)
        _again(connection, tmp_path, [streamed])
        assert (_row(connection)["like_count"], len(_looks(connection))) == (3, 1)


def test_a_post_that_came_without_counts_has_its_first_numbers_from_the_first_look(
    tmp_path: Path,
) -> None:
    with stored(tmp_path, [mention(1, metrics_at=None)]) as connection:
        assert _looks(connection) == []
        _again(connection, tmp_path, [_counted(15, 2, 1)])
        assert _looks(connection) == [(15, 2, 1)]


def test_the_numbers_known_before_there_was_a_history_are_its_first(tmp_path: Path) -> None:
    with stored(tmp_path, [_counted(0, 3)]) as connection:
        first = _looks(connection)
        for table in ("mention_metric", "mention_version", "recheck", "listened"):
            connection.execute(f"drop table {table}")
        connection.execute("drop view recheck_plan; alter table mention drop column lookup_id")
        connection.execute("delete from migration where name = '0005_live'")
        warehouse.migrate(connection)
        assert _looks(connection) == first == [(0, 3, 0)]


# Edits and deletions


def _versions(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select text, text_hash = '', epoch(seen_at - ?::timestamptz) / 60,"
        " epoch(replaced_at - ?::timestamptz) / 60 from mention_version order by replaced_at, text",
        [SEEN, SEEN],
    ).fetchall()


def _said(minutes: int, text: str, **changes: Any) -> Mention:
    at = SEEN + timedelta(minutes=minutes)
    return mention(1, text=text, last_seen_at=at, metrics_at=at, edited_at=at, **changes)


def test_an_edit_keeps_the_text_as_it_was_and_since_when(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "un")]) as connection:
        for minutes, text in ((10, "deux"), (20, "deux"), (30, "trois")):
            _again(connection, tmp_path, [_said(minutes, text)], run_id=f"r{minutes}")
        assert _versions(connection) == [("un", False, 0, 10), ("deux", False, 10, 30)]
        assert _row(connection)["text"] == "trois"


def test_an_edit_loaded_again_keeps_no_second_version(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "un")]) as connection:
        _again(connection, tmp_path, [_said(10, "deux")])
        before = checksums(connection)
        _again(connection, tmp_path, [_said(10, "deux")])
        assert checksums(connection) == before


def test_a_text_told_now_this_way_now_that_way_is_kept_once_each(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "un")]) as connection:
        for minutes in range(1, 9):
            text = "un" if minutes % 2 == 0 else "deux"
            _again(connection, tmp_path, [_said(minutes, text)], run_id=f"r{minutes}")
        assert [row[0] for row in _versions(connection)] == ["un", "deux"]


def test_of_a_post_that_is_edited_without_end_twenty_texts_are_kept(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "0")]) as connection:
        for minutes in range(1, 30):
            _again(connection, tmp_path, [_said(minutes, str(minutes))], run_id=f"r{minutes}")
        assert len(_versions(connection)) == 20
        assert _row(connection)["text"] == "29"


def test_a_text_replaced_before_it_was_loaded_is_kept_too(tmp_path: Path) -> None:
    replaced = [_said(0, "un"), mention(9, text="d’un post jamais retenu")]
    with stored(tmp_path, [_said(1, "deux")], replaced=replaced) as connection:
        assert [row[0] for row in _versions(connection)] == ["un"]
        before = checksums(connection)
        _again(connection, tmp_path, [_said(1, "deux")], replaced=replaced, run_id=RUN)
        assert checksums(connection)["mention_version"] == before["mention_version"]


def test_news_of_a_post_that_names_nothing_any_more_replaces_its_text_or_is_nothing(
    tmp_path: Path,
) -> None:
    with stored(tmp_path, [_said(0, "le tram")]) as connection:
        stranger = mention(7, subject_ids=())
        loaded = _again(connection, tmp_path, [_said(10, "rien", subject_ids=()), stranger])
        assert (loaded.updated, loaded.inserted) == (1, 0)
        assert [row[0] for row in _versions(connection)] == ["le tram"]
        row = _row(connection)
        assert (row["text"], row["subject_ids"]) == ("rien", ["ville"])  # its block gives it


def test_an_edited_text_names_what_it_names_now(tmp_path: Path) -> None:
    found = {"subject_ids": ("tram", "ville"), "query_versions": ("tram@1", "ville@given")}
    now = {"subject_ids": ("gare",), "query_versions": ("gare@1",)}
    with stored(tmp_path, [_said(0, "le tram", **found)]) as connection:
        _again(connection, tmp_path, [_said(10, "la gare", **now)])
        row = _row(connection)
        assert row["subject_ids"] == ["gare", "ville"]  # its block gives the latter, not its text
        assert row["query_versions"] == ["gare@1", "tram@1", "ville@given"]
        assert row["words"] == _said(0, "la gare").words
        assert one(connection, "select count(*) from mention where text_hash = ''") == 0


def test_a_text_told_again_keeps_what_others_found_in_it(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "le tram", query_versions=("ville@1",))]) as connection:
        again = _said(10, "le tram", subject_ids=("tram",), query_versions=("tram@1",))
        _again(connection, tmp_path, [again])
        assert _row(connection)["subject_ids"] == ["tram", "ville"]


def test_of_one_slice_the_last_text_says_what_a_post_names(tmp_path: Path) -> None:
    first = _said(0, "le tram", query_versions=("ville@1",))
    last = _said(1, "rien", subject_ids=(), query_versions=())
    with stored(tmp_path, [first, last], replaced=[first]) as connection:
        assert (_row(connection)["text"], _row(connection)["subject_ids"]) == ("rien", [])
        assert [row[0] for row in _versions(connection)] == ["le tram"]


def test_a_collection_looks_up_again_what_waits_the_longest(tmp_path: Path) -> None:
    mentions = [mention(1, metrics_at=None), mention(2, published_at=SEEN - timedelta(hours=4))]
    with stored(tmp_path, mentions) as connection:

        def ids(minutes: int) -> tuple[str, ...]:
            at = SEEN + timedelta(minutes=minutes)
            return load.recheck_ids(connection, "masto", as_of=at, limit=5)

        assert [ids(minutes) for minutes in (14, 16, 61)] == [(), ("n1",), ("n1", "n2")]


def test_a_deletion_empties_the_versions_of_its_post(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "un"), mention(2)]) as connection:
        _again(connection, tmp_path, [_said(10, "deux")])
        gone = Deletion(source="mastodon", native_id="n1", deleted_at=LATER)
        _again(connection, tmp_path, [], deletions=[gone], run_id="r2")
        assert _versions(connection) == [("", True, 0, 10)]
        kept = connection.execute("select title, content_warning from mention_version").fetchone()
        assert kept == (None, None)
        # A late copy of what it was brings nothing back.
        late = [_said(20, "un")]
        _again(connection, tmp_path, late, replaced=[_said(0, "zéro")], run_id="r3")
        assert [row[0] for row in _versions(connection)] == [""]
        assert _row(connection)["deleted_at"] == LATER


def test_an_author_who_asks_not_to_be_read_takes_the_versions_with_them(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "un")]) as connection:
        _again(connection, tmp_path, [_said(10, "deux")])
        _again(connection, tmp_path, [_said(20, "trois", optout=True)], run_id="r2")
        assert [row[0] for row in _versions(connection)] == [""]


def test_a_text_that_has_expired_leaves_no_version(tmp_path: Path) -> None:
    with stored(tmp_path, [_said(0, "un")]) as connection:
        connection.execute("update mention set text = '', text_expired_at = now()")
        _again(connection, tmp_path, [_said(10, "deux")])
        assert _versions(connection) == []


# Readers


def _heard(landed: str | None, minutes: float, **changes: Any) -> load.Heard:
    at = SEEN + timedelta(minutes=minutes)
    told = intake(finished_at=at, until_at=at, cursor=None, **changes)
    return load.Heard(intake=told, landed=landed)


def test_what_a_reader_landed_is_added_to_its_five_minutes_once(tmp_path: Path) -> None:
    with stored(tmp_path) as connection:
        for landed, minutes in (("a", 1), ("b", 2), ("b", 2)):
            heard = _heard(landed, minutes, payload_count=3, accepted_count=2)
            _again(connection, tmp_path, [], heard=[heard])
        rows = connection.execute(
            "select payload_count, accepted_count, until_at from intake"
        ).fetchall()
        assert rows == [(6, 4, SEEN + timedelta(minutes=2))]
        position = load.listened(connection)["masto"]
        assert (position.landed, position.until_at) == ("b", SEEN + timedelta(minutes=2))
        assert load.cursors(connection) == {}


def test_a_gap_and_trouble_of_a_reader_stand_in_its_coverage(tmp_path: Path) -> None:
    gap = (SEEN - timedelta(hours=2), SEEN - timedelta(hours=1))
    told = {"gap_since_at": gap[0], "gap_until_at": gap[1], "gaps": (gap,), "is_capped": True}
    with stored(tmp_path) as connection:
        _again(connection, tmp_path, [], heard=[_heard("a", 1, since_at=gap[0], **told)])
        away = _heard(None, 3, run_id="away-x", since_at=SEEN + MINUTE, status="failed", note="cut")
        idle = _heard(None, 1, since_at=SEEN + MINUTE)
        _again(connection, tmp_path, [], heard=[replace(idle, away=away.intake)])
        rows = connection.execute(
            "select status, note, gap_since_at, gap_until_at, is_capped from intake order by run_id"
        ).fetchall()
        assert rows == [("ok", None, *gap, True), ("failed", "cut", None, None, False)]
        assert one(connection, "select gap_minutes from source_coverage limit 1") == 62
        assert load.listened(connection)["masto"].until_at == SEEN + MINUTE


def test_an_account_told_again_adds_nothing_and_moves_nothing_back(tmp_path: Path) -> None:
    with stored(tmp_path) as connection:
        _again(connection, tmp_path, [], heard=[_heard("b", 3)])
        before = checksums(connection)
        _again(connection, tmp_path, [], heard=[_heard(None, 2), _heard("a", 4)])
        after = checksums(connection)
        for table in (before, after):
            del table["source_hour"]  # the hours are those of the later load
        assert after == before


@checks(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=strategies.permutations(range(6)), slice_rows=strategies.sampled_from([2, 5, 100]))
def test_whatever_the_order_and_the_slices_the_counts_are_those_of_all_mentions(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], slice_rows: int
) -> None:
    dice = random.Random(5)
    mentions = [
        mention(
            n,
            published_at=SEEN - timedelta(hours=dice.randrange(72)),
            subject_ids=tuple(sorted(dice.sample(["tram", "ville"], dice.randint(1, 2)))),
        )
        for n in range(1, 31)
    ]
    home = tmp_path_factory.mktemp("order")
    with pytest.MonkeyPatch.context() as patch, stored(home) as connection:
        patch.setattr(load, "SLICE_ROWS", slice_rows)
        for part in order:
            batch = mentions[part * 5 : part * 5 + 10]
            _again(connection, home, batch, scores=map(score, batch), run_id=f"r{part}")
        counted = connection.execute("from daily order by all").fetchall()
        rows = connection.execute(
            "select count(*), count(distinct mention_id) from mention"
        ).fetchone()
    with stored(tmp_path_factory.mktemp("whole"), mentions, scores=map(score, mentions)) as whole:
        assert counted == whole.execute("from daily order by all").fetchall()
    assert rows == (30, 30)


def test_hostile_text_is_stored_as_it_is_and_run_by_nobody(tmp_path: Path) -> None:
    text = "'); drop table mention; -- $run_id {{ 7*7 }} \u202e <script>"
    refused = Rejection(source="feed", native_id="'; --", reason="r", detail="'); drop table x; --")
    hostile = mention(1, text=text, native_id="n'1", source_name="masto")
    with stored(tmp_path, [hostile], rejections=[refused]) as connection:
        assert _row(connection, "n'1")["text"] == text
        assert one(connection, "select detail from quarantine") == refused.detail


def test_prepare_can_be_called_between_loads(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1)]) as connection:
        before = checksums(connection)
    warehouse.prepare(settings(tmp_path))
    with warehouse.opened(tmp_path, read_only=True) as connection:
        assert checksums(connection) == before


def test_places_read_again_replace_those_that_are_stored(tmp_path: Path) -> None:
    mentions = [mention(n, place_codes=None) for n in range(1, 4)]
    gone = Deletion(source="mastodon", native_id="n3", deleted_at=SEEN)
    with stored(tmp_path, mentions, deletions=[gone]) as connection:
        codes = [["commune:37261"], [], ["commune:41018"]]
        table = pa.table(
            {
                "mention_id": [m.mention_id for m in mentions],
                "published_at": pa.array(
                    [m.published_at for m in mentions], pa.timestamp("us", "UTC")
                ),
                "place_codes": pa.array(codes, pa.list_(pa.string())),
            }
        )
        pq.write_table(table, tmp_path / "places.parquet")
        again = load.Staged(run_id=RUN, places=tmp_path / "places.parquet")
        load.load(connection, again, loaded_at=LATER)
        rows = connection.execute("select place_codes from mention order by native_id").fetchall()
        assert [row[0] for row in rows] == [["commune:37261"], [], []]


def test_an_edit_brings_its_places_and_an_old_row_without_any_gets_them(tmp_path: Path) -> None:
    old = [mention(1, place_codes=None), mention(2, place_codes=("commune:41018",))]
    with stored(tmp_path, old) as connection:
        seen = {"last_seen_at": LATER, "metrics_at": LATER}
        edited = mention(2, text="Ailleurs", place_codes=("commune:37261",), **seen)
        _again(connection, tmp_path, [mention(1, place_codes=("commune:37261",), **seen), edited])
        assert _row(connection, "n1")["place_codes"] == ["commune:37261"]
        assert _row(connection, "n2")["place_codes"] == ["commune:37261"]


def test_who_asks_not_to_be_listed_and_who_deletes_leave_no_place(tmp_path: Path) -> None:
    old = [mention(n, place_codes=("commune:37261",)) for n in (1, 2)]
    with stored(tmp_path, old) as connection:
        gone = Deletion(source="mastodon", native_id="n2", deleted_at=LATER)
        hidden = mention(1, optout=True, text="", place_codes=(), last_seen_at=LATER)
        _again(connection, tmp_path, [hidden], deletions=[gone])
        rows = connection.execute("select place_codes from mention").fetchall()
        assert [row[0] for row in rows] == [[], []]
