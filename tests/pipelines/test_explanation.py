"""Why a message has its tone and topics: words that moved it, terms found, never a failed mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import pytest

from models import sentiment
from models.reading import Batch
from models.sentiment import Tones
from pipelines import explanation
from pipelines.explanation import Asked, Explanation


class WordModel:
    """A tone model that knows a few words: each adds to p(negative), 0.2 without any."""

    model_id = "words"
    weights_sha256 = "0" * 64
    thresholds: ClassVar[Mapping[str, float]] = {}
    words: ClassVar[dict[str, float]] = {"inadmissible": 0.5, "honte": 0.3, "merci": -0.15}

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
        sums = [0.2 + sum(n for w, n in self.words.items() if w in t.lower()) for t in texts]
        negative = np.clip(np.array(sums, np.float32), 0.0, 1.0)
        rows = np.stack([negative, (1 - negative) / 2, (1 - negative) / 2], axis=1)
        rows[[lang is None for lang in langs]] = np.nan
        return sentiment.tones(rows, threshold=0.42)

    def score_batch(self, batch: Batch) -> Tones:
        return self.score(batch.texts, batch.langs)


def why(text: str, **changes: object) -> Explanation:
    values: dict[str, object] = {
        "mention_id": "m1",
        "title": None,
        "text": text,
        "lang": "fr",
        "tone": "negative",
        "topics": (),
    }
    asked = Asked(**(values | changes))  # type: ignore[arg-type]
    return explanation.explained([asked], load=WordModel)["m1"]


def moved(text: str, **changes: object) -> list[tuple[str, float]]:
    return [(each.word, each.effect) for each in why(text, **changes).words]


def test_the_words_that_moved_the_tone_come_by_how_much_without_their_signs() -> None:
    text = "Merci… une honte, oui : « inadmissible » !"
    assert moved(text) == [("inadmissible", 0.5), ("honte", 0.3), ("Merci", -0.15)]


def test_the_title_of_an_article_is_read_with_it() -> None:
    assert moved("Le conseil a voté.", title="Une honte") == [("honte", 0.3)]
    assert moved("Une honte, dit-il", title="Une honte") == [("honte", 0.3)]


def test_an_undetermined_text_tells_what_made_it_negative() -> None:
    assert moved("Quelle honte", tone="undetermined") == [("honte", 0.3)]


def test_a_glad_text_tells_what_made_it_glad() -> None:
    assert moved("Merci à tous", tone="positive") == [("Merci", 0.075)]


def test_a_language_that_no_model_reads_has_no_words() -> None:
    assert moved("inadmissible", lang=None) == []


@pytest.mark.parametrize("text", ["", " ", "inadmissible" * 50, "« » !", "\u202e\u0000"])
def test_texts_that_say_nothing_or_too_much_have_no_words(text: str) -> None:
    assert moved(text) == []


def test_the_terms_of_its_topics_are_named_and_no_others() -> None:
    text = "Coupure d'eau potable depuis lundi, et la cantine est fermée"
    assert why(text).terms == ()
    found = why(text, topics=("T10", "T99")).terms
    assert any("eau" in term for term in found)
    assert not any("cantine" in term for term in found)
    assert len(found) <= explanation.MOST_TERMS


def test_a_model_that_fails_gives_no_explanation_and_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def _broken() -> WordModel:
        raise RuntimeError("Mme Untel")

    asked = Asked(mention_id="m", title=None, text="x", lang="fr", tone="neutral", topics=())
    assert explanation.explained([asked], load=_broken) == {}
    assert "reason=RuntimeError" in caplog.text
    assert "Untel" not in caplog.text


def test_the_shipped_model_finds_the_word_that_weighs() -> None:
    asked = Asked(
        mention_id="m",
        title=None,
        text="Toujours pas d'eau aux Tilleuls, c'est inadmissible et scandaleux",
        lang="fr",
        tone="negative",
        topics=("T10",),
    )
    found = explanation.explained([asked], load=explanation.loader("embedded"))["m"]
    assert {"inadmissible", "scandaleux"} & {each.word for each in found.words}
    assert all(-1.0 <= each.effect <= 1.0 for each in found.words)
