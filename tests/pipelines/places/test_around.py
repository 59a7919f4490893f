"""The words around a name, by their lists."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.places import reading
from pipelines.places.around import Around, around, bit, traits
from pipelines.places.names import Kind, names, read


def of(text: str, name: str, *others: str) -> Around:
    """The surroundings of one word in the first text, with other texts in the batch."""
    found = reading.read([text, *others], names().spelt)
    place = [found.word(at) for at in range(len(found.starts))].index(name)
    sense = [n for n, s in enumerate(names().senses) if s.words == (name.lower(),)][:1]
    at = np.array([place])
    return around(found, at, at, np.array(sense))


def lists(sets: int) -> set[str]:
    return {name for name in ("de", "civic", "of_a_town", "places") if sets & int(bit(name))}


def test_the_words_before_and_after_are_told_by_their_lists() -> None:
    names_ = of("le maire de Tours vers minuit", "Tours")
    assert "de" in lists(int(names_.before(1)[0]))
    assert {"civic", "of_a_town"} <= lists(int(names_.before(2)[0]))
    assert "places" in lists(int(names_.after(1)[0]))


@pytest.mark.parametrize("text", ["maire, Tours", "maire. Tours", "maire\nTours", "Tours"])
def test_no_word_stands_before_beyond_a_comma_a_sentence_or_the_text(text: str) -> None:
    assert of(text, "Tours").before(1)[0] == 0


def test_near_words_are_counted_within_their_text_and_without_the_name() -> None:
    names_ = of("le maire parle de Tours", "Tours", "maire maire maire")
    assert names_.near(8, "civic")[0]
    assert not names_.near(8, "civic", least=2)[0]
    assert not names_.near(1, "civic")[0]


@pytest.mark.parametrize(
    ("text", "is_english"),
    [("we were in Tours", True), ("nous étions à Tours", False), ("Tours", False)],
)
def test_an_english_text_is_told_by_its_small_words(text: str, is_english: bool) -> None:
    assert of(text, "Tours").is_english[0] == is_english


def test_every_listed_word_is_folded_and_one_word() -> None:
    for name, text in read("words").items():
        for word in text.split():
            assert word.isascii(), (name, word)
            assert word.isalnum(), (name, word)
            assert word == word.lower(), (name, word)


def test_traits_are_of_every_sense() -> None:
    kinds = traits().kind
    assert len(kinds) == len(names().senses)
    assert (kinds == Kind.AREA).sum() > 110
