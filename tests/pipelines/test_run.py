"""What a run asks of its sources and when; what a new home does; how failures are told."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import accept as acceptance, detect, normalise, privacy, run, warehouse
from pipelines.alert import Alert
from pipelines.errors import BudgetSpent, ContractBroken, PlaceUnknown, RateLimited, SourceError
from pipelines.limits import Limit, Rolling
from pipelines.run import whole
from pipelines.settings import Labels
from pipelines.sources import Checkpoint, Payload, feed
from tests.pipelines.loopback import NOON, Answer, Asked, serving
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import Said, say

TOML = """
[institution]
id = "belleroche"
name = "Ville de Belleroche"
kind = "commune"
legal_basis = "Mission d'intérêt public"

[[subjects]]
id = "ville"
label = "La Ville"
purpose = "Répondre aux habitants."
names = ["Belleroche"]

[[sources]]
name = "journal"
kind = "feed"
url = "{url}/rss.xml"

[[recipients]]
name = "Exploitation"
email = "exploitation@belleroche.example"
role = "operator"
gets = ["digest", "alerts", "failures"]

[mail]
port = 9
security = "none"
sender = "vigie@belleroche.example"

[net]
allow_private = ["127.0.0.1"]
"""

FILE_BLOCK = """kind = "file"
path = "inbox"
every_minutes = 60
preset = "none"
columns = { native_id = "id", published_at = "date", text = "texte" }"""


def _house(home: Path, url: str) -> run.House:
    (home / "vigie.toml").write_text(TOML.format(url=url), encoding="utf-8")
    return run.house(home, environ={})


def _ask(house: run.House, until: datetime) -> list[str]:
    """Plan a run and collect what it names; the names."""
    names = run.plan(house, since=until - timedelta(minutes=5), until=until)
    for name in names:
        run.collect(house, run.run_id(until), name)
    return names


def test_a_source_that_asks_to_wait_longer_than_a_run_is_asked_when_it_says(
    tmp_path: Path,
) -> None:
    def busy(_: Asked) -> Answer:
        return Answer(429, {"retry-after": "600"})

    now = datetime.now(UTC).replace(microsecond=0)
    with serving(busy) as peer:
        house = _house(tmp_path, peer.url)
        assert _ask(house, now) == ["journal"]
        assert _ask(house, now + timedelta(minutes=5)) == []
        assert _ask(house, now + timedelta(minutes=11)) == ["journal"]
        assert len(peer.asked) == 1  # every worker knows: by the machine's clock it is too early


def _two_pages(_: object) -> Iterator[Any]:
    """A source that is asked to wait after its first page, by the service or by our budget."""
    item = {"data": base64.b64encode(RSS).decode()}
    yield Payload(kind="feed", data=item)
    yield Checkpoint(cursor={"page": 2})
    raise WAITS.pop()


WAITS: list[RateLimited] = []


@pytest.mark.parametrize(("kind", "is_planned"), [(RateLimited, False), (BudgetSpent, True)])
def test_what_came_before_a_long_wait_is_kept_and_its_window_is_read_to_its_end_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[RateLimited], is_planned: bool
) -> None:
    privacy.new_key(tmp_path)
    house = _house(tmp_path, "http://127.0.0.1:9")
    monkeypatch.setattr(feed, "collect", _two_pages)
    WAITS.append(kind("wait", NOON + timedelta(hours=2)))
    assert _watch(house, NOON)["sources_failed"] == 0
    with warehouse.opened(tmp_path, read_only=True) as connection:
        intake = connection.execute(
            "select status, payload_count, is_capped, note from intake"
        ).fetchall()
        (cursor, stands_at), *_ = connection.execute(
            "select cursor, run_id from source_cursor"
        ).fetchall()
    assert intake == [("waiting", 1, True, "wait")]
    assert (cursor, stands_at) == ('{"page": 2}', run.run_id(NOON - timedelta(days=7)))
    soon, late = NOON + timedelta(minutes=5), NOON + timedelta(hours=3)
    assert (run.plan(house, since=soon, until=soon) == ["journal"]) == is_planned
    assert run.plan(house, since=late, until=late) == ["journal"]
    (order,) = json.loads((run.staging(tmp_path, run.run_id(late)) / "plan.json").read_text())
    assert order["cursor"] == {"page": 2}
    assert datetime.fromisoformat(order["since"]) == NOON - timedelta(days=7)


def test_a_fault_of_ours_in_one_source_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    privacy.new_key(tmp_path)
    second = '\n[[sources]]\nname = "autre"\nkind = "feed"\nurl = "{url}/rss.xml"\n'
    whole = normalise.normalise

    def broken(parsed: Any, *, block: Any, **more: Any) -> Any:
        if block.name == "journal":
            raise KeyError("a fault of ours")
        return whole(parsed, block=block, **more)

    monkeypatch.setattr(normalise, "normalise", broken)
    with serving(lambda _: Answer(200, {"content-type": "application/rss+xml"}, RSS)) as peer:
        toml = TOML.replace("\n[[recipients]]", second + "\n[[recipients]]").format(url=peer.url)
        (tmp_path / "vigie.toml").write_text(toml, encoding="utf-8")
        counts = _watch(run.house(tmp_path, environ={}), NOON)
    assert (counts["inserted"], counts["sources_failed"]) == (1, 1)
    with warehouse.opened(tmp_path, read_only=True) as connection:
        told = connection.execute("select source_name, status, note from intake").fetchall()
        moved = connection.execute("select source_name from source_cursor").fetchall()
    assert sorted(told)[0][:2] == ("autre", "ok")
    assert sorted(told)[1][:2] == ("journal", "failed")
    assert "KeyError while its payloads were read" in sorted(told)[1][2]
    assert moved == [("autre",)]


def test_a_source_that_fails_is_asked_again_in_the_next_run(tmp_path: Path) -> None:
    with serving(lambda _: Answer(403)) as peer:
        house = _house(tmp_path, peer.url)
        now = datetime.now(UTC).replace(microsecond=0)
        for minutes in (0, 5):
            with pytest.raises(SourceError):
                _ask(house, now + timedelta(minutes=minutes))
        assert len(peer.asked) == 2


def _mails(home: Path) -> int:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute("select count(*) from outbox").fetchone()
    return int(row[0]) if row else 0


def test_a_new_home_makes_no_digest_of_a_day_that_nobody_read(tmp_path: Path) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    assert run.digest(house, day=NOON.date(), as_of=NOON) is None
    assert _mails(tmp_path) == 0


@pytest.mark.parametrize(("is_mailed", "mail_count"), [(True, 1), (False, 0)])
def test_a_digest_is_kept_whether_or_not_it_is_mailed(
    tmp_path: Path, is_mailed: bool, mail_count: int
) -> None:
    privacy.new_key(tmp_path)
    with serving(lambda _: Answer(200, {"content-type": "application/rss+xml"}, RSS)) as peer:
        house = _house(tmp_path, peer.url)
        _watch(house, NOON)
    page = run.digest(house, day=NOON.date(), as_of=NOON, is_mailed=is_mailed)
    assert page is not None
    assert page.exists()
    assert _mails(tmp_path) == mail_count


@pytest.mark.parametrize("is_reversed", [False, True])
def test_what_a_run_landed_is_read_again_in_the_order_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_reversed: bool
) -> None:
    """Whatever order the folders have on the disk."""
    house = _house(tmp_path, "http://127.0.0.1:9")
    (journal,) = house.settings.sources
    blocks = tuple(journal.model_copy(update={"name": name}) for name in ("journal", "autre"))
    house = replace(house, settings=house.settings.model_copy(update={"sources": blocks}))
    runs = [run.run_id(NOON + timedelta(hours=hours)) for hours in (1, 0)]
    names = [(name, stamp) for stamp in runs for name in ("autre", "journal")]
    paths = [tmp_path / "landing" / name / "day" / f"{stamp}.jsonl.zst" for name, stamp in names]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(paths[::-1] if is_reversed else paths))
    found = run.landed(house, since=NOON, until=NOON + timedelta(days=1))
    assert found == [paths[3], paths[2], paths[1], paths[0]]


def test_upkeep_may_be_the_first_thing_that_runs_in_a_home(tmp_path: Path) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    run.expire(house, as_of=NOON)
    assert run.published(house, as_of=NOON).exists()


def test_a_second_whole_run_waits_for_the_first(tmp_path: Path) -> None:
    said: list[str] = []
    went = threading.Event()

    def second() -> None:
        with whole._in_turn(tmp_path, said.append):
            went.set()

    other = threading.Thread(target=second)
    with whole._in_turn(tmp_path, said.append):
        assert said == []
        other.start()
        while not said:
            time.sleep(0.01)
        assert not went.is_set()
    other.join(20)
    assert went.is_set()
    assert said == ["wait"]


def test_messages_are_drawn_at_night_where_that_is_asked_for_and_people_keep_up(
    tmp_path: Path,
) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    warehouse.prepare(house.settings)
    with warehouse.opened(tmp_path) as connection:
        say(connection, [Said(at=NOON - timedelta(hours=n), text=f"Rue {n}") for n in range(1, 30)])
    assert run.drawn(house, as_of=NOON) is None
    asked = house.settings.model_copy(update={"labels": Labels(daily_count=5)})
    house = replace(house, settings=asked)
    assert run.drawn(house, as_of=NOON) == "2026-11-20-1"
    assert run.drawn(house, as_of=NOON) is None
    tomorrow = NOON + timedelta(days=1)
    assert run.drawn(house, as_of=tomorrow) is None  # five wait for an answer
    with warehouse.opened(tmp_path) as connection:
        assert connection.execute("select count(*) from label_task").fetchone() == (5,)
        connection.execute("update mention set deleted_at = $at", {"at": NOON})
    assert run.drawn(house, as_of=tomorrow) is None  # nothing waits, and nothing new is there
    with warehouse.opened(tmp_path) as connection:
        say(connection, [Said(at=tomorrow - timedelta(hours=1), text="Rue 99")])
    assert run.drawn(house, as_of=tomorrow) == "2026-11-21-1"


def test_a_source_that_is_down_for_hours_is_told_of_once(tmp_path: Path) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    run.expire(house, as_of=NOON)
    for minutes in (0, 5, 10, 400):
        run.report_failure(
            house,
            dag="watch",
            task="collect[journal]",
            run=f"run {minutes}",
            error="StatusRefused: 500",
            now=NOON + timedelta(minutes=minutes),
        )
    assert _mails(tmp_path) == 2


RSS = b"""<rss version="2.0"><channel><title>Journal</title><item><guid>1</guid>
<title>Belleroche fleurit</title><link>https://journal.example/1</link>
<pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"""


def _broken(*_: object) -> Iterator[Any]:
    raise KeyError("a fault of ours")
    yield


def _intake(home: Path) -> list[tuple[str, str]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("select run_id, status from intake order by run_id").fetchall()
    return [(name, status) for name, status in rows]


def _watch(house: run.House, until: datetime) -> dict[str, int]:
    return run.watch(house, since=until - timedelta(minutes=5), until=until, now=until)


def test_a_collector_that_breaks_is_a_failed_reading_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    privacy.new_key(tmp_path)
    house = _house(tmp_path, "http://127.0.0.1:9")
    monkeypatch.setattr(feed, "collect", _broken)
    _watch(house, NOON)
    assert _intake(tmp_path) == [(run.run_id(NOON), "failed")]


def test_a_reading_that_leaves_no_receipt_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk is full: nothing was read, and who looks at the status must know."""
    privacy.new_key(tmp_path)
    house = _house(tmp_path, "http://127.0.0.1:9")
    monkeypatch.setattr(whole, "collect", _broken)
    assert _watch(house, NOON)["sources_failed"] == 1
    assert run.failed(house, run.run_id(NOON)) == ["journal"]


