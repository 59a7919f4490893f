"""retention: nothing outlives its limit, on the disk or in the warehouse, and a receipt says so."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import load, publish, retention, warehouse
from pipelines.mention import Deletion, Rejection
from tests.pipelines.staged import (
    RUN,
    SEEN,
    checksums,
    intake,
    measure,
    mention,
    one,
    score,
    settings,
    stage,
    stored,
)

DAY = timedelta(days=1)


def _file(path: Path, *, at: datetime = SEEN, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for each in (path, path.parent):  # a folder's own age counts too, whatever day it is today
        os.utime(each, (at.timestamp(), at.timestamp()))
    return path


def _expire(home: Path, at: datetime) -> dict[str, int]:
    with warehouse.opened(home) as connection:
        return retention.expire(connection, settings=settings(home), as_of=at)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of everything that expires, of the moment SEEN; to be copied."""
    home = tmp_path_factory.mktemp("full")
    _fill(home)
    return home


@pytest.fixture
def home(full: Path, tmp_path: Path) -> Path:
    shutil.copytree(full, tmp_path, dirs_exist_ok=True)  # with the age of each file
    return tmp_path


def _fill(home: Path) -> None:
    mentions = [
        mention(1, hashtags=("tram",), title="Titre", urls=("https://a.example",)),
        mention(2),
        mention(3),
    ]
    refused = Rejection(source="mastodon", native_id="n9", reason="r", detail="d")
    gone = Deletion(source="mastodon", native_id="n3", deleted_at=SEEN)
    with stored(
        home,
        mentions,
        scores=map(score, mentions),
        rejections=[refused],
        deletions=[gone],
        intakes=[intake()],
        attention=[measure(0, 340)],
    ) as connection:
        for key, sent_at in (("sent", SEEN), ("stuck", None)):
            connection.execute(
                "insert into outbox values (?, 'i1', 'alert', 'opened', 'email', 'a@b.example',"
                " 'm', 'quoted text'::blob, ?, 0, ?, ?, null, null)",
                [key, SEEN, SEEN, sent_at],
            )
        for row in (
            "gap values ('masto', $at, $at, 'told', 'r', $at, null, null)",
            "canary_heard values ('c', 'masto', 'm', $at, $at)",
            "outbox_incident values ('sent', 'i2', $at)",
            "incident_ack values ('i1', $at, 'A')",
            "link_use values ('l', 'i1', 'silence', 'A', $at)",
            "silence values ('s', 'f', 'i1', $at, $at, 'A', 'r', null, null)",
            "alert_label values ('l', 'i1', 'r', '1', null, 'false_alarm', null, '', 'A', $at)",
            "label_batch values ('b', '2026-11-20', 1, $at, $at, 3, 3, $at, 'A')",
            "label values ('l', 't', 'A', $at, 'h', 'negative', [], [], false, false, false, 'm',"
            " null)",
        ):
            connection.execute(f"insert into {row}", {"at": SEEN})
        connection.execute(
            "insert into label_task values ('t', 'b', $id, $at, 'h', 'random', 'random', 'x', 3, 1,"
            " 1, 1, $seen)",
            {"id": mentions[0].mention_id, "at": mentions[0].published_at, "seen": SEEN},
        )
        connection.execute(
            "insert into incident values ('i1', 'f', 'volume_surge', '1', 'ville', 'all',"
            " 'warning', 'resolved', $at, $at, $at, 3, 1, '{}')",
            {"at": SEEN},
        )
        connection.execute(
            "insert into incident_event values ('i1', $at, 'ok', 'firing', 'opened', 'vigie')",
            {"at": SEEN},
        )
        edited = (mentions[0].mention_id, mentions[0].published_at)
        connection.execute(
            "insert into mention_version"
            " values ($id, $at, 'h', 'Titre', 'cw', 'avant', $seen, $seen)",
            {"id": edited[0], "at": edited[1], "seen": SEEN},
        )
        connection.execute("insert into recheck values (?, ?, 'masto', ?)", [*edited, SEEN])
        connection.execute(
            "insert into digest values ('2026-11-20', 'fr', 'vert', 'calme', '{}', $at)",
            {"at": SEEN},
        )
    _file(home / f"landing/masto/2026-11-20/{RUN}.jsonl.zst")
    _file(home / "received/crm/0a.json")
    _file(home / "received/crm/known/0b")
    _file(home / "digests/2026-11-20.fr.html")
    told = _file(home / "airflow/logs/dag_id=watch/run_id=scheduled/task_id=plan/attempt=1.log")
    for folder in list(told.parents)[:2]:
        os.utime(folder, (SEEN.timestamp(), SEEN.timestamp()))
    for path in home.glob("staging/*/*"):
        os.utime(path, (SEEN.timestamp(), SEEN.timestamp()))
    os.utime(home / "staging" / RUN, (SEEN.timestamp(), SEEN.timestamp()))
    publish.publish(home, made_at=SEEN)
    os.utime(home / publish.ANALYST, (SEEN.timestamp(), SEEN.timestamp()))


