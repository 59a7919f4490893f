"""Wording: both locales say the same things, with their own numbers and spaces."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest

from pipelines import risk, wording
from tests.pipelines.valmont import PARIS


def _texts(locale: str) -> dict[str, str]:
    path = files("pipelines") / "templates" / f"digest.{locale}.toml"
    return dict(_leaves(tomllib.loads(path.read_text(encoding="utf-8"))))


def _leaves(table: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_locales_have_the_same_texts_with_the_same_values() -> None:
    french, english = _texts("fr"), _texts("en")
    assert french.keys() == english.keys()
    assert {k: _places(t) for k, t in french.items()} == {k: _places(t) for k, t in english.items()}


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_every_rule_and_level_has_its_words(locale: str) -> None:
    texts = _texts(locale)
    for level, name, _ in risk.RULES:
        assert f"reasons.{name}" in texts
        assert f"summaries.{name}" in texts
        assert f"levels.{level}" in texts


def test_french_numbers_have_a_narrow_space_and_a_comma() -> None:
    french = wording.words("fr", PARIS)
    assert french.number(12345) == "12\u202f345"
    assert french.percent(0.123) == "12\u00a0%"
    assert french.percents(0.09, 0.161) == "9\u00a0à\u00a016\u00a0%"
    assert french.rate(0.0234) == "2,3\u00a0%"
    assert french.decimal(3.84) == "3,8"


def test_english_numbers_have_a_comma_and_a_point() -> None:
    english = wording.words("en", PARIS)
    assert english.number(12345) == "12,345"
    assert english.percent(0.123) == "12%"
    assert english.rate(0.0234) == "2.3%"


@pytest.mark.parametrize(
    ("number", "told"), [(1.4, "1 commentaire"), (1.6, "2 commentaires"), (0.4, "0 commentaire")]
)
def test_a_mean_has_the_plural_of_the_number_that_is_shown(number: float, told: str) -> None:
    assert wording.words("fr", UTC).count("replies", number).replace("\xa0", " ") == told


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (date(2026, 9, 21), date(2026, 9, 27), "21 au 27 septembre 2026"),
        (date(2026, 9, 28), date(2026, 10, 4), "28 septembre au 4 octobre 2026"),
        (date(2026, 12, 28), date(2027, 1, 3), "28 décembre 2026 au 3 janvier 2027"),
        (date(2026, 6, 1), date(2026, 6, 7), "1er au 7 juin 2026"),
    ],
)
def test_a_span_tells_its_months_in_full_and_once(first: date, last: date, told: str) -> None:
    assert "{first} au {last}".format(**wording.words("fr", UTC).between(first, last)) == told


def test_nought_is_singular_in_french_and_plural_in_english() -> None:
    assert wording.words("fr", PARIS).count("messages", 0) == "0 message"
    assert wording.words("en", PARIS).count("messages", 0) == "0 messages"
    assert wording.words("fr", PARIS).count("messages", 1_000_000) == "1\u202f000\u202f000 messages"


def test_times_are_those_of_the_institution() -> None:
    at = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    assert wording.words("fr", PARIS).moment(at) == "20 nov. à 00:30"
    assert wording.words("en", PARIS).moment(at) == "20 Nov, 00:30"
    assert wording.words("fr", PARIS).day(date(2026, 11, 19)) == "jeudi 19 novembre 2026"


def test_the_first_of_a_month_is_an_ordinal_in_french() -> None:
    first = date(2026, 10, 1)
    french, english = wording.words("fr", PARIS), wording.words("en", PARIS)
    assert french.day(first) == "jeudi 1er octobre 2026"
    assert french.short_day(first) == "1er oct."
    assert french.week_day(date(2026, 10, 11)) == "dim. 11 oct."
    assert english.day(first) == "Thursday, 1 October 2026"


def test_french_signs_never_begin_a_line() -> None:
    french = wording.words("fr", PARIS)
    assert french.say("forms.quote", text="x") == "«\u00a0x\u00a0»"
    covering = wording.words("fr", PARIS, name="coverage")
    assert covering.text("whole.some").startswith("Lecture incomplète\u00a0:")


def test_a_persons_braces_are_no_values() -> None:
    assert wording.words("fr", PARIS).say("forms.quote", text="{risk}") == "«\u00a0{risk}\u00a0»"


def test_plain_text_is_one_line_in_one_direction() -> None:
    assert wording.plain("a\u202eb\r\nc\x00d\te\u2066") == "ab cd e"


def test_marks_piled_on_one_letter_are_cut_and_those_of_languages_stay() -> None:
    assert wording.plain("z" + "\u0301\u0316" * 60 + "algo") == "z\u0301\u0316\u0301\u0316algo"
    for text in ("e\u0301te\u0301", "שָׁלוֹם", "हिन्दी", "مَرْحَبًا"):
        assert wording.plain(text) == text
