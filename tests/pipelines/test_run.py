"""What a run asks of its sources and when; what a new home does; how failures are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import run
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
    assert run.digest(house, day=NOON.date(), as_of=NOON, now=NOON) is None
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
