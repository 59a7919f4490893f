from collections.abc import Callable

import numpy as np
import pytest

from models import heads, lexicons, network, reading
from models.network import LANGUAGES
from models.reading import Batch
from models.tokens import BATCH_CHARS

TEXTS = (
    "Incendie à la gare, tout est fermé",
    "Flooding in the town centre, people evacuated",
    "",
    "Feuer am Bahnhof",
    "incendie gare",
    "...",
    "La taxe foncière augmente",
)
LANGS = ("fr", "en", "fr", "de", None, "fr", "fr")
TOPICS = heads.topic_count()


def column(label: str) -> int:
    return heads.wanted().index(label)


def test_each_text_keeps_its_place_whatever_its_language() -> None:
    batch = Batch(TEXTS, LANGS)
    assert len(batch) == len(TEXTS)
    places = {lang: own.tolist() for lang, (own, _) in batch.by_lang.items()}
    assert places == {"fr": [0, 2, 5, 6], "en": [1], "de": [3], None: [4]}
    assert [own.count for _, own in batch.by_lang.values()] == [4, 1, 1, 1]


def test_labels_are_judged_in_french_and_english_only() -> None:
    chances = Batch(TEXTS, LANGS).chances
    assert chances.shape == (len(TEXTS), len(heads.wanted()))
    is_judged = ~np.isnan(chances)
    for place, lang in enumerate(LANGS):
        is_full = lang in LANGUAGES and any(map(str.isalnum, TEXTS[place]))
        assert is_judged[place].all() == is_full, TEXTS[place]
        assert is_judged[place].any() == (is_full or lang is None), TEXTS[place]
    assert ((chances >= 0) & (chances <= 1))[is_judged].all()


def test_a_text_of_unknown_language_is_read_as_french_for_its_topics_alone() -> None:
    unknown, french = Batch(["incendie gare"] * 2, [None, "fr"]).chances
    assert np.allclose(unknown[:TOPICS], french[:TOPICS], atol=1e-6)
    assert np.isnan(unknown[TOPICS:]).all()
    assert unknown[column("T20")] > 0.5


def test_an_empty_language_is_one_that_is_not_known() -> None:
    """docs/models.md: acts are null where a text is not known to be French or English."""
    empty, unknown = Batch(["C'est une honte, incendie gare"] * 2, ["", None]).chances
    assert np.allclose(empty, unknown, equal_nan=True)


def test_terms_are_weighed_in_languages_that_have_some() -> None:
    hits = Batch(TEXTS, LANGS).hits
    assert hits.shape == (len(TEXTS), len(lexicons.labels()))
    assert hits[[0, 1, 4], lexicons.place("T20")].all()
    assert not hits[[2, 3, 5]].any()


def test_a_text_of_signs_that_only_end_clauses_is_empty() -> None:
    own = reading.read(["", "...", " \n\t ", "\u200b", "!", "a", "👍", "3"], lang="fr")
    assert own.is_empty.tolist() == [True, True, True, True, False, False, False, False]


def test_no_text_at_all_is_no_error() -> None:
    batch = Batch([], [])
    assert batch.chances.shape == (0, len(heads.wanted()))
    assert batch.hits.shape == (0, len(lexicons.labels()))
    own = reading.read([], lang="fr")
    assert own.features.shape[0] == len(own.is_empty) == len(own.views.units) == 0


def test_a_batch_is_read_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str | None] = []

    def counting(real: Callable[..., reading.Read]) -> Callable[..., reading.Read]:
        def read(texts: list[str], *, lang: str | None) -> reading.Read:
            calls.append(lang)
            return real(texts, lang=lang)

        return read

    monkeypatch.setattr(reading, "read", counting(reading.read))
    batch = Batch(TEXTS, LANGS)
    assert calls == []
    for _ in range(3):
        assert len(batch.chances) == len(batch.hits) == len(TEXTS)
    assert sorted(map(str, calls)) == ["de", "en", "fr", "fr"]  # the second: of unknown language


def test_more_than_a_batch_of_characters_is_read_in_order() -> None:
    filler = "la réunion publique est à dix heures, salle des fêtes " * 50
    texts = ["incendie à la gare", *[filler] * (BATCH_CHARS // len(filler) + 5), "taxe foncière"]
    own = reading.read(texts, lang="fr")
    assert len(own.pieces) > 1
    assert own.features.shape[0] == len(own.hits) == len(own.chances) == len(texts)
    alone = reading.read(texts[-1:], lang="fr")
    assert np.allclose(own.chances[-1], alone.chances[0], atol=1e-5)
    assert np.array_equal(own.hits[-1], alone.hits[0])
    assert np.allclose(own.chances[1:-1], own.chances[1], atol=1e-5)


def test_views_and_places_are_those_of_the_network() -> None:
    own = reading.read(["incendie à la gare", "zorglub"], lang="fr")
    assert np.allclose(own.views.logits, network.views(own.pieces).logits, atol=1e-4)
    said = sum(len(words.places) for words in own.words)
    assert said == sum(len(piece.starts) for piece in own.pieces)