def test_a_payload_that_breaks_its_parser_stops_no_run_and_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    privacy.new_key(tmp_path)
    with serving(lambda _: Answer(200, {"content-type": "application/rss+xml"}, RSS)) as peer:
        house = _house(tmp_path, peer.url)
        with monkeypatch.context() as patch:
            patch.setattr(feed, "parse", _broken)
            counts = _watch(house, NOON)
        assert (counts["unreadable"], counts["rejected"], counts["accepted"]) == (1, 1, 0)
        assert counts["sources_failed"] == 1
        later = NOON + timedelta(minutes=15)
        assert _watch(house, later)["inserted"] == 1
    statuses = [status for _, status in _intake(tmp_path)]
    assert statuses == ["failed", "ok"]


def test_a_wait_that_is_asked_now_keeps_no_back_fill_of_the_past_from_being_read(
    tmp_path: Path,
) -> None:
    privacy.new_key(tmp_path)
    answers = [Answer(200, {}, RSS), Answer(429, {"retry-after": "600"})]
    with serving(lambda _: answers.pop(0)) as peer:
        house = _house(tmp_path, peer.url)
        now = datetime.now(UTC).replace(microsecond=0)
        _watch(house, now)
        assert _ask(house, now + timedelta(minutes=15)) == ["journal"]
        past = now - timedelta(days=1)
        assert run.plan(house, since=past - timedelta(minutes=5), until=past) == ["journal"]