def _held(home: Path) -> dict[str, int]:
    """How many there are of all that has a limit."""
    queries = {
        "texts": "select count(*) from mention where text != '' or title is not null"
        " or words is not null",
        "versions": "select count(*) from mention_version where text != '' or title is not null"
        " or content_warning is not null or text_hash != ''",
        "edits": "select count(*) from mention_version",
        "looks": "select count(*) from mention_metric",
        "rechecks": "select count(*) from recheck",
        "mentions": "select count(*) from mention",
        "scores": "select count(*) from score",
        "refused": "select count(*) from quarantine",
        "bodies": "select count(*) from outbox where octet_length(message) > 0",
        "days": "select count(*) from daily",
        "hours": "select count(*) from hourly",
        "incidents": "select count(*) from incident",
        "events": "select count(*) from incident_event",
        "digests": "select count(*) from digest",
        "coverage": "select count(*) from intake",
        "mails": "select count(*) from outbox",
        "frozen": "select count(*) from frozen_day",
        "heard": "select count(*) from heard",
        "gaps": "select count(*) from gap",
        "covered": "select count(*) from source_hour",
        "canaries": "select count(*) from canary_heard",
        "attention": "select count(*) from attention",
        "labels": "select count(*) from label",
        "drawn": "select count(*) from label_task",
        "drawn_mentions": "select count(mention_id) from label_task",
        "draws": "select count(*) from label_batch",
    }
    with warehouse.opened(home, read_only=True) as connection:
        held = {name: one(connection, query) for name, query in queries.items()}
    for name in ("landing", "received", "staging", "published", "digests", "airflow"):
        files = [p for p in (home / name).rglob("*") if p.is_file()]
        held[name] = sum(p.stem not in DICTIONARY for p in files)
    return held


DICTIONARY = ("dictionary.fr", "dictionary.en")  # tells of columns, of nobody
LIMITS = {
    "landing": 7,
    "received": 7,
    "airflow": 14,
    "staging": 2,
    "published": 2,
    "texts": 30,
    "versions": 30,
    "edits": 183,
    "looks": 183,
    "rechecks": 183,
    "refused": 30,
    "bodies": 29,
    "digests_pages": 30,
    "mentions": 183,
    "scores": 183,
    "days": 1096,
    "hours": 1096,
    "incidents": 1096,
    "events": 1096,
    "coverage": 1096,
    "mails": 1096,
    "attention": 1096,
    "labels": 1096,
    "drawn": 1096,
    "drawn_mentions": 183,
    "draws": 1096,
    "frozen": 1096,
    "heard": 183,
    "gaps": 1096,
    "covered": 1096,
    "canaries": 1096,
}


