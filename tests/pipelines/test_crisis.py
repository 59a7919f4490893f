"""Crisis reports: one incident since it opened, at its hours or on demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import crisis
from pipelines.crisis import Report
from pipelines.errors import VigieError
from tests.pipelines import valmont
from tests.pipelines.test_page import _outline

OPENED = datetime(2026, 11, 19, 16, 35, tzinfo=UTC)
TWO_HOURS = OPENED + timedelta(hours=2)


@pytest.fixture(scope="module")
def town() -> Iterator[duckdb.DuckDBPyConnection]:
    with valmont.warehouse_of("crisis") as connection:
        yield connection


@pytest.fixture(scope="module")
def report(town: duckdb.DuckDBPyConnection) -> Report:
    (incident,) = crisis.incidents(town, as_of=TWO_HOURS)
    return crisis.build(town, incident, settings=valmont.SETTINGS, as_of=TWO_HOURS, horizon="h2")


def test_a_report_counts_what_its_incident_is_about(
    town: duckdb.DuckDBPyConnection, report: Report
) -> None:
    counted = town.execute(
        "select count(*), count(distinct mention.text_hash), "
        " count(*) filter (mention.published_at >= $until - interval 1 hour)"
        " from mention join score using (mention_id)"
        " where list_contains(subject_ids, 'eau') and list_contains(topics, 'T20')"
        " and not is_own and mention.published_at >= $opened and mention.published_at < $until",
        {"opened": OPENED, "until": TWO_HOURS},
    ).fetchone()
    pace = report.pace
    assert counted == (pace.mention_count, pace.text_count, pace.last_hour_count)
    assert pace.mention_count > 50
    assert sum(story.mention_count for story in report.stories) <= pace.mention_count


def test_a_report_tells_stories_claims_answers_and_what_was_not_heard(report: Report) -> None:
    letter = crisis.render(report, locale="fr")
    assert letter.subject.startswith("Vigie · Ville de Valmont · point de crise H+2 · Eau potable")
    assert "Pris en charge le 19 nov. à 17:47" in letter.text
    assert "Encore ouvert." in letter.text
    assert report.claims[0].said.copy_count > 10
    assert "L’institution n’a rien publié depuis l’ouverture" not in letter.text
    assert "COUVERTURE" in letter.text
    assert "4 sources" in letter.text
    assert "crisis report H+2" in crisis.render(report, locale="en").subject


def test_a_report_is_safe_for_mail_and_rests_on_messages(
    town: duckdb.DuckDBPyConnection, report: Report
) -> None:
    html = crisis.render(report, locale="fr").html
    outline = _outline(html)
    assert not {"script", "iframe", "link", "img"} & {tag for tag, _ in outline.tags}
    assert len(html.encode()) < 100_000
    known = {row[0] for row in town.execute("select mention_id from mention").fetchall()}
    quotes = [a for tag, a in outline.tags if tag in {"blockquote", "h3"}]
    assert quotes
    assert all(set(str(a["data-ids"]).split()) <= known for a in quotes)


def test_a_hostile_text_is_words_in_a_report() -> None:
    evil = "<script>alert(1)</script> l’eau est-elle coupée partout ?\u202e"
    with valmont.warehouse_of("crisis") as connection:
        rows = [
            valmont.row(
                evil, OPENED + timedelta(minutes=n), number=80_000_000 + n, topics=("T20",),
                subject_ids=("eau",), url="javascript:alert(1)",
            )
            for n in range(900)
        ]  # fmt: skip
        valmont.store(connection, rows)
        (incident,) = crisis.incidents(connection, as_of=TWO_HOURS)
        made = crisis.build(connection, incident, settings=valmont.SETTINGS, as_of=TWO_HOURS)
    html = crisis.render(made, locale="fr").html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "javascript:" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize(
    ("minutes", "horizon"),
    [(0, None), (59, None), (60, "h1"), (114, "h1"), (119, None), (120, "h2"), (180, None),
     (1439, None), (1440, "d1"), (1494, "d1"), (1500, None)],
)  # fmt: skip
def test_a_report_is_due_at_its_hour_and_not_long_after(
    minutes: int, horizon: str | None, report: Report
) -> None:
    assert crisis.due(report.incident, as_of=OPENED + timedelta(minutes=minutes)) == horizon


def test_only_critical_incidents_that_are_open_are_reported_by_themselves(
    town: duckdb.DuckDBPyConnection,
) -> None:
    assert [each.incident_id for each in crisis.incidents(town, as_of=TWO_HOURS)] == ["i1"]
    later = OPENED + timedelta(days=3)
    assert crisis.incidents(town, as_of=later) == []
    assert crisis.one(town, "i2", as_of=later).severity == "warning"


def test_an_id_that_is_nobodys_is_named_with_a_remedy(town: duckdb.DuckDBPyConnection) -> None:
    for name in ("zz", "", "i"):
        with pytest.raises(VigieError, match="vigie alerts list"):
            crisis.one(town, name, as_of=TWO_HOURS)


def test_reports_are_kept_apart_and_never_leave_the_folder(report: Report) -> None:
    odd = replace(report.incident, incident_id="../../x/9f")
    path = crisis.kept(Path("/home"), odd, valmont.SETTINGS, name="h1")
    assert path == Path("/home/digests/2026-11-19.crisis-x9f-h1.fr.html")
