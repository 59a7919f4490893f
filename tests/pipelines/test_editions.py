"""Digests of a week and of a month: the same honesty over more days."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import cli, digest, page, run, wording
from pipelines.brief import Digest
from tests.pipelines import valmont

SUNDAY = date(2026, 11, 22)
MONDAY_MORNING = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def town() -> Iterator[duckdb.DuckDBPyConnection]:
    """The week of the crisis, with the digests of four of its days."""
    with valmont.warehouse_of("crisis") as connection:
        for ago, level in ((3, "vert"), (2, "jaune"), (0, "rouge")):
            day = valmont.DAY - timedelta(days=ago)
            valmont._remember(connection, day, level)
        yield connection


def _of(connection: duckdb.DuckDBPyConnection, edition: str) -> Digest:
    return digest.build(
        connection,
        settings=valmont.SETTINGS,
        day=SUNDAY,
        as_of=MONDAY_MORNING,
        edition=edition,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def week(town: duckdb.DuckDBPyConnection) -> Digest:
    return _of(town, "week")


def test_a_week_counts_its_seven_days(week: Digest, town: duckdb.DuckDBPyConnection) -> None:
    assert (week.first, week.day) == (date(2026, 11, 16), SUNDAY)
    counted = town.execute(
        "select count(*) from mention where not is_own and published_at >= '2026-11-15 23:00:00+00'"
        " and published_at < '2026-11-22 23:00:00+00'"
    ).fetchone()
    assert counted == (week.volume.count,)
    assert week.volume.expected is not None
    assert week.volume.hours == ()


def test_a_week_is_as_grave_as_its_worst_day_and_tells_each(week: Digest) -> None:
    assert week.risk.level == "rouge"
    told = [each.level for each in week.levels]
    assert told == ["vert", "jaune", "vert", "rouge", None, None, None]
    text = " ".join(digest.render(week, locale="fr").text.split())
    assert "Digest de la semaine du 16 au 22 novembre 2026" in text
    assert "Le jour le plus tendu, jeu. 19 nov." in text
    assert "sam. 21 nov. sans digest" in text
    assert "la veille" not in text


def test_an_edition_is_kept_beside_the_day_under_a_name_of_its_own(
    tmp_path: Path, week: Digest
) -> None:
    letter = digest.render(week, locale="en")
    path = digest.save(tmp_path, week, letter, locale="en")
    assert path.name == "2026-11-22.week.en.html"
    assert "Stories of the period" in letter.html
    assert letter.subject.startswith("Vigie · Ville de Valmont · week · RED")


def test_the_times_of_a_weeks_stories_name_their_day(week: Digest) -> None:
    spoken = wording.words("fr", valmont.PARIS)
    told = dict(page.why(week.stories[0], spoken, is_one_day=False))
    assert re.search(r"dès 19 nov\. à 16:\d\d", told["Quand"])


def test_a_month_begins_on_its_first_day_and_counts_levels(
    town: duckdb.DuckDBPyConnection,
) -> None:
    made = digest.build(
        town,
        settings=valmont.SETTINGS,
        day=date(2026, 11, 30),
        as_of=datetime(2026, 12, 1, 6, tzinfo=UTC),
        edition="month",
    )
    assert made.first == date(2026, 11, 1)
    assert made.volume.expected is None  # 28 days tell nothing of 30
    text = digest.render(made, locale="fr").text
    assert "Digest du mois · novembre 2026" in text
    assert "Vert 2 · Jaune 1 · Rouge 1 · sans digest 26" in " ".join(text.split())
    html = digest.render(made, locale="fr").html.replace("\u00a0", " ")
    assert "fourchette : aucune au-delà de quatre semaines" in html


def test_an_edition_that_goes_on_is_refused(town: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="goes on"):
        digest.build(
            town,
            settings=valmont.SETTINGS,
            day=SUNDAY,
            as_of=MONDAY_MORNING - timedelta(hours=12),
            edition="week",
        )


@pytest.mark.parametrize(
    ("edition", "ended"),
    [
        ("day", date(2026, 11, 25)),
        ("week", date(2026, 11, 22)),  # a Sunday
        ("month", date(2026, 10, 31)),
    ],
)
def test_an_edition_without_a_day_is_of_the_last_whole_span(edition: str, ended: date) -> None:
    assert cli._ended(cli.Edition(edition), date(2026, 11, 26)) == ended


def test_an_edition_of_one_day_is_that_day(town: duckdb.DuckDBPyConnection) -> None:
    day = digest.build(town, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF)
    assert (day.first, day.levels, day.edition) == (valmont.DAY, (), "day")


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2026, 11, 19), ["day"]),
        (date(2026, 11, 22), ["day", "week"]),
        (date(2026, 11, 30), ["day", "month"]),
        (date(2027, 1, 31), ["day", "week", "month"]),
    ],
)
def test_a_week_is_due_after_sunday_and_a_month_after_its_last_day(
    day: date, due: list[str]
) -> None:
    house = run.House(settings=valmont.SETTINGS, secrets={}, environ={})
    assert run.editions_due(house, day) == due
    who = valmont.SETTINGS.institution.model_copy(update={"digest_editions": ()})
    without = replace(house, settings=valmont.SETTINGS.model_copy(update={"institution": who}))
    assert run.editions_due(without, day) == ["day"]
