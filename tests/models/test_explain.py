from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from models import acts, sentiment
from models.explain import WORDS_LIMIT, Effect, Score, effects, strongest

TONE = sentiment.load()
ACTS = acts.load()

Floats = NDArray[np.float32]

HOSTILE = (
    "<script>alert('honte')</script> quelle honte",
    '=HYPERLINK("http://exemple.fr";"clic") nul',
    "honte\u202eetnoh honte\x00 \x1b[31mrouge\x1b[0m",
    "lone \ud800 surrogate, quelle honte",
    "deux\x1emots et\u2028trois\u00a0quatre",
    "`tic` {{7*7}} %s $(rm) \\x00 '; drop table mentions;--",
    "h\u0301\u0301\u0301\u0301onte 👨‍👩‍👧 ‹lien› @luc https://exemple.fr/a?b=c",
)


def tone(column: int, lang: str = "fr") -> Score:
    def score(texts: Sequence[str]) -> Floats:
        return TONE.score(texts, [lang] * len(texts)).probabilities[:, column]

    return score


def threat(texts: Sequence[str]) -> Floats:
    found = ACTS.score(texts, ["fr"] * len(texts)).probabilities
    return found[:, acts.ACTS.index("threat")]


def shouting(texts: Sequence[str]) -> Floats:
    """A scorer that adds a tenth for each `!`."""
    return np.array([0.1 * text.count("!") for text in texts], np.float32)


def without(text: str, own: Effect) -> str:
    return text[: own.start] + text[own.start + len(own.word) :]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Quelle honte, trois heures d'attente et personne ne répond", tone(0)),
        ("Merci à toute l'équipe, accueil parfait 👏 merci !", tone(2)),
        ("Conseil municipal lundi à 18 h, ordre du jour en ligne", tone(1)),
        ("On va te retrouver, tu vas le payer", threat),
        *((text, tone(0)) for text in HOSTILE),
    ],
)
def test_leaving_a_word_out_moves_the_score_by_its_effect(text: str, score: Score) -> None:
    whole = float(score([text])[0])
    found = effects(text, score)
    assert found
    for own in found:
        left = float(score([without(text, own)])[0])
        assert whole - left == pytest.approx(own.effect, abs=1e-5), own


@pytest.mark.parametrize("text", HOSTILE)
def test_words_are_carried_as_they_stand_in_the_text(text: str) -> None:
    found = effects(text, tone(0))
    assert [own.word for own in found] == text.split()
    assert all(text[own.start :].startswith(own.word) for own in found)
    assert [own.start for own in found] == sorted({own.start for own in found})
    assert all(np.isfinite(own.effect) for own in found)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text_is_explained_word_by_word(text: str) -> None:
    found = effects(text, shouting)
    assert [own.word for own in found] == text.split()[:WORDS_LIMIT]
    for own in found:
        assert own.effect == pytest.approx(0.1 * own.word.count("!"), abs=1e-5)


def test_the_text_and_each_shorter_one_are_scored_in_one_call() -> None:
    calls: list[list[str]] = []

    def listening(texts: Sequence[str]) -> Floats:
        calls.append(list(texts))
        return shouting(texts)

    effects("non ! merci", listening)
    assert calls == [["non ! merci", " ! merci", "non  merci", "non ! "]]


def test_a_word_that_stands_twice_has_two_effects() -> None:
    found = effects("honte ! et honte", shouting)
    assert [(own.word, own.start) for own in found] == [
        ("honte", 0), ("!", 6), ("et", 8), ("honte", 11),
    ]  # fmt: skip


def test_a_long_text_is_explained_by_its_first_words() -> None:
    asked: list[int] = []

    def counting(texts: Sequence[str]) -> Floats:
        asked.append(len(texts))
        return shouting(texts)

    text = " ".join(f"mot{i}" for i in range(WORDS_LIMIT + 80))
    found = effects(text, counting)
    assert asked == [WORDS_LIMIT + 1]
    assert [own.word for own in found] == text.split()[:WORDS_LIMIT]


def test_a_text_without_a_word_has_no_effects() -> None:
    assert effects("", tone(0)) == []
    assert effects(" \n\t", tone(0)) == []


def test_a_model_that_does_not_answer_explains_nothing() -> None:
    found = effects("Wat een schande", tone(0, "nl"))
    assert len(found) == 3
    assert all(np.isnan(own.effect) for own in found)
    assert strongest(found, count=3) == []


def test_the_words_that_carry_the_tone_move_it_most() -> None:
    negative = effects("Le guichet est fermé, quelle honte", tone(0))
    assert strongest(negative, count=1)[0].word == "honte"
    assert strongest(negative, count=1)[0].effect > 0
    positive = effects("Réunion publique lundi, bravo", tone(2))
    assert strongest(positive, count=1)[0].word == "bravo"


def test_the_strongest_are_the_largest_either_way_and_no_small_ones() -> None:
    found = [
        Effect("un", 0, 0.019), Effect("deux", 3, -0.3), Effect("trois", 8, 0.2),
        Effect("quatre", 14, 0.02), Effect("cinq", 21, float("nan")), Effect("six", 26, 0.3),
    ]  # fmt: skip
    assert [own.word for own in strongest(found, count=9)] == ["deux", "six", "trois", "quatre"]
    assert [own.word for own in strongest(found, count=2)] == ["deux", "six"]
    assert [own.word for own in strongest(found, count=9, least=0.25)] == ["deux", "six"]
    assert strongest(found, count=0) == strongest([], count=3) == []
