"""Texts as arrays of words: cut, folded, with what stands between them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from models.hashing import word_hash
from pipelines.places import reading
from pipelines.places.reading import BREAK, COMMA, HYPHEN, LINKED, SPACE, STOP, Read


def read(*texts: str, squashed: dict[str, str] | None = None) -> Read:
    return reading.read(texts, (squashed or {}).get)


def words(found: Read) -> list[str]:
    return [found.word(at) for at in range(len(found.starts))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L’Haÿ-les-Roses", ["L", "Haÿ", "les", "Roses"]),
        ("J'habite à Tours.", ["J", "habite", "à", "Tours"]),
        ("Lyon 7ᵉ", ["Lyon", "7e"]),
        ("vu sur https://tours.fr/nice !", ["vu", "sur"]),
        ("merci @Tours_Ville et @nice", ["merci", "et"]),
        ("#JouéLesTours #Tours37", ["Joué", "Les", "Tours", "Tours", "37"]),
        ("#GREVETours", ["GREVE", "Tours"]),
        ("Œting", ["Oeting"]),
        ("日本 🎉", ["日本"]),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_cut_from_marks_links_and_handles(text: str, expected: list[str]) -> None:
    assert words(read(text)) == expected


def test_a_hashtag_without_capitals_is_the_name_that_it_spells() -> None:
    found = read("#larochesuryon", squashed={"larochesuryon": "La Roche Sur Yon"})
    assert words(found) == ["La", "Roche", "Sur", "Yon"]
    assert found.in_tag.all()


def test_each_word_knows_its_text() -> None:
    found = read("un deux", "", "trois")
    assert found.row.tolist() == [0, 0, 2]
    assert found.first.tolist() == [0, 2, 2]
    assert found.last.tolist() == [1, 1, 2]


def test_what_stands_beside_a_word_ends_with_its_text() -> None:
    found = read("Tours,", "(Blois) !")
    assert found.before.tolist() == [BREAK, BREAK | reading.PAREN]
    assert found.after[0] == COMMA
    assert found.after[1] == reading.CLOSING | SPACE | STOP


@pytest.mark.parametrize(
    ("text", "joins"),
    [
        ("Saint-Denis", True),
        ("St. Denis", True),
        ("Villeneuve d'Ascq", True),
        ("Neuilly s/ Marne", True),
        ("fin. Denis", False),
        ("Saint, Denis", False),
        ("Saint\nDenis", False),
        ("Saint     Denis", False),
    ],
)
def test_only_soft_signs_stand_inside_a_name(text: str, joins: bool) -> None:
    assert read(text).joins[0] == joins


def test_names_never_run_out_of_a_hashtag() -> None:
    found = read("#Saint Denis")
    assert not found.joins[0]
    assert found.in_tag.tolist() == [True, False]


def test_an_address_is_told_from_the_end_of_a_text() -> None:
    found = read("tours@x.fr", "tours")
    assert found.after.tolist() == [LINKED, BREAK]


def test_words_are_hashed_folded_and_as_they_are_written() -> None:
    found = read("Étienne ÉTIENNE etienne St")
    assert set(found.hashes.tolist()[:3]) == {word_hash("etienne")}
    assert found.hashes[3] == word_hash("saint")
    assert found.written.tolist()[:3] == [word_hash("étienne")] * 2 + [word_hash("etienne")]


def test_capitals_accents_and_digits_are_told() -> None:
    found = read("Évreux ICI 37 A")
    assert found.is_capital.tolist() == [True, True, False, True]
    assert found.is_shouted.tolist() == [False, True, False, False]
    assert found.has_accent.tolist() == [True, False, False, False]
    assert found.is_digits.tolist() == [False, False, True, False]


def test_long_texts_are_read_to_a_limit() -> None:
    assert len(words(read("mot " * 20_000))) == reading.READ_LIMIT // 4


def test_batches_are_read_in_order() -> None:
    texts = ["un mot " * 3_000] * 30
    starts = [start for start, _ in reading.batches(texts, {}.get)]
    sizes = [len(found.first) for _, found in reading.batches(texts, {}.get)]
    assert starts == [0, *[sum(sizes[:n]) for n in range(1, len(sizes))]]
    assert sum(sizes) == 30


@given(strategies.lists(strategies.text(max_size=80), max_size=6))
def test_any_text_is_read(texts: list[str]) -> None:
    found = read(*texts)
    assert len(found.row) == len(found.before) == len(found.after) == len(found.joins)
    assert not found.joins[-1:].any()
    assert (found.before & HYPHEN).max(initial=0) <= HYPHEN