def test_the_failure_of_the_first_step_of_a_new_home_is_told(tmp_path: Path) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    run.report_failure(house, dag="watch", task="plan", run="first", error="Busy", now=NOON)
    assert _mails(tmp_path) == 1


def test_a_source_without_news_is_asked_no_oftener_than_its_settings_say(tmp_path: Path) -> None:
    privacy.new_key(tmp_path)
    export = tmp_path / "inbox" / "export.csv"
    export.parent.mkdir()
    export.write_text("id,date,texte\n1,2026-11-20T10:00:00Z,Belleroche fleurit\n")
    toml = TOML.replace('kind = "feed"\nurl = "{url}/rss.xml"', FILE_BLOCK)
    (tmp_path / "vigie.toml").write_text(toml, encoding="utf-8")
    house = run.house(tmp_path, environ={})
    assert _watch(house, NOON)["inserted"] == 1
    _watch(house, NOON + timedelta(minutes=60))
    soon, later = NOON + timedelta(minutes=65), NOON + timedelta(minutes=120)
    assert run.plan(house, since=soon, until=soon) == []
    assert run.plan(house, since=later, until=later) == ["journal"]


FOUNTAIN = Answer(
    200,
    {"content-type": "application/rss+xml"},
    b"<rss version='2.0'><channel><title>J</title><item><guid>1</guid>"
    b"<title>Belleroche : la fontaine est en panne</title>"
    b"<pubDate>Wed, 18 Nov 2026 09:00:00 GMT</pubDate></item></channel></rss>",
)


