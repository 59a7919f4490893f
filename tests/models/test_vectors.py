import tomllib
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from models import network, vectors
from models.hashing import word_hash
from models.text import prepare
from models.tokens import batches, tokens
from models.vectors import PART_BITS, PART_SIZES, Vectors

Floats = NDArray[np.float32]

PARTS = np.random.default_rng(20261120).normal(size=(1 << PART_BITS, 4)).astype(np.float32)
WORDS = ("cantine", "eau", "fermée", "honte", "maire")
MISSPELT = {
    "inondation": "innondation",
    "stationnement": "stationement",
    "magnifique": "magnifiique",
    "incompétent": "incompetant",
    "scandaleux": "scandalleux",
    "bibliothèque": "bibliotheke",
    "poubelles": "poubeles",
    "embouteillages": "enbouteillage",
    "remerciements": "remerciments",
    "dégueulasse": "degeulasse",
    "fermeture": "fermetture",
    "catastrophique": "catastrofique",
    "formidable": "formidabble",
    "préfecture": "préfectture",
    "médiathèque": "mediateque",
    "insupportable": "insuportable",
    "honteusement": "honteusemen",
    "excellent": "exelllent",
    "ambulance": "anbulance",
}


def from_parts(word: str, parts: Floats) -> Floats:
    """The mean of the rows of every run of 3 to 5 characters of a word between two spaces."""
    spaced = f" {word} "
    runs = [
        word_hash(spaced[start : start + size])
        for size in PART_SIZES
        for start in range(len(spaced) - size + 1)
    ]
    rows = parts[vectors.part_bucket(np.array(runs, np.uint64))]
    return np.asarray(rows.mean(axis=0), np.float32)


def made(words: Sequence[str]) -> Floats:
    read = tokens(words)
    assert len(read.starts) == len(words)
    return vectors.composed(read, np.arange(len(words)), PARTS)


def shipped(words: Sequence[str]) -> Floats:
    """The vector of each word, of length 1, as the shipped network reads it alone."""
    return network.views(list(batches(prepare(words, lang="fr")))).mean


def everyday() -> list[str]:
    """Words of five letters and more of the sentences that a director sees."""
    path = files("models") / "probes" / "director.toml"
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    said = " ".join(sentence["text"] for sentence in read["sentence"]).lower().split()
    return sorted({word for word in said if word.isalpha() and len(word) >= 5})


def small() -> Vectors:
    hashes = np.array(sorted(map(word_hash, WORDS)), np.uint64)
    rows = np.arange(4 * len(WORDS), dtype=np.float32).reshape(len(WORDS), 4)
    return Vectors(hashes, rows, PARTS)


def test_a_known_word_has_its_row_and_any_other_none() -> None:
    own = small()
    asked = np.array([word_hash(word) for word in (*WORDS, "inconnu")], np.uint64)
    places = own.places(asked)
    assert sorted(places[:-1]) == list(range(len(WORDS)))
    assert np.array_equal(own.hashes[places[:-1]], asked[:-1])
    assert places[-1] == -1


def test_hashes_under_and_over_every_known_one_are_not_known() -> None:
    ends = np.array([0, np.iinfo(np.uint64).max], np.uint64)
    assert small().places(ends).tolist() == [-1, -1]


def test_known_words_are_found_where_they_stand_in_texts() -> None:
    places, is_known = vectors.known(tokens(["la cantine fermée", "", "honte !"]), small())
    assert is_known.tolist() == [False, True, True, True, False]
    assert ((places >= 0) == is_known).all()


def test_a_word_in_another_case_or_without_its_accent_is_another_word() -> None:
    """Case goes before (`models.text`); a bare word is made from its parts, which lie near."""
    _, is_known = vectors.known(tokens(["Honte", "fermee", "fermée"]), small())
    assert is_known.tolist() == [False, False, True]


@pytest.mark.parametrize("word", ["eau", "zz", "ptdrrr", "inondassion", "а", "كلمة", "x" * 300])
def test_an_unknown_word_is_the_mean_of_its_parts(word: str) -> None:
    assert np.allclose(made([word])[0], from_parts(word, PARTS), atol=1e-5)


def test_accents_and_the_apostrophe_of_an_elision_do_not_count_in_parts() -> None:
    bare, accented, elided = made(["zebrule", "zébrûlé", "zebrule'"])
    assert np.allclose(bare, accented, atol=1e-6)
    assert np.allclose(bare, elided, atol=1e-6)


def test_company_changes_no_made_vector() -> None:
    words = ["zebrule", "poubeles", "a", "préfectture"]
    alone = np.concatenate([made([word]) for word in words])
    assert np.allclose(made(words), alone, atol=1e-6)
    assert np.allclose(made(words[::-1]), alone[::-1], atol=1e-6)


def test_no_word_to_make_is_no_error() -> None:
    found = vectors.composed(tokens(["eau"]), np.zeros(0, np.int64), PARTS)
    assert found.shape == (0, 4)


def test_packed_vectors_come_back_within_a_byte() -> None:
    own = small()
    stored = vectors.packed(own)
    back = vectors.unpacked(stored)
    assert {array.dtype for name, array in stored.items() if "bytes" in name} == {np.dtype(np.int8)}
    assert np.array_equal(back.hashes, own.hashes)
    for before, after in ((own.rows, back.rows), (own.parts, back.parts)):
        top = np.abs(before).max(axis=1, keepdims=True)
        assert (np.abs(before - after) <= 0.006 * top).all()  # half a step of 127, and float16


def test_a_row_of_zeros_is_packed_without_a_warning() -> None:
    nothing = np.zeros((1, 4), np.float32)
    own = Vectors(np.zeros(1, np.uint64), nothing, nothing)
    assert not vectors.unpacked(vectors.packed(own)).rows.any()


def test_a_misspelling_lies_nearer_its_word_than_others_do() -> None:
    others = shipped(everyday())
    assert len(others) > 150
    rights, wrongs = shipped(list(MISSPELT)), shipped(list(MISSPELT.values()))
    own = (rights * wrongs).sum(axis=1)
    nearer = (wrongs @ others.T > own[:, None]).mean(axis=1)  # others nearer than the word meant
    told = dict(zip(MISSPELT.values(), nearer.round(3).tolist(), strict=True))
    assert max(nearer) < 0.2, told
    assert np.mean(nearer < 0.02) >= 0.8, told


def test_the_misspellings_are_not_known_and_their_words_are() -> None:
    for words, answer in ((list(MISSPELT), True), (list(MISSPELT.values()), False)):
        pieces = list(batches(prepare(words, lang="fr")))
        is_known = np.concatenate([words.places >= 0 for words in network.find(pieces)])
        assert is_known.tolist() == [answer] * len(words)


def test_hashes_of_shipped_words_stand_in_order_each_once() -> None:
    own = network.load().vectors
    assert (own.hashes[1:] > own.hashes[:-1]).all()
    assert len(own.rows) == len(own.hashes) > 10_000
    assert own.parts.shape == (1 << PART_BITS, own.rows.shape[1])
    assert np.isfinite(own.rows).all()
    assert np.isfinite(own.parts).all()
