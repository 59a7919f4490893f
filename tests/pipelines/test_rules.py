"""What a rule's header promises to the people who read its mails."""

from __future__ import annotations

import pytest

from pipelines import rules, warehouse
from pipelines.errors import WarehouseError

HEADER = "\n".join(
    [
        *(f"-- {name}: {name.lower()}" for name in rules.FACTS if name != "Rule"),
        *(f"-- {part} {locale}: texte" for part in rules.SPOKEN for locale in rules.LOCALES),
    ]
)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    rules._read.cache_clear()


def written(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(warehouse, "sql", lambda _: text)


@pytest.mark.parametrize("name", rules.names())
@pytest.mark.parametrize("locale", rules.LOCALES)
def test_a_rule_speaks_both_languages(name: str, locale: str) -> None:
    rule = rules.read(name)
    assert all(rule.say(part, locale) for part in rules.SPOKEN)
    assert rule.tells in ("on_call", "operators")
    assert set(rule.inhibited_by) <= set(rules.names())


def test_a_value_goes_on_over_lines_that_stand_further_in(monkeypatch: pytest.MonkeyPatch) -> None:
    written(monkeypatch, f"-- Rule: new\n{HEADER}\n-- Tells: operators\n--   only\nselect 1\n")
    assert rules.read("new").tells == "operators_only"


def test_what_a_header_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written(monkeypatch, f"-- Rule: new\n{HEADER.replace('-- Owner en', '-- Nobody en')}\n")
    with pytest.raises(WarehouseError, match="has no 'Owner en' in its header"):
        rules.read("new")


def test_a_rule_and_its_file_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    written(monkeypatch, f"-- Rule: other\n{HEADER}\n")
    with pytest.raises(WarehouseError, match="give file and rule one name"):
        rules.read("new")


def test_comments_below_the_header_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    written(monkeypatch, f"-- Rule: new\n{HEADER}\nselect 1\n-- Tells: operators\n")
    assert rules.read("new").tells == "on_call"
