"""`vigie explain`: one message, its language, and the words that moved each score."""

from __future__ import annotations

from datetime import UTC

import numpy as np
import pytest

from models import acts, sentiment
from pipelines import explained, wording
from pipelines.errors import VigieError
from pipelines.wording import Words

ENGLISH, FRENCH = (wording.words(locale, UTC, name="cli") for locale in ("en", "fr"))


def says(text: str, lang: str | None = None, spoken: Words = ENGLISH) -> dict[str, str]:
    return {line.what: line.says for line in explained.explain(text, lang=lang, spoken=spoken)}


@pytest.mark.parametrize("lang", ["fr-FR", "French", "FRA", None])
def test_a_language_is_named_as_in_a_file_or_found(lang: str | None) -> None:
    said = says("Merci beaucoup, quel bel accueil", lang)
    assert said["language"] == "French"
    assert "positive" in said["tone"]


def test_a_language_that_is_none_is_refused_and_one_without_a_model_is_undetermined() -> None:
    with pytest.raises(VigieError, match="--lang 'xx' names no language: write two letters"):
        says("Merci", "xx")
    assert says("Dank u wel", "nl")["tone"].startswith("undetermined")


def test_a_message_is_explained_in_french() -> None:
    said = says("Encore une panne du tram, c'est une honte, que fait la mairie ?", spoken=FRENCH)
    assert said["langue"] == "français"
    assert said["ton"].startswith("négatif ")
    assert said["acte"].startswith("Plainte ")
    assert said["risque"] == "contesté"
    assert said["services"] == "Transports en commun"
    assert says("Dank u wel", "nl", FRENCH)["ton"] == FRENCH.text("explain.unread")


@pytest.mark.parametrize("spoken", [ENGLISH, FRENCH])
def test_every_risk_and_tone_of_the_models_has_its_word(spoken: Words) -> None:
    assert all(spoken.has(f"risks.{risk.replace(' ', '_')}") for risk in acts.RISKS)
    assert all(spoken.has(f"tones.{tone}") for tone in (*sentiment.LABELS, sentiment.UNDETERMINED))


def test_emoji_alone_have_a_tone() -> None:
    said = says("😡😡")
    assert said["language"] == "French"
    assert said["tone"].startswith("negative 9")


def test_the_words_that_moved_a_score_come_in_points_and_never_whole_when_long() -> None:
    long = "honte" * 20

    def score(texts: object) -> np.ndarray:
        return np.array([0.9 if long in text else 0.5 for text in texts], np.float32)  # type: ignore[attr-defined]

    assert explained.moved_words(f"Quelle {long} !", score) == f"{long[:29]}… +40"


def test_a_word_is_listed_without_the_comma_behind_it() -> None:
    def score(texts: object) -> np.ndarray:
        return np.array([0.9 if "panne" in text else 0.5 for text in texts], np.float32)  # type: ignore[attr-defined]

    assert explained.moved_words("En panne, encore", score) == "panne +40"
