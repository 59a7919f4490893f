"""The views: documented, without authors, true to their grain and units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import contract, publish, warehouse
from tests.pipelines.staged import SEEN, intake, mention, one, score, stored

VIEWS = warehouse.sql_names("views")
_PERSONAL = re.compile(
    r"author_(key|kind|id|handle)|handle|pseudonym|raw_ref|relay|recipient|email"
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for tests that only look."""
    with _dozen(tmp_path_factory.mktemp("seen")) as connection:
        yield connection


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with a dozen people, one topic, one own post, on one day."""
    with _dozen(tmp_path) as connection:
        yield connection


@contextmanager
def _dozen(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    mentions = [mention(n) for n in range(1, 13)]
    own = mention(20, is_own=True, url="https://valbrume.example/a")
    scores = [score(m, topics=["T09", "T10"], topic_p=[0.9, 0.7]) for m in mentions[:8]]
    scores += [score(m, sentiment="undetermined", topics=[], topic_p=[]) for m in mentions[8:]]
    with stored(home, [*mentions, own], scores=scores, intakes=[intake()]) as connection:
        yield connection


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_says_what_it_is_for(name: str, seen: duckdb.DuckDBPyConnection) -> None:
    text = warehouse.sql(f"views/{name}")
    header = text.partition("\ncreate or replace view")[0]
    for word in ("Purpose:", "Grain:", "Reads:", "Caveat:"):
        assert word in header
    assert one(seen, "select comment from duckdb_views() where view_name = ?", name)
    assert seen.execute(f'from "{name}"').fetchall() is not None


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_joins_an_author_with_a_topic_or_a_tone(
    name: str, seen: duckdb.DuckDBPyConnection
) -> None:
    columns = [row[0] for row in seen.execute(f'describe "{name}"').fetchall()]
    statements = re.sub(r"--.*", "", warehouse.sql(f"views/{name}"))
    assert "author_key" not in statements
    is_read = {"topics", "topic_id", "sentiment", "scope", "mention_id"} & set(columns)
    if is_read and name != "mention_scored":
        assert not [c for c in columns if _PERSONAL.search(c)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("published")
    with stored(home, [mention(1)]):
        pass
    return publish.publish(home, made_at=SEEN)


@pytest.mark.parametrize("name", [*contract.published_views(), "about"])
def test_no_published_table_has_a_column_about_a_person(name: str, published: Path) -> None:
    with warehouse.opened_file(published, read_only=True) as connection:
        columns = [row[0] for row in connection.execute(f'describe "{name}"').fetchall()]
    assert not [column for column in columns if _PERSONAL.search(column)]
    assert "native_id" not in columns


def test_no_table_holds_both_an_author_and_what_a_text_is_about(
    seen: duckdb.DuckDBPyConnection,
) -> None:
    columns: dict[str, set[str]] = {}
    for table, column in seen.execute(
        "select table_name, column_name from duckdb_columns() where not internal"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    read = {"topics", "topic_id", "topic_p", "sentiment", "sentiment_score", "scope"}
    assert [t for t, names in columns.items() if "author_key" in names and names & read] == []


def test_every_aggregate_that_is_published_holds_small_figures_back(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("delete from mention")
    connection.execute("update daily set author_count = 9; update hourly set author_count = 9")
    counted = {"daily_volume", "daily_tone", "daily_topic", "hourly_volume", "network_share"}
    assert counted < set(contract.published_views())
    for name in counted:
        shown = connection.execute(f"select * exclude (is_suppressed) from {name}")  # noqa: S608
        keys = {"day_on", "hour_at", "subject_id", "subject_label", "topic_id", "scope", "network"}
        names = [column[0] for column in shown.description or ()]
        rows = shown.fetchall()
        assert rows
        for row in rows:
            assert all(v is None for n, v in zip(names, row, strict=True) if n not in keys), name


def test_mention_scored_leaves_out_the_deleted_and_the_opted_out(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("update mention set deleted_at = now() where native_id = 'n1'")
    connection.execute("update mention set optout = true where native_id = 'n2'")
    assert one(connection, "select count(*) from mention_scored") == 11
    assert one(connection, "select count(*) from mention_scored where sentiment is null") == 1


def test_mention_scored_tells_the_local_day_and_the_utc_hour_in_any_session(
    tmp_path: Path,
) -> None:
    at = SEEN.replace(hour=23, minute=30)
    with stored(tmp_path, [mention(1, published_at=at)]) as connection:
        for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
            connection.execute(f"set timezone = '{zone}'")
            assert one(connection, "select day_on from mention_scored") == date(2026, 11, 21)
            hour = one(connection, "select epoch(hour_at) from mention_scored")
            assert hour == at.replace(minute=0).timestamp()


def test_mention_public_shows_the_address_of_articles_and_own_posts_only(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    urls = connection.execute("select url from mention_public where url is not null").fetchall()
    assert urls == [("https://valbrume.example/a",)]


def test_mention_topic_has_one_row_per_topic_with_its_probability(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = connection.execute(
        "select topic_id, count(*), round(any_value(topic_p)::double, 3) from mention_topic"
        " group by 1 order by 1"
    ).fetchall()
    assert rows == [("T09", 8, 0.9), ("T10", 8, 0.7)]


def test_mention_topic_finds_the_probability_in_a_list_of_every_topic(tmp_path: Path) -> None:
    every = [n / 100 for n in range(1, 21)]
    one_mention = mention(1)
    scores = [score(one_mention, topics=["T09", "T20"], topic_p=every)]
    with stored(tmp_path, [one_mention], scores=scores) as connection:
        rows = connection.execute(
            "select topic_id, round(topic_p::double, 3) from mention_topic order by 1"
        ).fetchall()
    assert rows == [("T09", 0.09), ("T20", 0.2)]


def test_daily_tone_has_wilsons_interval(tmp_path: Path) -> None:
    mentions = [mention(n) for n in range(1, 31)]
    tones = ["negative"] * 10 + ["positive"] * 10 + ["undetermined"] * 10
    scores = [score(m, sentiment=tone) for m, tone in zip(mentions, tones, strict=True)]
    with stored(tmp_path, mentions, scores=scores) as connection:
        row = connection.execute(
            "select scored_count, undetermined_count, negative_share, negative_share_low,"
            " negative_share_high from daily_tone"
        ).fetchone()
    # statsmodels.stats.proportion.proportion_confint(10, 20, method="wilson"), alpha 0.05
    assert row is not None
    assert row[:3] == (20, 10, 0.5)
    assert row[3:] == pytest.approx((0.29929, 0.70071), abs=2e-5)


@pytest.mark.parametrize(("negative", "low", "high"), [(0, 0, 0.2775), (10, 0.7225, 1)])
def test_daily_tone_stays_between_0_and_1(
    tmp_path: Path, negative: int, low: float, high: float
) -> None:
    mentions = [mention(n) for n in range(1, 11)]
    scores = [
        score(m, sentiment="negative" if n < negative else "neutral")
        for n, m in enumerate(mentions)
    ]
    with stored(tmp_path, mentions, scores=scores) as connection:
        bounds = connection.execute(
            "select negative_share_low, negative_share_high from daily_tone"
        ).fetchone()
    assert bounds == pytest.approx((low, high), abs=1e-3)


def test_daily_topic_tells_the_share_of_the_days_messages(tmp_path: Path) -> None:
    mentions = [mention(n) for n in range(1, 21)]
    scores = [score(m, topics=["T09"] if n < 10 else []) for n, m in enumerate(mentions)]
    with stored(tmp_path, mentions, scores=scores) as connection:
        row = connection.execute(
            "select topic_id, mention_count, mention_share, negative_share from daily_topic"
        ).fetchall()
    assert row == [("T09", 10, 0.5, 1.0)]


def test_network_share_hides_the_next_smallest_until_ten_are_hidden_together(
    tmp_path: Path,
) -> None:
    sizes = {"mastodon": 30, "x": 12, "forum": 4, "bluesky": 3}
    mentions = [
        mention(100 * place + n, network=network, published_at=SEEN)
        for place, (network, size) in enumerate(sizes.items(), start=1)
        for n in range(size)
    ]
    with stored(tmp_path, mentions) as connection:
        rows = connection.execute(
            "select network, mention_count from network_share order by network"
        ).fetchall()
    assert rows == [("bluesky", None), ("forum", None), ("mastodon", 30), ("x", None)]


def test_source_coverage_tells_the_late_the_silent_and_the_gaps(tmp_path: Path) -> None:
    later = SEEN + timedelta(hours=4)
    gap = (SEEN - timedelta(minutes=40), SEEN)
    runs = [
        intake(since_at=gap[0], gaps=(gap,), accepted_count=3, is_capped=True),
        intake(run_id="b", status="failed", until_at=later, finished_at=later, cursor=None),
    ]
    with stored(tmp_path, [mention(1)], intakes=runs) as connection:
        rows = connection.execute(
            "select source_name, last_status, behind_minutes, is_silent, accepted_count,"
            " gap_minutes, capped_count, newest_published_at from source_coverage order by 1"
        ).fetchall()
    assert rows == [
        ("masto", "failed", 240, True, 3, 280, 1, SEEN - timedelta(minutes=1)),  # 40, then 240
        ("presse", "never", None, True, 0, 0, 0, None),
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_runs_that_ended_together_the_same_one_is_the_last(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    ends = [{"run_id": "a"}, {"run_id": "refresh-a", "status": "failed", "cursor": None}]
    runs = [intake(**ends[place]) for place in order]
    with stored(tmp_path, [], intakes=runs) as connection:
        [told] = connection.execute("select last_status from source_coverage limit 1").fetchall()
        [trouble] = warehouse.run(connection, "queries/source_troubles").fetchall()
    assert (told, trouble[:2]) == (("failed",), ("masto", "failed"))


def test_alert_log_tells_when_somebody_answered_and_not_who(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute(
        "insert into incident values ('i1', 'f', 'volume_surge', '1', 'ville', 'all', 'critical',"
        " 'resolved', $at, $at, $at + interval 2 hours, 30, 4.0, '{}')",
        {"at": SEEN},
    )
    connection.execute(
        "insert into incident_event values ('i1', $at + interval 12 minutes, 'firing', 'acked',"
        " 'seen', 'astreinte@valbrume.example')",
        {"at": SEEN},
    )
    for number, sent in enumerate((SEEN + timedelta(minutes=2), None)):
        connection.execute(
            "insert into outbox values (?, 'i1', 'alert', 'opened', 'email', 'a@b.example', 'm',"
            " 'x', ?, 0, ?, ?, null, null)",
            [str(number), SEEN, SEEN, sent],
        )
    row = connection.execute(
        "select open_minutes, mail_count, ack_minutes from alert_log"
    ).fetchone()
    assert row == (120, 1, 10)
    assert "astreinte" not in str(connection.execute("from alert_log").fetchall())


def test_mention_place_tells_what_each_place_lies_within(tmp_path: Path) -> None:
    codes = [("arrondissement:69387", "region:24"), (), None]
    mentions = [mention(n, place_codes=code) for n, code in enumerate(codes, start=1)]
    with stored(tmp_path, mentions) as connection:
        rows = connection.execute(
            "select level, commune_name, departement_code, region_name from mention_place"
            " order by level"
        ).fetchall()
    assert rows == [
        ("arrondissement", "Lyon", "departement:69", "Auvergne-Rhône-Alpes"),
        ("region", None, None, "Centre-Val de Loire"),
    ]


@pytest.mark.parametrize("order", [(10, 11), (11, 10)])
def test_of_two_answers_of_one_moment_the_same_one_is_told(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    asked = mention(1, published_at=SEEN - timedelta(hours=5))
    own = [mention(n, is_own=True, parent_native_id="n1", published_at=SEEN) for n in order]
    scores = [score(asked, acts=["question"])]
    with stored(tmp_path, [asked, *own], scores=scores) as connection:
        [told] = connection.execute("select answer_mention_id from answer_time").fetchall()
    assert told == (min(each.mention_id for each in own),)


def test_answer_time_runs_from_a_question_to_the_first_public_answer(tmp_path: Path) -> None:
    asked = mention(1, published_at=SEEN - timedelta(hours=5))
    opened = mention(2, published_at=SEEN - timedelta(hours=4), source="discourse")
    alone = mention(3, published_at=SEEN - timedelta(hours=3))
    praise = mention(4)
    own = [
        mention(10, is_own=True, parent_native_id="n1", published_at=SEEN - timedelta(hours=3)),
        mention(11, is_own=True, parent_native_id="n1", published_at=SEEN - timedelta(hours=1)),
        mention(
            12,
            is_own=True,
            source="discourse",
            root_native_id="n2",
            published_at=SEEN - timedelta(hours=2),
        ),
        # Another source has another post of that name; an own post before it answers nothing.
        mention(13, is_own=True, source="discourse", parent_native_id="n3"),
        mention(14, is_own=True, parent_native_id="n3", published_at=SEEN - timedelta(hours=9)),
    ]
    acts = [["question"], ["complaint", "claim"], ["request"], ["praise"]]
    scores = [score(m, acts=of) for m, of in zip((asked, opened, alone, praise), acts, strict=True)]
    with stored(tmp_path, [asked, opened, alone, praise, *own], scores=scores) as connection:
        rows = connection.execute(
            "select mention_id, answer_minutes, answer_mention_id from answer_time"
            " order by published_at"
        ).fetchall()
    assert rows == [
        (asked.mention_id, 120, own[0].mention_id),
        (opened.mention_id, 120, own[2].mention_id),
        (alone.mention_id, None, None),
    ]


def test_own_post_tells_format_hour_and_rate(tmp_path: Path) -> None:
    at = SEEN.replace(hour=7, minute=30)  # 08:30 in Paris, a Friday
    posts = [
        mention(1, is_own=True, published_at=at, media_types=("image", "video"), like_count=3,
                share_count=1, view_count=100),
        mention(2, is_own=True, published_at=at, media_types=("gif",), like_count=0),
        mention(3, is_own=True, published_at=at, urls=("https://valbrume.example/a",)),
        mention(4, is_own=True, published_at=at, view_count=50),
        mention(5, published_at=at),
    ]  # fmt: skip
    with stored(tmp_path, posts, scores=[score(posts[0], topics=["T09"])]) as connection:
        rows = connection.execute(
            "select format, reaction_count, engagement_rate, weekday, hour_of_day, topic_ids"
            " from own_post order by mention_id"
        ).fetchall()
    assert sorted(rows, key=str) == sorted(
        [
            ("video", 4, 0.04, 5, 8, ["T09"]),
            ("image", 0, None, 5, 8, None),
            ("link", None, None, 5, 8, None),
            ("text", None, None, 5, 8, None),
        ],
        key=str,
    )


def test_daily_fate_counts_what_was_edited_or_went(tmp_path: Path) -> None:
    mentions = [mention(n, edited_at=SEEN if n < 3 else None) for n in range(1, 13)]
    mentions += [mention(n, network="x") for n in range(21, 30)] + [mention(40, is_own=True)]
    with stored(tmp_path, mentions) as connection:
        connection.execute(
            "update mention set deleted_at = now(), author_key = null where native_id = 'n12'"
        )
        rows = connection.execute("from daily_fate order by network").fetchall()
    assert rows == [
        (SEEN.date(), "mastodon", False, 12, 2, 1, 2 / 12, 1 / 12),
        (SEEN.date(), "x", True, None, None, None, None, None),
    ]
