"""What a run asks of its sources and when; what a new home does; how failures are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import accept as acceptance, detect, privacy, run, warehouse
from pipelines.errors import ContractBroken
from pipelines.sources import feed
from tests.pipelines.loopback import NOON, Answer, Asked, serving

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
        assert len(peer.asked) == 2


def test_a_source_that_fails_is_asked_again_in_the_next_run(tmp_path: Path) -> None:
    with serving(lambda _: Answer(403)) as peer:
        house = _house(tmp_path, peer.url)
        now = datetime.now(UTC).replace(microsecond=0)
        for minutes in (0, 5):
            with pytest.raises(run.SourceError):
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


def test_upkeep_may_be_the_first_thing_that_runs_in_a_home(tmp_path: Path) -> None:
    house = _house(tmp_path, "http://127.0.0.1:9")
    run.expire(house, as_of=NOON)
    assert run.published(house, as_of=NOON).exists()


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


def test_a_back_fill_of_the_past_wakes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    monkeypatch.setattr(detect, "detect", lambda *_, as_of, **__: asked.append(as_of) or [])
    with serving(lambda _: FOUNTAIN) as peer:
        house = _house(tmp_path, peer.url)
        privacy.new_key(tmp_path)
        _until_load(house, NOON)
    assert run.alert(house, as_of=NOON - timedelta(hours=3)) == {"alerts": 0}
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
    with warehouse.opened(tmp_path, read_only=True) as connection:
        intake = connection.execute("select status, note from intake").fetchall()
        told = connection.execute("select count(*) from outbox where kind = 'failure'").fetchone()
        moved = connection.execute("select count(*) from source_cursor").fetchone()
    assert intake == [("failed", "mention_id breaks expect_column_to_exist")]
    assert told == (1,)
    assert moved == (0,)
