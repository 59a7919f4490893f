"""The help of commands and what goes wrong in them, in the language of the home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pipelines import (
    alerts_cli,
    board_cli,
    cli,
    commands,
    init,
    labels_cli,
    models_commands,
    query_cli,
    rules_cli,
)
from pipelines.errors import VigieError

APPS = (
    *(cli.app, query_cli.query_app, alerts_cli.alerts_app, board_cli.board_app),
    *(labels_cli.labels_app, models_commands.models_app, rules_cli.rules_app),
)


def _texts() -> Iterator[str]:
    """All that help says in English."""
    for app in APPS:
        group: Any = get_command(app)
        for command in (group, *group.commands.values()):
            options = (getattr(option, "help", None) for option in command.params)
            yield from filter(None, (command.help, *options))


def test_every_text_of_help_has_its_french_and_no_other_has() -> None:
    english, french = {*_texts(), "Show this message and exit."}, commands.french()
    assert not english - french.keys()
    assert not french.keys() - english, "no longer said"


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["watch", "--help"], ["alerts", "list", "--help"]]
)
@pytest.mark.parametrize(
    ("lang", "told"), [("fr_FR", "Montrer cette aide"), ("en_GB", "Show this")]
)
def test_help_is_told_in_the_language_of_the_environment_before_a_home_is(
    words: list[str], lang: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LANG", lang)
    monkeypatch.chdir(tmp_path)
    assert told in CliRunner().invoke(cli.app, words).output


def test_help_is_told_in_the_language_of_the_home_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    init.write(tmp_path, answers={"name": "Valmorin"})
    monkeypatch.setenv("LANG", "en_GB")
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    assert "Un passage" in CliRunner().invoke(cli.app, ["--help"]).output


@pytest.mark.parametrize("asked", [[], ["--home", "away"]])
def test_an_error_is_told_in_french_before_a_home_is(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(cli.app, ["init", *asked]).exception
    assert isinstance(found, VigieError)
    assert "n’a pas de nom" in str(found)


def test_an_error_in_a_group_of_commands_is_told_once_by_its_own_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LANG", "fr_FR")
    words = ["query", "explain", "tram AND", "--home", str(tmp_path), "--locale", "en"]
    found = CliRunner().invoke(cli.app, words).exception
    assert "nothing stands after AND" in str(found)