@pytest.mark.parametrize(("what", "days"), sorted(LIMITS.items()))
def test_nothing_is_gone_before_its_limit_and_nothing_is_left_after(
    home: Path, what: str, days: int
) -> None:
    name = "digests" if what == "digests_pages" else what
    first_day = SEEN.replace(hour=0, minute=0)  # files and dates expire with their day
    before = first_day + (days - 1) * DAY
    _expire(home, before)
    if name not in ("frozen",):
        assert _held(home)[name] > 0, f"{what} went before {days} days"
    _expire(home, SEEN + days * DAY)
    assert _held(home)[name] == 0, f"{what} outlived {days} days"


def test_after_all_limits_only_proofs_are_left(home: Path) -> None:
    with warehouse.opened(home) as connection:
        connection.execute("insert into tombstone values ('x', 'erasure_request', now())")
    _expire(home, SEEN + 4 * 366 * DAY)
    assert sum(_held(home).values()) == 0
    with warehouse.opened(home, read_only=True) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where estimated_size > 0"
            " and table_name in (select table_name from duckdb_columns()"
            " where column_name similar to '.*_at|.*_on')"
        ).fetchall()
        kept = {t for (t,) in tables if one(connection, f'select count(*) from "{t}"')}  # noqa: S608
    assert kept == {
        *("receipt", "tombstone", "migration", "scorer", "source_cursor", "source_start")
    }


def test_an_expired_text_takes_what_was_quoted_with_it_and_still_counts(home: Path) -> None:
    _expire(home, SEEN + 30 * DAY)
    with warehouse.opened(home, read_only=True) as connection:
        row = connection.execute(
            "select text, title, urls, hashtags, text_expired_at, url is not null"
            " from mention where native_id = 'n1'"
        ).fetchone()
        assert one(connection, "select count(*) from mention_scored where sentiment is not null")
        assert one(connection, "select sum(mention_count) from daily where scope = 'all'") == 2
    assert row == ("", None, [], ["tram"], SEEN + 30 * DAY, True)


def test_a_source_may_ask_for_less(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1, retention_until=date(2026, 11, 22)), mention(2)]):
        pass
    assert _expire(tmp_path, SEEN + DAY)["texts"] == 0
    assert _expire(tmp_path, SEEN + 2 * DAY)["texts"] == 1


def test_where_terms_let_no_row_live_longer_none_does(tmp_path: Path) -> None:
    mine = mention(1, source="youtube", source_name="tube")
    gone = mention(2, source="youtube", source_name="tube", deleted_at=SEEN)
    with stored(tmp_path, [mine, gone, mention(3)], scores=[score(mine)]):
        pass
    assert _expire(tmp_path, SEEN + 29 * DAY)["mentions"] == 0
    receipt = _expire(tmp_path, SEEN + 30 * DAY)
    assert (receipt["mentions"], receipt["scores"]) == (2, 1)
    with warehouse.opened(tmp_path, read_only=True) as connection:
        assert one(connection, "select native_id from mention") == "n3"
        assert one(connection, "select sum(mention_count) from daily where scope = 'all'") == 2


def test_the_former_text_of_a_post_goes_as_soon_as_its_source_asks(tmp_path: Path) -> None:
    first = mention(1, text="avant", retention_until=date(2026, 11, 22))
    then = {"last_seen_at": SEEN + DAY / 24, "retention_until": date(2026, 11, 22)}
    with stored(tmp_path, [first]) as connection:
        files = stage(tmp_path / "edit", [mention(1, text="après", **then)])
        load.load(connection, files, loaded_at=SEEN + DAY / 24)
        assert one(connection, "select text from mention_version") == "avant"
    _expire(tmp_path, SEEN + 2 * DAY)
    with warehouse.opened(tmp_path, read_only=True) as connection:
        assert one(connection, "select text || text_hash from mention_version") == ""


def test_the_counts_of_a_day_outlive_its_mentions_and_late_ones_leave_them_alone(
    home: Path,
) -> None:
    later = SEEN + 183 * DAY
    assert _expire(home, later)["mentions"] == 3
    with warehouse.opened(home) as connection:
        before = connection.execute("from daily order by all").fetchall()
        assert before
        late = mention(4, published_at=SEEN, last_seen_at=later, first_seen_at=later)
        load.load(connection, stage(home / "late", [late], run_id="late"), loaded_at=later)
        assert connection.execute("from daily order by all").fetchall() == before
        assert one(connection, "select count(*) from mention") == 1


