"""Crisis reports: one incident since it opened, at its hours or on demand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import crisis, privacy, run, warehouse
from pipelines.crisis import Report
from pipelines.errors import VigieError
from tests.pipelines import postbox, valmont
from tests.pipelines.staged import prepared
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


def test_a_report_says_from_when_its_figures_are(report: Report) -> None:
    begun = report.incident.opened_at - timedelta(days=1)
    told = replace(report, incident=replace(report.incident, begun_at=begun))
    assert f"{begun:%Y-%m-%d %H:%M}" in crisis.render(told, locale="fr").html


def test_a_report_counts_from_the_window_in_which_the_rule_saw_it(
    town: duckdb.DuckDBPyConnection, report: Report
) -> None:
    seen = '{"alert": {"window_minutes": 1440}}'
    before = town.execute("select evidence from incident where incident_id = 'i1'").fetchone()
    town.execute("update incident set evidence = ? where incident_id = 'i1'", [seen])
    try:
        (incident,) = crisis.incidents(town, as_of=TWO_HOURS)
        made = crisis.build(town, incident, settings=valmont.SETTINGS, as_of=TWO_HOURS)
    finally:
        town.execute(
            "update incident set evidence = ? where incident_id = 'i1'", list(before or ())
        )
    assert crisis.begun(incident) == OPENED - timedelta(days=1)
    assert made.pace.mention_count >= report.pace.mention_count
    assert "messages depuis le 18 nov. à 17:35" in crisis.render(made, locale="fr").text


def test_a_report_tells_stories_claims_answers_and_what_was_not_heard(report: Report) -> None:
    letter = crisis.render(report, locale="fr")
    assert letter.subject.startswith("Vigie · Ville de Valmont · point de crise H+2 · Eau potable")
    assert "Pris en charge le 19 nov. à 17:47" in letter.text
    assert "Encore ouvert." in " ".join(letter.text.split())
    assert "Sujet sensible en hausse" in letter.text
    assert "HISTOIRES DEPUIS LE DÉBUT" in letter.text
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
    [(0, None), (59, None), (60, "h1"), (119, "h1"), (120, "h2"), (359, "h2"), (360, None),
     (1439, None), (1440, "d1"), (2159, "d1"), (2160, None)],
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


TOML = """
[institution]
id = "valmont"
name = "Ville de Valmont"
kind = "commune"
legal_basis = "Mission d’intérêt public"

[[subjects]]
id = "eau"
label = "Eau potable"
purpose = "Sécurité sanitaire"
names = ["Valmont"]

[[sources]]
name = "journal"
kind = "feed"
url = "https://echo.example/rss.xml"

[[recipients]]
name = "Direction"
email = "direction@valmont.example"
role = "director"
gets = ["digest", "alerts", "failures"]

[mail]
port = {port}
security = "none"
sender = "vigie@valmont.example"
"""


def _home(home: Path, port: int, town: duckdb.DuckDBPyConnection) -> run.House:
    """A home whose warehouse holds the town on its day of crisis."""
    (home / "vigie.toml").write_text(TOML.format(port=port), encoding="utf-8")
    privacy.new_key(home)
    house = run.house(home, environ={})
    prepared(house.settings)
    with warehouse.opened(home) as connection:
        for table in ("mention", "score", "heard", "daily", "incident", "incident_event"):
            rows = town.execute(f"from {table}").to_arrow_table()
            connection.register("given", rows)
            connection.execute(f"insert into {table} by name from given")
            connection.unregister("given")
    return house


def _watch(home: Path, minutes: int) -> list[str]:
    """What the watch does of reports some minutes after the incident opened, as a fresh process
    would; the horizons made."""
    house = run.house(home, environ={})
    as_of = OPENED + timedelta(minutes=minutes)
    made = run.crisis_reports(house, as_of=as_of)
    run.deliver(house, now=as_of)
    return [path.name.split(".")[1].rpartition("-")[2] for path in made]


def test_reports_are_mailed_once_an_hour_two_hours_and_a_day_after(
    tmp_path: Path, town: duckdb.DuckDBPyConnection
) -> None:
    with postbox.listening() as box:
        _home(tmp_path, box.port, town)
        made = {n: _watch(tmp_path, n) for n in (0, 55, 60, 65, 118, 120, 125, 300, 1440, 1445)}
        assert {n: found for n, found in made.items() if found} == {
            60: ["h1"],
            120: ["h2"],
            1440: ["d1"],
        }
        subjects = [str(mail["Subject"]) for mail in box.mails()]
    assert [re.search(r"point de crise (\S+) ·", each)[1] for each in subjects] == [  # type: ignore[index]
        "H+1",
        "H+2",
        "J+1",
    ]
    assert box.recipients == ["direction@valmont.example"] * 3
    pages = sorted(path.name for path in (tmp_path / "digests").iterdir())
    assert pages == [f"2026-11-19.crisis-i1-{name}.fr.html" for name in ("d1", "h1", "h2")]


def test_a_report_outlives_a_watch_that_is_killed_or_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, town: duckdb.DuckDBPyConnection
) -> None:
    with postbox.listening() as box:
        house = _home(tmp_path, box.port, town)
        with monkeypatch.context() as broken:
            broken.setattr(crisis, "save", _killed)
            with pytest.raises(KeyboardInterrupt):
                run.crisis_reports(house, as_of=OPENED + timedelta(minutes=60))
        assert _watch(tmp_path, 70) == ["h1"]  # mailed before, kept only now
        assert _watch(tmp_path, 200) == ["h2"]  # the watch was away at two hours
        (tmp_path / "digests" / "2026-11-19.crisis-i1-h2.fr.html").unlink()
        assert _watch(tmp_path, 210) == ["h2"]
        assert len(box.mails()) == 2


def _killed(*_: object) -> Path:
    raise KeyboardInterrupt


def test_an_incident_that_is_closed_or_false_is_reported_no_more(
    tmp_path: Path, town: duckdb.DuckDBPyConnection
) -> None:
    house = _home(tmp_path, 9, town)
    with warehouse.opened(tmp_path) as connection:
        connection.execute(
            "update incident set resolved_at = ? where incident_id = 'i1'",
            [OPENED + timedelta(minutes=90)],
        )
    made = [run.crisis_reports(house, as_of=OPENED + timedelta(minutes=n)) for n in (60, 120, 1440)]
    assert [len(found) for found in made] == [1, 0, 0]


def test_three_rules_that_see_one_event_make_one_report(
    tmp_path: Path, town: duckdb.DuckDBPyConnection
) -> None:
    _home(tmp_path, 9, town)
    later = OPENED + timedelta(minutes=5)
    with warehouse.opened(tmp_path) as connection:
        for name, subject, scope in (
            ("a", "eau", "T20"),
            ("b", "eau", "all"),
            ("c", "ville", "T20"),
        ):
            connection.execute(
                "insert into incident select * replace (? as incident_id, ? as fingerprint,"
                " ? as subject_id, ? as scope, cast(? as timestamptz) as opened_at)"
                " from incident where incident_id = 'i1'",
                [name, name, subject, scope, later],
            )
        led = [each.incident_id for each in crisis.leading(connection, as_of=TWO_HOURS)]
    assert led == ["i1", "b", "c"]  # "a" is what the first tells of; "b" and "c" are wider or other
