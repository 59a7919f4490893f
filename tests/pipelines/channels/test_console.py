"""The console prints what a mail says, and nothing that would command a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.channels import console, email
from pipelines.letter import Letter
from tests.pipelines.watched import settings


def message(text: str) -> bytes:
    letter = Letter(subject="[Vigie] Avertissement · Eau", text=text, html="<p>non</p>")
    return email.build(
        letter,
        sender="vigie@valmorin.example",
        recipient="a@valmorin.example",
        message_id="<m@valmorin.example>",
        date=datetime(2026, 11, 20, tzinfo=UTC),
    )


def test_the_plain_text_is_printed_under_its_subject() -> None:
    out = io.StringIO()
    console.show(message("Deux lignes\nici\n"), recipient="a@valmorin.example", out=out)
    assert out.getvalue().splitlines() == [
        "To: a@valmorin.example",
        "Subject: [Vigie] Avertissement · Eau",
        "",
        "Deux lignes",
        "ici",
    ]


def test_a_terminal_gets_no_escape_sequence() -> None:
    out = io.StringIO()
    console.show(message("avant \x1b[2J après \x07\n"), recipient="a\x1b[2J", out=out)
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_the_message_is_taken_once_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    console.hand_over(
        message("Bonjour\n"),
        recipient="a@valmorin.example",
        settings=settings(tmp_path),
        secrets={},
        taken=lambda: calls.append("taken"),
    )
    assert calls == ["taken"]
    assert "Bonjour" in capsys.readouterr().out
