"""Three hours without Mastodon and a search cut short, in Valbrume: what people are told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.console import Console

from pipelines import coverage_commands, http, run
from tests.town.demo import letters
from tests.town.living import Home, lived_in
from tests.town.server import APP_PASSWORD, served, write_exports

DAY = date(2026, 10, 1)


def _at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


DOWN = (_at(14), _at(17))
NIGHT = (_at(5, day=2), _at(5, 10, day=2))


def _watch(home: Home, moment: datetime) -> dict[str, int]:
    home.town.clock = moment
    write_exports(home.town, home.path / "inbox")
    house = run.house(home.path)
    return run.watch(house, since=moment - timedelta(minutes=5), until=moment, now=moment)


def _page(home: Home, as_of: datetime) -> str:
    path = run.digest(run.house(home.path), day=DAY, as_of=as_of)
    assert path is not None
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", path.read_text(encoding="utf-8"), flags=re.S)
    return _flat(text)


def _flat(text: str) -> str:
    return " ".join(re.sub(r"[\u00a0\u202f]", " ", text).split())


def _printed(home: Home, as_of: datetime, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    wide = Console(width=200, highlight=False)
    span = {"since": _at(10), "until": min(as_of, _at(22)), "as_of": as_of, "now": as_of}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coverage_commands, "out", wide)
        coverage_commands.show(home.path, **span, by_hour=False, locale="en")  # type: ignore[arg-type]
    return _flat(capsys.readouterr().out)


def _afternoon(home: Home) -> None:
    """The afternoon of the crisis: no Mastodon for three hours, one search cut at four o'clock."""
    home.town.mastodon_down = DOWN
    for moment in (_at(5), _at(12, 30), _at(13, 30), _at(14), _at(15), _at(15, 30)):
        _watch(home, moment)
    home.town.bluesky_page = 1
    assert _watch(home, _at(16))["sources_failed"] == 1
    home.town.bluesky_page = 100
    _watch(home, DOWN[1])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("outage")
    with (
        pytest.MonkeyPatch.context() as patch,
        served(_at(5)) as served_town,
        lived_in(folder / "home", served_town) as home,
    ):
        patch.setattr(http, "TRIES", 1)
        patch.setenv("VIGIE_DEMO_BLUESKY", APP_PASSWORD)
        toml = home.path / "vigie.toml"
        wide = toml.read_text().replace('kind = "bluesky"', 'kind = "bluesky"\nmax_pages = 30')
        toml.write_text(wide)
        yield home


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_outage_and_a_cut_search_are_told_filled_and_told_as_filled(
    town: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    _afternoon(town)
    during = _page(town, DOWN[1])
    assert "Lecture incomplète : 2 sur 4 sources lues normalement." in during
    assert "La source mastodon n’est plus lue depuis le 1er oct. à 16:00 (3 h), faute de" in during
    assert re.search(r"d’habitude environ \d+ messages sur ce temps-là, plutôt \d+ au", during)
    assert re.search(r"La source bluesky n’a pas été lue de 17:30 à 17:\d\d, car elle n’a", during)
    assert re.search(r"minimum : il y manque sans doute environ \d+ messages, soit \d+ %", during)
    printed = _printed(town, DOWN[1], capsys)
    assert "mastodon 10-01 14:00 10-01 17:00 failed open" in printed

    alerts = [m for m in letters(town.mails) if str(m["To"]).startswith("astreinte")]
    last = _flat(str(alerts[-1].get_body(("plain",)).get_content()))  # type: ignore[union-attr]
    assert "La source mastodon n’est plus lue depuis" in last

    for moment in (DOWN[1] + timedelta(minutes=30), _at(20), _at(4, 55, day=2)):
        assert _watch(town, moment)["sources_failed"] == 0
    after = _page(town, NIGHT[0])
    assert (
        "La source mastodon n’a pas pu être lue de 16:00 à 19:00, faute de réponse ; elle" in after
    )
    assert "3 sur 4 sources lues normalement" in after

    counts = run.backfill(run.house(town.path), as_of=NIGHT[1], names=["bluesky"])
    assert (counts["sources"], counts["sources_failed"]) == (1, 0)
    assert counts["inserted"] > 0
    filled = _page(town, NIGHT[1] + timedelta(minutes=1))
    assert "Tout ce qui devait être lu l’a été (4 sources)." in filled
    assert "minimum" not in filled
    printed = _printed(town, NIGHT[1] + timedelta(minutes=1), capsys)
    assert "not given backfill-20261002T051000Z 10-02 05:10" in printed
    assert "failed 20261001T173000Z 10-01 17:30" in printed