def _until_load(house: run.House, until: datetime) -> None:
    _ask(house, until)
    for step in (run.accept, run.score, run.load):
        step(house, run.run_id(until))


STATION = Answer(
    200,
    {"content-type": "application/rss+xml"},
    b"<rss version='2.0'><channel><title>J</title><item><guid>1</guid>"
    b"<title>Belleroche : la ville et la gare de Saint-Denis</title>"
    b"<pubDate>Wed, 18 Nov 2026 09:00:00 GMT</pubDate></item></channel></rss>",
)


def _places(home: Path) -> list[str]:
    with warehouse.opened(home, read_only=True) as connection:
        rows = connection.execute("select place_code from mention_place order by all").fetchall()
    return [code for (code,) in rows]


def test_places_are_stored_and_read_again_when_the_territory_is_told(tmp_path: Path) -> None:
    with serving(lambda _: STATION) as peer:
        house = _house(tmp_path, peer.url)
        privacy.new_key(tmp_path)
        _until_load(house, NOON)
        assert _places(tmp_path) == ["commune:42014"]  # of four Saint-Denis, none is sure
        toml = TOML.replace('kind = "commune"', 'kind = "commune"\nterritory = ["commune:97411"]')
        (tmp_path / "vigie.toml").write_text(toml.format(url=peer.url), encoding="utf-8")
        house = run.house(tmp_path, environ={})
    since, until = NOON - timedelta(days=9), NOON
    name = run.export(house, since=since, until=until, as_of=NOON)
    assert run.score_again(house, name) == 1
    run.load_again(house, name)
    assert _places(tmp_path) == ["commune:42014", "commune:97411"]


