"""publish: one whole read-only file for analysts, without authors, never locked by a run."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import contract, publish, warehouse
from tests.pipelines.staged import SEEN, intake, mention, one, score, stored

FILES = ["analyst.duckdb", "dictionary.en.html", "dictionary.fr.html"]
# A run in another process: it holds the warehouse in a transaction until it is told to go on.
LOAD = """
import sys
from pathlib import Path
from pipelines import warehouse
with warehouse.opened(Path(sys.argv[1])) as connection, warehouse.transaction(connection):
    connection.execute("delete from mention")
    print("loading", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def analyst(tmp_path: Path) -> Path:
    """A published file: twelve people and an article one day, three people the day before."""
    mentions = [mention(n) for n in range(1, 13)]
    mentions += [mention(n, published_at=SEEN - timedelta(days=1)) for n in range(21, 24)]
    mentions += [
        mention(
            40,
            network="press",
            source="feed",
            source_name="presse",
            content_type="article",
            url="https://gazette.example/tram",
            author_kind="media",
        )
    ]
    with stored(tmp_path, mentions, scores=map(score, mentions), intakes=[intake()]) as connection:
        connection.execute(
            "insert into incident (incident_id, fingerprint, rule_id, rule_version, subject_id,"
            " scope, severity, state, opened_at, last_fired_at, peak_observed, evidence)"
            " values ('i1', 'f', 'volume_surge', '1', 'ville', 'all', 'warning', 'firing', $at,"
            " $at, 3, '{}')",
            {"at": SEEN},
        )
    return publish.publish(tmp_path, made_at=SEEN)


def test_the_analysts_file_holds_the_published_views_with_their_comments(analyst: Path) -> None:
    with warehouse.opened_file(analyst, read_only=True) as connection:
        tables = dict(
            connection.execute("select table_name, comment from duckdb_tables()").fetchall()
        )
        assert sorted(tables) == sorted(contract.columns())
        assert all(tables.values())
        assert one(connection, "select made_at from about") == SEEN
        assert one(connection, "select name from about") == "Ville de Valbrume"
        assert (
            one(
                connection,
                "select comment from duckdb_columns() where table_name = 'mention_public'"
                " and column_name = 'published_at'",
            )
            == "Moment de publication (UTC)."
        )
        assert one(connection, "select count(*) from alert_log") == 1
        assert one(connection, "select list(is_silent order by source_name) from source_coverage")


def test_the_analysts_file_names_nobody(analyst: Path) -> None:
    content = analyst.read_bytes()
    with warehouse.opened_file(analyst, read_only=True) as connection:
        urls = connection.execute("select distinct url from mention_public").fetchall()
    assert sorted(urls, key=str) == [("https://gazette.example/tram",), (None,)]
    for secret in (b"@quidam", b"landing/masto", f"{3:064x}".encode(), b"jsonl.zst"):
        assert secret not in content


def test_figures_of_fewer_than_ten_pseudonyms_are_held_back(analyst: Path) -> None:
    with warehouse.opened_file(analyst, read_only=True) as connection:
        volume = connection.execute(
            "select day_on, is_suppressed, mention_count, author_count from daily_volume order by 1"
        ).fetchall()
        tone = connection.execute(
            "select scored_count, negative_share from daily_tone order by day_on"
        ).fetchall()
        topics = connection.execute("select mention_share from daily_topic order by day_on")
        assert [row[0] is None for row in topics.fetchall()] == [True, False]
    assert volume == [
        (date(2026, 11, 19), True, None, None),
        (date(2026, 11, 20), False, 13, 13),
    ]
    assert tone == [(None, None), (13, 1.0)]


def test_a_small_network_is_not_given_away_by_the_total(analyst: Path) -> None:
    with warehouse.opened_file(analyst, read_only=True) as connection:
        shares = connection.execute(
            "select network, mention_count, mention_share from network_share"
            " where day_on = '2026-11-20' order by 1"
        ).fetchall()
    assert shares == [("mastodon", None, None), ("press", None, None)]


def test_a_text_that_expires_before_the_next_file_is_left_out(tmp_path: Path) -> None:
    soon = mention(1, retention_until=SEEN.date() + timedelta(days=2), text="bientôt expiré")
    later = mention(2, retention_until=SEEN.date() + timedelta(days=3))
    with stored(tmp_path, [soon, later]):
        pass
    path = publish.publish(tmp_path, made_at=SEEN)
    with warehouse.opened_file(path, read_only=True) as connection:
        rows = connection.execute(
            "select text = '', is_text_expired from mention_public order by published_at desc"
        ).fetchall()
    assert rows == [(True, True), (False, False)]
    assert "bientôt".encode() not in path.read_bytes()


def test_the_analysts_file_is_readable_while_a_run_loads(analyst: Path) -> None:
    home = analyst.parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", LOAD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        with pytest.raises(duckdb.IOException, match="lock"):
            duckdb.connect(str(home / warehouse.WAREHOUSE), read_only=True)
        with warehouse.opened_file(analyst, read_only=True) as connection:
            assert one(connection, "select count(*) from mention_public") == 16
        run.communicate("go on\n")


def test_a_reader_keeps_the_old_file_and_the_next_gets_the_new(analyst: Path) -> None:
    home = analyst.parent.parent
    with warehouse.opened_file(analyst, read_only=True) as reader:
        with warehouse.opened(home) as connection:
            connection.execute("delete from mention")
        reading = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from datetime import *; from pathlib import Path\n"
                "from pipelines import publish\n"
                "publish.publish(Path(sys.argv[1]), made_at=datetime.now(UTC))",
                str(home),
            ],
            check=False,
        )
        assert reading.returncode == 0
        assert one(reader, "select count(*) from mention_public") == 16
    with warehouse.opened_file(analyst, read_only=True) as connection:
        assert one(connection, "select count(*) from mention_public") == 0
    assert sorted(path.name for path in analyst.parent.iterdir()) == FILES


def test_a_publication_that_fails_leaves_the_old_file_and_nothing_aside(
    analyst: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = analyst.read_bytes()
    monkeypatch.setattr(contract, "published_views", lambda: ["nowhere"])
    with pytest.raises(duckdb.Error):
        publish.publish(analyst.parent.parent, made_at=SEEN)
    assert analyst.read_bytes() == before
    assert sorted(path.name for path in analyst.parent.iterdir()) == FILES


def test_rows_that_a_killed_writer_left_in_the_log_are_published(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1)]):
        pass
    killed = (
        "import os, sys; from pathlib import Path; from pipelines import warehouse\n"
        "with warehouse.opened(Path(sys.argv[1])) as c:\n"
        "    c.execute(\"update institution set name = 'Autre'\"); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False)
    path = publish.publish(tmp_path, made_at=SEEN)
    with warehouse.opened_file(path, read_only=True) as connection:
        assert one(connection, "select name from about") == "Autre"


def test_a_home_whose_name_holds_a_quote_is_published(tmp_path: Path) -> None:
    home = tmp_path / "l'île"
    with stored(home, [mention(1)]):
        pass
    assert publish.publish(home, made_at=SEEN).exists()
