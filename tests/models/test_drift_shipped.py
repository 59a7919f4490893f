"""Drift with the weights and the reference that ship: a town is ordinary, another text is not."""

from __future__ import annotations

from functools import cache

import pytest

from models import drift, sentiment
from models.sentiment import SentimentModel
from models.taxonomy import taxonomy
from tests.town import life

COUNT = 600


@cache
def _tone() -> SentimentModel:
    return sentiment.load()


def town() -> list[str]:
    told, _ = life.two_weeks()
    return [each.text for each in told][:COUNT]


def english() -> list[str]:
    sentences = [text for topic in taxonomy() for text in topic.yes(lang="en", use="dev")]
    return (sentences * COUNT)[:COUNT]


def verdicts(texts: list[str], lang: str) -> dict[str, str]:
    here = drift.measured(texts, [lang] * len(texts), tone=_tone())
    lines = drift.compared(here, drift.read_reference(_tone()))
    return {each.title: each.verdict for each in lines}


def test_an_ordinary_french_town_has_not_drifted() -> None:
    assert "drifted" not in verdicts(town(), "fr").values()


def test_english_put_as_french_has_drifted() -> None:
    said = verdicts(english(), "fr")
    assert said["reads as another language"] == "drifted"


@pytest.mark.parametrize(
    "text",
    ["Honte à la mairie, plus d'eau depuis trois jours", "ok", "RT", "La séance est ouverte à 9 h"],
)
def test_a_burst_of_one_phrase_has_drifted(text: str) -> None:
    assert "drifted" in verdicts([text] * COUNT, "fr").values()


def test_words_that_are_none_have_drifted() -> None:
    texts = [f"zblorg{place} frumeux wakate{place} grompf" for place in range(COUNT)]
    assert verdicts(texts, "fr")["words not known"] == "drifted"