def test_a_territory_that_is_no_place_is_told_with_the_setting_to_mend(tmp_path: Path) -> None:
    toml = TOML.replace('kind = "commune"', 'kind = "commune"\nterritory = ["commune:99999"]')
    (tmp_path / "vigie.toml").write_text(toml.format(url="http://127.0.0.1:9"), encoding="utf-8")
    with pytest.raises(PlaceUnknown, match="territory: 'commune:99999' is no place"):
        run.house(tmp_path, environ={})


def test_a_run_counts_the_alerts_that_are_open_as_the_list_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    warehouse.prepare(house.settings)
    told: list[Alert] = []
    monkeypatch.setattr(detect, "detect", lambda *_, **__: told)

    def counted(minutes: int, *alerts: Alert) -> tuple[int, int]:
        told[:] = alerts
        as_of = NOON + timedelta(minutes=minutes)
        count = run.alert(house, as_of=as_of)["alerts"]
        with warehouse.opened(tmp_path, read_only=True) as connection:
            asked = {"since": as_of, "as_of": as_of, "incident_id": None}
            listed = warehouse.run(connection, "queries/alerts_list", asked).to_arrow_table()
        return count, sum(row["resolved_at"] is None for row in listed.to_pylist())

    grave, other = (alert(1.5, subject_id="ville", scope=scope) for scope in ("all", "T09"))
    assert counted(0, grave, other) == (2, 2)
    assert counted(15, grave, other) == (2, 2)
    assert counted(30, grave) == (2, 2)  # what no rule speaks of any more is open for an hour
    assert counted(120, grave) == (1, 1)


def test_a_back_fill_of_the_past_wakes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    monkeypatch.setattr(detect, "detect", lambda *_, as_of, **__: asked.append(as_of) or [])
    with serving(lambda _: FOUNTAIN) as peer:
        house = _house(tmp_path, peer.url)
        privacy.new_key(tmp_path)
        _until_load(house, NOON)
    assert run.alert(house, as_of=NOON - timedelta(hours=3)) == {}
    assert asked == []
    run.alert(house, as_of=NOON)
    assert asked == [NOON]


def test_a_batch_that_breaks_the_contract_fails_its_source_and_tells_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> object:
        raise ContractBroken("mention_id breaks expect_column_to_exist", ("a",))

    monkeypatch.setattr(acceptance, "accept", broken)
    with serving(lambda _: FOUNTAIN) as peer:
        house = _house(tmp_path, peer.url)
        privacy.new_key(tmp_path)
        _until_load(house, NOON)
    assert run.failed(house, run.run_id(NOON)) == ["journal"]
    with warehouse.opened(tmp_path, read_only=True) as connection:
        intake = connection.execute("select status, note from intake").fetchall()
        told = connection.execute("select count(*) from outbox where kind = 'failure'").fetchone()
        moved = connection.execute("select count(*) from source_cursor").fetchone()
    assert intake == [("failed", "mention_id breaks expect_column_to_exist")]
    assert told == (1,)
    assert moved == (0,)


def _rss(*hours: int) -> Answer:
    """A feed whose entries are so many hours older than NOON."""
    entries = "".join(
        f"<item><guid>{h}</guid><title>Belleroche, {h} heures avant</title>"
        f"<pubDate>{format_datetime(NOON - timedelta(hours=h))}</pubDate></item>"
        for h in hours
    )
    body = f"<rss version='2.0'><channel><title>J</title>{entries}</channel></rss>"
    return Answer(200, {"content-type": "application/rss+xml"}, body.encode())


