"""What texts mean, by their words and by vectors."""

from __future__ import annotations

import numpy as np

from pipelines import meaning
from pipelines.stories import terms

FIRE = (
    "Gros incendie dans la forêt, flammes visibles",
    "La forêt brûle, les pompiers luttent contre le feu",
)
BUS = ("Bus en retard ce matin, vingt minutes d'attente", "Tramway supprimé, encore du retard")


def _read(*texts: str) -> meaning.Read:
    return meaning.read([terms(text) for text in texts])


def test_texts_of_one_matter_are_more_alike_than_those_of_two() -> None:
    read = _read(*FIRE, *BUS)
    near = meaning.likeness(read, read)
    assert near[0, 1] > max(near[0, 2], near[0, 3])
    assert near[2, 3] > max(near[0, 2], near[1, 2])


def test_a_text_is_wholly_like_itself_and_an_empty_one_like_none() -> None:
    read = _read(*FIRE, *BUS, "")
    near = meaning.likeness(read, read)
    assert np.allclose(np.diag(near)[:4], 1.0, atol=1e-5)
    assert abs(near[4, :4]).max() < 0.35


def test_groups_of_one_matter_are_joined_and_others_are_not() -> None:
    read = _read(FIRE[0], FIRE[0] + " ce soir", BUS[0], BUS[1])
    assert meaning.joined(read, [[0], [2], [1], [3]])[0] == [0, 2]
    assert all(len(each) < 4 for each in meaning.joined(read, [[0], [2], [1], [3]]))


def test_nothing_is_drawn_to_no_group_and_all_sums_are_kept() -> None:
    read = _read(*FIRE)
    assert meaning.drawn(read, []).tolist() == [-1, -1]
    assert meaning.joined(read, []) == []
    assert meaning.drawn(_read(), []).tolist() == []


def test_a_day_is_read_the_same_whatever_the_order_of_a_texts_words() -> None:
    words = ["forêt", "incendie", "flammes"]
    one = meaning.read([words, ["bus"]]).words.toarray()
    other = meaning.read([list(reversed(words)), ["bus"]]).words.toarray()
    assert np.array_equal(one, other)
