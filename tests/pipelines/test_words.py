"""A text as its words are compared: cut, folded, opened, and how each word reads."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, strategies as st

from pipelines import privacy, words


def line(text: str, **beside: object) -> str:
    """The tokens of a text, with one space between them, its opening bar left out."""
    return " ".join(words.read(text, **beside).tokens[1:])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Le Tram", "le tram"),
        ("L’école d’Azur", "ecole azur"),
        ("qu'il, lorsqu'elle, JUSQU'À, puisqu’on", "il elle a on"),
        ("aujourd’hui AUJOURD'HUI", "aujourdhui aujourdhui"),
        ("les prud'hommes", "les prudhommes"),
        ("presqu'île don't O'Brien", "presqu ile don t o brien"),
        ("lignes d azur", "lignes d azur"),
        ("Œuvre, cœur, ﬁn, ＴＲＡＭ", "oeuvre coeur fin tram"),
        ("ẞ İstanbul naïve nai\u0308ve", "ss istanbul naive nai ve"),
        ("Centre-Ville/A10_x", "centre ville a10 x"),
        ("St. Étienne, ste Maxime", "saint etienne sainte maxime"),
        ("Fini ! Vraiment… Oui.\nNon", "fini . vraiment . oui . . non"),
        ("v1.2 et 3,5", "v1 2 et 3 5"),
        ("#TramNice !", "#tramnice tram nice . ."),
        ("@VilleDeNice.", "@villedenice ."),
        ("vu [tel] et @… ici [e-mail]", "vu _ et _ ici _"),
        ("https://www.ex.fr/lignes-d-azur ok", ". www ex fr lignes d azur . ok"),
        ("日本 est loin", "日本 est loin"),
        ("½ ² ①", "12 2 1"),
        ("", ""),
        ("!!! 😀", "."),
    ],
)
def test_a_text_is_cut_into_folded_words(text: str, tokens: str) -> None:
    assert line(text) == tokens


def test_an_account_is_one_token_whatever_its_letters_spread_to() -> None:
    assert words.read("le @\ufdfa ici").tokens == [
        "|", "le", "@" + "".join(unicodedata.normalize("NFKC", "\ufdfa").split()), "ici",
    ]  # fmt: skip


def test_the_title_comes_first_and_what_stands_beside_the_text_last() -> None:
    read = words.read(
        "le tram #Nice", title="La grève", warning="colère", hashtags=("Nice", "Grève"),
        handles=("@Ville",),
    )  # fmt: skip
    assert " ".join(read.tokens) == ("la greve | colere | le tram #nice nice . ! #greve @ville")
    assert read.title_count == 2
    assert read.line.startswith(" la  greve  |  colere ")


def test_a_line_holds_every_token_between_spaces_of_its_own() -> None:
    read = words.read("Le tram, le bus")
    assert read.line == " |  le  tram  le  bus "
    assert [read.line[at : at + 5] for at in words.starts(read.tokens)] == [
        " |  l", " le  ", " tram", " le  ", " bus ",
    ]  # fmt: skip


def test_sentence_ends_are_no_words_and_nothing_is_near_what_stands_beside() -> None:
    tokens = ["le", ".", "tram", "|", "bus", "!", "#x"]
    counts = words.ordinals(tokens)
    assert counts[:5] == [0, 1, 1, 2, 2]
    assert counts[6] - counts[5] > 1_000


@pytest.mark.parametrize("mask", [privacy.HANDLE, privacy.EMAIL, privacy.PHONE, privacy.IBAN,
                                  privacy.NIR, privacy.PLATE])  # fmt: skip
def test_every_mask_is_one_blank_word(mask: str) -> None:
    assert line(f"le {mask} du tram") == "le _ du tram"


@given(st.text(max_size=60), st.text(max_size=20) | st.none())
def test_any_text_makes_a_line_that_can_be_cut_again(text: str, title: str | None) -> None:
    read = words.read(text, title=title, hashtags=(text,), handles=(text,))
    assert len(read.tokens) == len(read.written)
    assert read.line.strip().split("  ") == read.tokens
    assert all(token and not token.isspace() and " " not in token for token in read.tokens)
    stored, _, how = read.stored.partition("\n")
    assert (stored, len(how)) == (read.line, len(read.tokens))
    assert set(how) <= set("nwde")


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("mairie", "mairie mairies"),
        ("mairies", "mairie mairies"),
        ("journal", "journal journals journaux"),
        ("journaux", "journail journal journau journaux"),
        ("travaux", "travail traval travau travaux"),
        ("tableau", "tableau tableaus tableaux"),
        ("tableaux", "tableau tableaux"),
        ("jeux", "jeu jeux"),
        ("tours", "tour tours"),
        ("bus", "bus"),
        ("mois", "mois"),
        ("cours", "cours"),
        ("prix", "prix"),
        ("rn10", "rn10"),
        ("日本", "日本"),
        ("ru", "ru"),
    ],
)
def test_a_word_has_a_singular_and_a_plural(word: str, forms: str) -> None:
    assert words.number_forms(word) == tuple(forms.split())


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("Nice bouge", "n"),
        ("À Nice", "n"),
        ("le nice", "w"),
        ("à nice", "n"),
        ("mairie de nice", "d"),
        ("mairie d'angers", "e"),
        ("mairie d'Angers", "n"),
        ("c'est nice", "w"),
        ("nice", "w"),
        ("They say Nice is a good place for all", "n"),
        ("Nice is a good place for all of us", "w"),
        ("this was a Nice thing", "w"),
        ("trop nice", "w"),
        ("#Nice", "n"),
    ],
)
def test_a_name_is_told_from_a_common_word(text: str, how: str) -> None:
    read = words.read(text)
    at = next(n for n, token in enumerate(read.tokens) if token in ("nice", "angers"))
    assert words.reads(read)[at] == how


@pytest.mark.parametrize(
    "part", ["#", "@", "'", "…", ".", "l'", "https://", "a\u0301", "#a", "[tel]"]
)
def test_a_long_text_of_signs_costs_little(part: str) -> None:
    began = time.process_time()
    read = words.read(part * (100_000 // len(part)))
    words.reads(read)
    assert time.process_time() - began < 2.0


def test_what_is_remembered_of_words_stays_bounded() -> None:
    for start in range(0, 300_000, 1_000):
        words.read(" ".join(f"mot{n}" for n in range(start, start + 1_000)))
    assert len(words._FOLDS) <= words._REMEMBERED + 1
