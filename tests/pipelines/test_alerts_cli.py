"""`vigie alerts …` as a moderator types it: what it shows and does, in eighty columns."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from pipelines import alerts_cli, house, notify, quality, run, warehouse
from pipelines.alerts_cli import alerts_app
from pipelines.errors import VigieError
from tests.pipelines.test_incidents import alert
from tests.pipelines.test_query_cli import TOML
from tests.pipelines.watched import AS_OF

WHO = ("--by", "Claire Astreinte")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one critical alert that fires."""
    (tmp_path / "vigie.toml").write_text(TOML.format(query="tram"))
    monkeypatch.setenv("VIGIE_PSEUDONYM_KEY", "5e" * 32)
    monkeypatch.setattr(alerts_cli.out, "width", 80)
    house = run.house(tmp_path)
    warehouse.prepare(house.settings)
    with warehouse.opened(tmp_path) as connection:
        found = alert(severity="critical", subject_id="transports")
        notify.record(connection, [found], settings=house.settings, as_of=AS_OF)
    return tmp_path


def said(home: Path, *words: str) -> str:
    """What a command prints, on one line; no line of it is wider than eighty columns."""
    result = CliRunner().invoke(alerts_app, [*words, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    return " ".join(result.output.replace("\u00a0", " ").split())


def refused(home: Path, *words: str) -> str:
    with pytest.raises(VigieError) as raised:
        CliRunner().invoke(alerts_app, [*words, "--home", str(home)], catch_exceptions=False)
    return str(raised.value).replace("\u00a0", " ")


def short(home: Path) -> str:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        [(name,)] = connection.execute("select incident_id from incident").fetchall()
    return str(name)[:8]


def test_the_alerts_that_are_open_are_listed_in_the_institutions_language(home: Path) -> None:
    shown = said(home, "list")
    for word in (short(home), "en cours", "critique", "Transports · Afflux", "11:25"):
        assert word in shown
    assert "vigie alerts ack" in shown


def test_an_alert_shows_what_its_rule_sees_before_anybody_is_told(home: Path) -> None:
    with warehouse.opened(home) as connection:
        connection.execute("delete from alert_evidence")
    shown = said(home, "show", short(home))
    assert "La règle voit : 40 mentions en 1 h" in shown
    assert "d’habitude 8 à 24 · 40 textes différents, 40 auteurs (20 nov. à 11:25)" in shown
    with warehouse.opened(home) as connection:  # of another version
        connection.execute("update incident set evidence = '{}'")
    assert "La règle voit" not in said(home, "show", short(home))


def test_without_an_alert_the_list_says_so(home: Path) -> None:
    with warehouse.opened(home) as connection:
        connection.execute("delete from incident")
    assert said(home, "list") == "Aucune alerte en cours."


def test_an_alert_is_taken_in_hand_once_and_shows_by_whom(home: Path) -> None:
    name = short(home)
    assert "Claire Astreinte a l’alerte" in said(home, "ack", name[:4], *WHO)
    assert "déjà en main (Claire Astreinte)" in said(home, "ack", name, "--by", "Un autre")
    assert "en cours, en main" in said(home, "list")
    shown = said(home, "show", name)
    assert "En main : Claire Astreinte" in shown
    assert "Afflux de mentions, critique, niveau 1,5" in shown


def test_a_silence_is_made_until_a_moment_of_the_local_clock_or_for_hours(home: Path) -> None:
    name = short(home)
    told = said(home, "silence", name, "--for", "4", "--reason", "travaux annoncés", *WHO)
    assert "est en sourdine jusqu’au" in told
    assert "Sourdine : jusqu’au" in said(home, "show", name)
    assert "travaux annoncés" in said(home, "show", name)
    assert "est levée" in said(home, "unsilence", name, *WHO)
    assert "n’est pas en sourdine" in said(home, "unsilence", name, *WHO)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--for", "4", "--until", "2026-11-21T08:00"), "--until 2026-11-21T08:00 ou avec --for"),
        ((), "--until 2026-11-21T08:00 ou avec --for"),
        (("--until", "2020-01-01T08:00"), "est passé"),
        (("--until", "2999-01-01T08:00"), "dans les sept jours"),
    ],
)
def test_a_silence_without_a_sensible_end_is_refused(
    home: Path, words: tuple[str, ...], told: str
) -> None:
    assert told in refused(home, "silence", short(home), "--reason", "travaux", *words, *WHO)


@pytest.mark.parametrize("act", [("take-back",), ("silence", "--for", "4", "--reason", "travaux")])
def test_an_alert_that_there_is_none_of_is_told_in_french(home: Path, act: tuple[str, ...]) -> None:
    told = refused(home, *act, "ffffffffffff", *WHO)
    assert "aucune alerte ne commence par 'ffffffffffff' :" in told


def test_judgements_are_noted_and_change_nothing_by_themselves(home: Path) -> None:
    name = short(home)
    assert "C’est noté" in said(home, "false-alarm", name, *WHO, "--reason", "un mème")
    assert "déjà noté" in said(home, "false-alarm", name, *WHO)
    assert "C’est noté" in said(home, "wrong-tone", name, "--message", "m1", "--better", "neutral")
    assert "C’est noté" in said(home, "wrong-topic", name, "--message", "m1", "--better", "T09")
    assert "jugée fausse" in said(home, "show", name)


