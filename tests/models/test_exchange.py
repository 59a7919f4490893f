"""Words and names of several words that are read as others."""

import pytest
from hypothesis import given, strategies as st

from models.exchange import exchanged, table
from models.hashing import matching

WORDS = table({"maire": "élu", "le pen": "‹parti›", "marine le pen": "‹chef›", "rn": "‹parti›"})


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("maire", "élu"),
        ("le maire, la maire", "le élu, la élu"),
        ("mairesse et vice-maire", "mairesse et vice-élu"),
        ("marine le pen et le pen", "‹chef› et ‹parti›"),
        ("marine-le-pen", "‹chef›"),
        ("le  pen", "le  pen"),  # two signs between: not one name
        ("le, pen", "le, pen"),
        ("rn2027 3rn", "‹parti›2027 3‹parti›"),
        ("", ""),
        ("…", "…"),
    ],
)
def test_names_are_exchanged_where_they_stand_as_words(text: str, read: str) -> None:
    assert exchanged(text, WORDS) == read


def test_the_longest_name_at_a_place_is_taken_and_names_do_not_overlap() -> None:
    known = table({"a b": "1", "b c": "2", "a b c": "3"})
    assert exchanged("a b c", known) == "3"
    assert exchanged("a b d, b c", known) == "1 d, 2"


def test_what_an_untouched_sign_stands_beside_is_left() -> None:
    known = table({"c": "c'est"}, untouched="'-‹›")
    assert exchanged("c nul, c'est, c-ça, ‹c›", known) == "c'est nul, c'est, c-ça, ‹c›"


def test_a_name_with_another_joint_is_refused() -> None:
    with pytest.raises(ValueError, match="write its parts with spaces"):
        table({"week-end": "samedi"})


@given(st.lists(st.text(max_size=30), max_size=6))
def test_what_stands_beside_a_text_changes_nothing(texts: list[str]) -> None:
    texts = [text.replace("\x1e", "") for text in texts]
    together = exchanged("\x1e".join(texts), WORDS)
    assert together == "\x1e".join(exchanged(text, WORDS) for text in texts)


@given(st.text(alphabet="marine lpn-'", max_size=40))
def test_a_text_without_a_name_comes_back_whole(text: str) -> None:
    assert exchanged(text, table({"zzz": "!"})) == text


def test_letters_are_found_in_every_plane() -> None:
    is_letter = matching(r"[^\W\d_]")
    assert is_letter[[ord("é"), ord("ж"), 0x20000]].all()
    assert not is_letter[[ord("2"), ord("_"), ord("'"), 0xD800]].any()
