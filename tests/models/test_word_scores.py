from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models import checkpoint, network, sentiment, word_scores
from models.hashing import word_hash
from models.tokens import Tokens, tokens
from models.vectors import PART_BITS, Found, Vectors, find
from models.word_scores import RARITY, WordScores
from tests.models.test_vectors import from_parts

Floats = NDArray[np.float32]

SIZE = 4
KNOWN = ("eau", "est", "honte", "merci", "pas")
TEXTS = ("merci pas", "", "honte", "zorglub merci merci", "inconnu", "pas pas honte")


def small() -> Vectors:
    random = np.random.default_rng(20261120)
    hashes = np.array(sorted(map(word_hash, KNOWN)), np.uint64)
    rows = random.normal(size=(len(KNOWN), SIZE)).astype(np.float32)
    return Vectors(hashes, rows, random.normal(size=(1 << PART_BITS, SIZE)).astype(np.float32))


def gain() -> Floats:
    return np.array([0.1, 0.5, 1.0, 0.3, 0.8, 0.9], np.float32)


def own_mean(said: Sequence[str], vectors: Vectors) -> Floats:
    """The mean of some words by their weights, one after the other."""
    hashes = vectors.hashes.tolist()
    places = [hashes.index(word_hash(w)) if word_hash(w) in hashes else -1 for w in said]
    rows = [
        vectors.rows[place] if place >= 0 else from_parts(word, vectors.parts)
        for word, place in zip(said, places, strict=True)
    ]
    return np.average(rows, axis=0, weights=gain()[places]).astype(np.float32)


def words_of(pieces: Sequence[Tokens], vectors: Vectors) -> list[Found]:
    return [find(piece, vectors) for piece in pieces]


def read(*texts: str) -> list[Tokens]:
    return [tokens(texts)]


def test_the_mean_weighs_each_word_by_its_gain() -> None:
    vectors = small()
    found = word_scores.means(read(*TEXTS), vectors, gain())
    for place, text in enumerate(TEXTS):
        if text.split():
            assert np.allclose(found[place], own_mean(text.split(), vectors), atol=1e-5), text


def test_a_text_without_a_word_has_a_mean_of_zero() -> None:
    found = word_scores.means(read("", "merci", "  "), small(), gain())
    assert not found[[0, 2]].any()
    assert word_scores.means([], small(), gain()).shape == (0, SIZE)


def test_texts_in_several_batches_have_the_means_of_one() -> None:
    parts = [tokens(TEXTS[:2]), tokens(TEXTS[2:])]
    whole = word_scores.means(read(*TEXTS), small(), gain())
    assert np.allclose(word_scores.means(parts, small(), gain()), whole, atol=1e-6)


def test_scores_of_words_are_the_head_on_their_mean() -> None:
    """A mean is linear in its words: looking scores up is the same as weighing the mean."""
    vectors, pieces = small(), read(*TEXTS)
    theta = np.random.default_rng(7).normal(size=(SIZE, 3)).astype(np.float32)
    head = word_scores.scored(vectors, gain(), theta)
    found = head.logits(pieces, words_of(pieces, vectors))
    assert np.allclose(found, word_scores.means(pieces, vectors, gain()) @ theta, atol=1e-5)


def test_stored_scores_come_back_for_the_words_of_the_network() -> None:
    vectors, pieces = small(), read(*TEXTS)
    head = WordScores(vectors, gain())
    stored = word_scores.stored(head, name="fr.words")
    assert all(name.startswith("fr.words.") for name in stored)
    assert not any("hashes" in name for name in stored)
    back = word_scores.restored(stored, name="fr.words", words=vectors)
    places = words_of(pieces, vectors)
    before, after = head.logits(pieces, places), back.logits(pieces, places)
    assert np.abs(before - after).max() < 0.02 * np.abs(before).max()


def test_a_frequent_word_weighs_less_than_a_rare_one_and_an_unknown_one_most() -> None:
    found = word_scores.gains(read("est est est merci", "est zorglub"), small())
    places = {word: small().hashes.tolist().index(word_hash(word)) for word in KNOWN}
    assert found.shape == (len(KNOWN) + 1,)
    assert found[places["est"]] == pytest.approx(RARITY / (RARITY + 4 / 5))
    assert found[places["est"]] < found[places["merci"]] < found[places["eau"]]
    assert found[places["eau"]] == found[-1] == 1.0


def test_gains_of_no_text_are_one() -> None:
    assert word_scores.gains([], small()).tolist() == [1.0] * (len(KNOWN) + 1)


def test_known_words_are_brought_to_length_one_and_parts_to_their_scale() -> None:
    vectors = small()
    found = word_scores.unit(vectors)
    assert np.allclose(np.linalg.norm(found.rows, axis=1), 1.0, atol=1e-5)
    scale = np.linalg.norm(vectors.rows, axis=1).mean()
    assert np.allclose(found.parts * scale, vectors.parts, atol=1e-4)


@pytest.mark.parametrize("name", ["fr.words", "en.words"])
def test_shipped_scores_are_of_the_words_of_the_network(name: str) -> None:
    words = network.load().vectors
    weights = checkpoint.read(checkpoint.WEIGHTS, sentiment.TASK, task=sentiment.TASK)
    head = word_scores.restored(weights.tensors, name=name, words=words)
    assert len(head.scores.rows) == len(words.hashes)
    assert head.gain.shape == (len(words.hashes) + 1,)
    assert (head.gain > 0).all()
    assert (head.gain <= 1).all()
    assert np.isfinite(head.scores.rows).all()