def test_a_judgement_is_taken_back_and_the_timeline_keeps_both(home: Path) -> None:
    name = short(home)
    said(home, "false-alarm", name, *WHO)
    told = said(home, "take-back", name, *WHO, "--reason", "mauvaise alerte")
    assert "est repris" in told
    assert "n’a pas ce jugement" in said(home, "take-back", name, *WHO)
    shown = said(home, "show", name)
    assert "jugée fausse" in shown
    assert "jugement « fausse »" in shown
    assert "mauvaise alerte" in shown
    assert "plus en main" in shown
    said(home, "wrong-tone", name, "--message", "m1", "--better", "neutral")
    which = ("--judged", "wrong-tone", "--message", "m1")
    assert "est repris" in said(home, "take-back", name, *which)
    told = refused(home, "take-back", name, "--judged", "x", *WHO)
    assert "choisissez parmi false-alarm, wrong-tone, wrong-topic" in told


def test_a_judgement_against_one_that_stands_is_refused_as_on_the_board(home: Path) -> None:
    name = short(home)
    said(home, "false-alarm", name, *WHO)
    told = refused(home, "wrong-tone", name, "--better", "neutral", *WHO)
    assert "reprenez d’abord celui-là, par `vigie alerts take-back`" in told
    assert "quel ton est juste" in refused(home, "wrong-tone", name, *WHO)
    said(home, "take-back", name, *WHO)
    assert "C’est noté" in said(home, "wrong-tone", name, "--better", "neutral", *WHO)


@pytest.mark.parametrize("named", ["xyz", "abc", "", "../x", "ffffffff"])
def test_an_alert_that_is_none_is_told_with_what_to_do(home: Path, named: str) -> None:
    assert "vigie alerts list" in refused(home, "ack", named, *WHO)


def test_what_a_person_writes_is_no_markup_for_the_terminal(home: Path) -> None:
    name = short(home)
    said(home, "ack", name, "--by", "[red]Eve[/]\x1b[2J", "--reason", "[bold]x[/]")
    shown = said(home, "show", name)
    assert "[red]Eve[/]" in shown
    assert "\x1b" not in shown


def test_in_english_where_the_institution_speaks_it(home: Path) -> None:
    path = home / "vigie.toml"
    path.write_text(path.read_text().replace('kind = "commune"', 'kind = "commune"\nlocale = "en"'))
    assert "firing critical" in said(home, "list")


def test_the_command_line_loads_the_alerts_only_when_asked() -> None:
    asked = "import sys, pipelines.cli; sys.exit('pipelines.alerts_cli' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_both_languages_have_the_same_texts() -> None:
    import tomllib

    folder = Path(alerts_cli.__file__).with_name("templates")

    def keys(locale: str) -> dict[str, Any]:
        texts = tomllib.loads((folder / f"alerts.{locale}.toml").read_text(encoding="utf-8"))
        return {part: sorted(found) for part, found in texts.items()}

    assert keys("fr") == keys("en")


def test_a_page_to_look_back_is_written_for_its_owner(home: Path) -> None:
    path = home / "retour.html"
    assert "ne la publiez pas" in said(home, "show", short(home), "--page", str(path))
    assert path.stat().st_mode & 0o077 == 0
    html = path.read_text(encoding="utf-8")
    for word in ("Transports · Afflux de mentions", "Qui a été prévenu", "volume_surge, version"):
        assert word in html.replace("\u00a0", " ")


def test_a_page_that_cannot_be_written_is_named(home: Path) -> None:
    (home / "file").write_text("")
    told = refused(home, "show", short(home), "--page", str(home / "file" / "x.html"))
    assert "ne peut pas être écrit" in told
    assert "nommez-en un autre" in told


def test_quality_shows_what_was_judged_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = datetime.now(UTC) - AS_OF  # which grows, and the command looks back 180 days
    monkeypatch.setattr(quality, "HISTORY", since + timedelta(days=1))
    assert "Personne n’a encore jugé" in said(home, "quality")
    said(home, "false-alarm", short(home), *WHO)
    shown = said(home, "quality")
    assert "volume_surge en tout 1 1 1 0 %" in shown
    assert "volume_surge : 1 alertes jugées, il en faut 10" in shown
    assert "Rien ne change tout seul" in shown


def test_who_is_on_call_needs_no_secret_of_a_source(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "vigie.toml"
    block = '\n[[sources]]\nname = "chaine"\nkind = "youtube"\nkey_env = "VIGIE_NOT_SET"\n'
    path.write_text(path.read_text() + block, encoding="utf-8")
    monkeypatch.delenv("VIGIE_NOT_SET", raising=False)
    with pytest.raises(VigieError, match="VIGIE_NOT_SET"):
        house.house(home)
    assert short(home) in said(home, "list")
    assert said(home, "ack", short(home))