def test_an_expiry_writes_a_receipt_and_a_second_one_finds_nothing(home: Path) -> None:
    at = SEEN + 40 * DAY
    gone = _expire(home, at)
    assert gone["texts"] == 2
    with warehouse.opened(home, read_only=True) as connection:
        before = checksums(connection)
        made_at, detail = connection.execute("select made_at, detail from receipt").fetchall()[0]
    assert made_at == at
    assert json.loads(detail) == gone
    assert sum(_expire(home, at).values()) == 0
    with warehouse.opened(home, read_only=True) as connection:
        assert checksums(connection) == before
        assert one(connection, "select count(*) from receipt") == 1


def test_what_a_step_may_be_writing_now_is_left_alone(home: Path) -> None:
    at = SEEN + 40 * DAY
    old = home / "staging" / "20260101T000000Z" / "mentions.parquet"  # a back-fill that runs now
    landed = home / "landing" / "masto" / "2026-01-01" / "20260101T000000Z.jsonl.zst"
    for path in (old, landed):
        _file(path, at=at - timedelta(minutes=5))
    _expire(home, at)
    assert old.exists()
    assert landed.exists()
    _expire(home, at + timedelta(hours=3))
    assert not old.exists()
    assert not landed.exists()


def test_leftovers_of_killed_steps_are_removed(home: Path) -> None:
    leftovers = [
        _file(home / "published" / ".copy-ab12.part" / "warehouse.duckdb"),
        _file(home / "published" / ".analyst.duckdb.12.part.wal"),
        _file(home / "digests" / ".2026-11-20.fr.html.12.part"),
        _file(home / "..sql_history.12.part"),
        _file(home / "warehouse.duckdb.tmp" / "duckdb_temp_block-1.block"),
        _file(home / "staging" / "rescore-20261120T101500Z" / "mentions.parquet"),
        _file(home / "staging" / "not a run"),
        _file(home / "landing" / "masto" / "not a day" / "x"),
    ]
    _expire(home, SEEN + 8 * DAY)
    assert not [path.name for path in leftovers if path.exists()]


def test_what_is_the_operators_own_is_never_touched(home: Path) -> None:
    own = [_file(home / name) for name in ("inbox/a.csv", "vigie.toml", "keys/pseudonym.key")]
    _expire(home, SEEN + 3000 * DAY)
    assert all(path.exists() for path in own)


def test_a_link_in_landing_is_removed_and_not_followed(home: Path, tmp_path: Path) -> None:
    outside = _file(tmp_path / "outside" / "kept.txt")
    link = home / "landing" / "masto" / "2026-01-01"
    link.symlink_to(outside.parent)
    os.utime(link, (SEEN.timestamp(), SEEN.timestamp()), follow_symlinks=False)
    _expire(home, SEEN + 40 * DAY)
    assert not link.is_symlink()
    assert outside.exists()


def test_an_unreadable_published_file_is_removed(home: Path) -> None:
    path = _file(home / "published" / "analyst.duckdb", text="not a database")
    _expire(home, SEEN + DAY)
    assert not path.exists()


def test_an_expiry_that_fails_leaves_every_row(home: Path) -> None:
    with warehouse.opened(home) as connection:
        connection.execute("drop table receipt")
        before = checksums(connection)
        with pytest.raises(duckdb.Error):
            retention.expire(connection, settings=settings(home), as_of=SEEN + 40 * DAY)
        assert checksums(connection) == before


def test_the_time_is_that_of_the_caller_in_whatever_zone(home: Path) -> None:
    at = (SEEN + 30 * DAY).astimezone(settings(home).institution.zone)
    assert _expire(home, at)["texts"] == 2
    with warehouse.opened(home, read_only=True) as connection:
        assert one(connection, "select max(text_expired_at) from mention") == at.astimezone(UTC)
