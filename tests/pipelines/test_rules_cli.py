"""`vigie rules`: what people see of the rules and of their cases."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipelines import cli, console, rule_cases, rules
from pipelines.errors import VigieError


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.out, "_width", 200)


def asked(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["rules", *words])


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("fr", ("règle", "intitulé", "dite à", "critique", "astreinte", "exploitant")),
        ("en", ("rule", "label", "told to", "critical", "on call", "operators")),
    ],
)
def test_list_names_every_rule_in_the_language_asked_for(
    locale: str, shown: tuple[str, ...]
) -> None:
    result = asked("list", "--locale", locale)
    assert result.exit_code == 0
    assert all(name in result.output for name in rules.names())
    assert rules.read("volume_surge").say("Label", locale) in result.output
    assert [word for word in shown if word not in result.output] == []


def test_list_refuses_a_language_that_there_is_not() -> None:
    result = asked("list", "--locale", "de")
    assert isinstance(result.exception, VigieError)
    assert "'de'" in str(result.exception)


def test_cases_that_hold_are_counted() -> None:
    count = len(rule_cases.cases("threat"))
    result = asked("test", "threat")
    assert (result.exit_code, result.output) == (0, f"{count} of {count} cases pass\n")


def test_a_case_that_fails_is_named_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: list[dict[str, Any]] = [{"name": "a quiet hour", "expected": [{"scope": "all"}]}]
    monkeypatch.setattr(rule_cases, "cases", lambda _: wrong)
    result = asked("test", "threat")
    assert result.exit_code == 1
    assert "threat: a quiet hour: 1 alerts expected, 0 made (none)" in result.output
    assert "0 of 1 cases pass" in result.output
