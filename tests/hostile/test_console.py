"""What is printed: data reads as data, and no terminal obeys it."""

from __future__ import annotations

import io
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest
from rich.console import Console

from pipelines import cli, console as printing, doctor
from pipelines.channels import console
from pipelines.said import Said
from tests.hostile.conftest import Seen
from tests.hostile.senders import UNTIL, write_home
from tests.hostile.values import TEXTS
from tests.pipelines.loopback import Answer, serving
from tests.town import demo

ODD = "[/red] [link=http://pisteur.example]x[/link] \x1b[31m\x1b]0;t\x07\x9b2J\u202e\r\x00 fin"


def _is_calm(printed: str) -> bool:
    """Whether a terminal would only print it: line ends, and nothing else that is not seen."""
    return all(c.isprintable() or c == "\n" for c in printed)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the command line prints, as to a terminal without colours."""
    written = io.StringIO()
    for module in (cli, printing):
        monkeypatch.setattr(module, "out", Console(file=written, highlight=False, width=100_000))
    return written


@pytest.mark.parametrize("text", [*TEXTS, ODD])
def test_words_are_printed_as_they_are_without_signs_that_move_the_cursor(text: str) -> None:
    written = io.StringIO()
    Console(file=written, highlight=False, width=100_000).print(cli.words(text), soft_wrap=True)
    printed = written.getvalue()
    assert _is_calm(printed)
    seen = "".join(c for c in text if c.isprintable() and c != " ")
    assert "".join(c for c in printed if c not in " \n") == seen


def test_sources_prints_notes_of_hostile_files_as_words(seen: Seen, screen: io.StringIO) -> None:
    cli.sources(seen.home)
    printed = screen.getvalue()
    assert "exports" in printed
    assert "déclare des entités XML" in printed
    assert _is_calm(printed)


def test_doctor_prints_what_a_server_or_a_check_says_as_words(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = Said(ODD)
    check = doctor.Check(name="source x", status="error", what=odd, remedy=odd)
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: [check])
    with pytest.raises(cli.typer.Exit):
        cli.doctor(tmp_path)
    printed = screen.getvalue()
    assert "[/red] [link=http://pisteur.example]x[/link]" in printed
    assert _is_calm(printed)


def test_an_error_is_printed_as_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "[bold]\x1b[31m.csv"
    path.write_text("a,b\n1,2\n")
    monkeypatch.setattr(
        sys, "argv", ["vigie", "score", str(path), "--out", str(tmp_path / "o.csv")]
    )
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr().err
    assert "[bold]" in printed
    assert _is_calm(printed)


def _mail(folder: Path) -> EmailMessage:
    mail = EmailMessage()
    mail["To"] = "astreinte@belleroche.example"
    mail["Subject"] = f"Vigie {ODD}".replace("\r", "").replace("\x00", "")
    mail.set_content(f"{ODD}\n" * 3)
    return mail


def test_the_console_channel_and_the_demo_print_mails_as_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    console.show(_mail(tmp_path).as_bytes(), recipient="astreinte@x.example", out=written)
    assert "[link=http://pisteur.example]" in written.getvalue()
    assert _is_calm(written.getvalue())
    shown = io.StringIO()
    monkeypatch.setattr(demo, "out", Console(file=shown, highlight=False))
    demo._say("Mail", _mail(tmp_path)["Subject"])
    demo._say("  |", ODD)
    assert "[link=http://pisteur.example]" in shown.getvalue()
    assert _is_calm(shown.getvalue())


def test_doctor_repeats_nothing_that_a_server_says(tmp_path: Path) -> None:
    odd = Answer(status=500, headers={"date": "[/red] pisteur \x9b2J"}, body=ODD.encode())
    with serving(lambda _: odd) as peer:
        write_home(tmp_path / "home", url=peer.url, smtp_port=9)
        checks = doctor.examine(tmp_path / "home", environ={}, now=UNTIL)
    assert any(check.name == "source honest" for check in checks)
    for check in checks:
        assert "pisteur" not in check.what.replace("tous@pisteur.example", ""), check
        assert check.what.isprintable(), check