def test_a_back_fill_reads_the_open_gaps_marks_them_and_moves_nothing(tmp_path: Path) -> None:
    privacy.new_key(tmp_path)
    shown = [_rss(30)]
    with serving(lambda _: shown[-1]) as peer:
        house = _house(tmp_path, peer.url)
        _watch(house, NOON - timedelta(hours=6))
        shown.append(_rss(1))  # everything that was known is gone: the feed tells a gap
        _watch(house, NOON)
        gap = (NOON - timedelta(hours=6), NOON - timedelta(hours=1))
        shown.append(_rss(1, 3, 7))  # the publisher shows it again
        at = NOON + timedelta(minutes=7)
        counts = run.backfill(house, as_of=at)
        assert run.backfill(house, as_of=at + timedelta(minutes=1))["sources"] == 0
    assert (counts["sources"], counts["inserted"]) == (1, 1)  # 7 hours is before the gap
    with warehouse.opened(tmp_path, read_only=True) as connection:
        told = connection.execute(
            "select since_at, until_at, is_filled, filled_by, filled_at from coverage_gap"
        ).fetchall()
        cursor = connection.execute("select run_id from source_cursor").fetchone()
        late = connection.execute(
            "select heard_at - published_at from heard order by published_at desc limit 1 offset 1"
        ).fetchone()
    assert told == [(*gap, True, f"backfill-{run.run_id(at)}", at)]
    assert cursor == (run.run_id(NOON),)
    assert late == (timedelta(hours=3, minutes=7),)  # heard when it was, not when it was said
    assert list((tmp_path / "landing" / "journal").glob("*/backfill-*"))


def test_a_back_fill_may_name_its_span_and_its_sources(tmp_path: Path) -> None:
    privacy.new_key(tmp_path)
    with serving(lambda _: _rss(1)) as peer:
        house = _house(tmp_path, peer.url)
        _watch(house, NOON)
        span = {"since": NOON - timedelta(hours=2), "until": NOON + timedelta(days=2)}
        assert run.plan_backfill(house, as_of=NOON, names=["autre"], **span) is None
        name = run.plan_backfill(house, as_of=NOON, names=["journal"], **span)
    assert name == f"backfill-{run.run_id(NOON)}"
    (order,) = json.loads((run.staging(tmp_path, name) / "plan.json").read_text())
    assert (order["since"], order["until"]) == (span["since"].isoformat(), NOON.isoformat())


def test_a_back_fill_does_not_pass_for_the_last_reading(tmp_path: Path) -> None:
    privacy.new_key(tmp_path)
    with serving(lambda _: _rss(1)) as peer:
        house = _house(tmp_path, peer.url)
        _watch(house, NOON)
    at = NOON + timedelta(minutes=7)  # the paper's server is away by now
    counts = run.backfill(house, as_of=at, since=NOON - timedelta(hours=2), until=NOON)
    assert counts["sources_failed"] == 1
    with warehouse.opened(tmp_path, read_only=True) as connection:
        assert warehouse.run(connection, "queries/source_troubles").fetchall() == []
        assert connection.execute("select count(*) from gap").fetchone() == (0,)


def test_every_call_of_a_run_is_counted_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = Limit(name="calls", most=1, per=Rolling(3600))
    monkeypatch.setattr(feed, "MANIFEST", replace(feed.MANIFEST, limits=(limit,)))
    privacy.new_key(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    with serving(lambda _: _rss(1)) as peer:
        house = _house(tmp_path, peer.url)
        _watch(house, now)
        _watch(house, now + timedelta(minutes=15))
        assert len(peer.asked) == 1
    with warehouse.opened(tmp_path, read_only=True) as connection:
        ((status, note),) = connection.execute(
            "select status, note from intake order by run_id desc limit 1"
        ).fetchall()
    assert status == "waiting"
    assert "'calls' de journal est épuisé (1 sur 1 appels en 60 min)" in note
    later = now + timedelta(minutes=30)  # it costs nothing to ask our own budget
    assert run.plan(house, since=later, until=later) == ["journal"]
