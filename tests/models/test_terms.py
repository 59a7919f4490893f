from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from models import lexicons, terms, tokens
from models.terms import Hits
from models.text import SEPARATOR, prepare
from models.tokens import Tokens

LANGUAGES = lexicons.LANGUAGES
# Marks of what a person is or where they are from: rule 13 says that they are about nothing.
SILENT = ("‹lieu›", "‹origine›", "‹prénom›", "‹fête›")


def read(texts: Sequence[str], lang: str = "fr") -> Tokens:
    return tokens.tokens(prepare(texts, lang=lang))


def found(text: str, lang: str = "fr") -> list[tuple[str, str]]:
    """Label and words of each hit of a text, as it is read."""
    own = read([text], lang)
    hits = terms.find(own, lang=lang)
    said = own.codes.tobytes().decode("utf-32-le", "surrogatepass")
    spans = zip(hits.label, hits.start, hits.end, strict=True)
    return [(lexicons.labels()[label], said[start:end]) for label, start, end in spans]


def weight(text: str, label: str, lang: str = "fr") -> float:
    own = read([text], lang)
    return float(terms.weights(own, terms.find(own, lang=lang))[0, lexicons.place(label)])


def rows(hits: Hits, row: int, first: int) -> set[tuple[int, int, int]]:
    """The hits of one text: label, start and end from the beginning of the text."""
    own = hits.row == row
    spans = zip(hits.label[own], hits.start[own] - first, hits.end[own] - first, strict=True)
    return {(int(label), int(start), int(end)) for label, start, end in spans}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_term_of_every_file_is_found_where_it_is_written(lang: str) -> None:
    """But those that are only a place, an origin or a first name, and the faults below."""
    owned = [(term, place) for place, own in enumerate(lexicons.terms(lang)) for term in own]
    prepared = prepare([term.replace("*", "") for term, _ in owned], lang=lang)
    seen: set[tuple[int, int]] = set()
    first = 0
    for piece in tokens.batches(prepared):
        hits = terms.find(piece, lang=lang)
        seen |= set(zip((hits.row + first).tolist(), hits.label.tolist(), strict=True))
        first += piece.count
    lost = [
        (term, lexicons.labels()[place])
        for at, (term, place) in enumerate(owned)
        if (at, place) not in seen and prepared[at].strip() not in SILENT
    ]
    assert len(owned) > 4_000
    assert lost == []


def test_an_emoji_without_a_feeling_can_be_a_term() -> None:
    assert "🙃" in lexicons.table()["irony"]["fr"]
    assert ("irony", "🙃") in found("Tout va bien 🙃")


def test_a_handle_can_be_a_term() -> None:
    assert "‹nom›" in lexicons.table()["acts/abuse.aim"]["fr"]
    assert ("acts/abuse.aim", "‹nom›") in found("@luc dégage")


@pytest.mark.parametrize(
    "text",
    [
        "la taxe foncière",
        "LA TAXE FONCIÈRE",
        "la taxe fonciere",
        "les taxes foncières",
        "#TaxeFoncière",
    ],
)
def test_case_accents_plurals_and_hashtags_do_not_hide_a_term(text: str) -> None:
    assert "T01" in {label for label, _ in found(text)}


def test_a_star_at_the_end_of_a_word_stands_for_any_ending() -> None:
    assert any(term == "incendie*" for term in lexicons.table()["T20"]["fr"])
    for word in ("incendie", "incendies", "incendiées", "incendiaire", "incident"):
        hits = found(f"un {word} hier")
        assert (("T20", word) in hits) == word.startswith(("incendie", "incendié", "incendiaire"))


@pytest.mark.parametrize(
    "text", ["la taxe. Foncière", "la taxe, foncière", "taxe ; foncière", "taxe ! foncière"]
)
def test_a_stop_or_a_sign_parts_the_words_of_a_term(text: str) -> None:
    assert "T01" not in {label for label, said in found(text) if "fonci" in said}


def test_a_term_never_spans_two_texts() -> None:
    own = read(["vive la taxe", "foncière de famille", "taxe foncière"])
    hits = terms.find(own, lang="fr").of(lexicons.place("T01"))
    assert set(hits.row.tolist()) == {2}


def test_a_hit_names_the_words_that_stand_there() -> None:
    hits = dict(found("Hier, un incendie à la gare"))
    assert hits["T20"] == "incendie"
    own = read(["Un incendie", "rien", "la taxe foncière et la taxe foncière"])
    every = range(len(lexicons.labels()))
    said = terms.shown(own, terms.find(own, lang="fr"), every)
    assert "incendie" in said[0]
    assert said[2].count("taxe foncière") >= 2
    assert terms.shown(own, terms.find(own, lang="fr"), []) == [[], [], []]


def test_a_language_without_terms_has_none() -> None:
    for lang in ("de", "ar", "", "xx"):
        own = read(["incendie, taxe foncière"], lang)
        hits = terms.find(own, lang=lang)
        assert len(hits.row) == 0
        assert not terms.weights(own, hits).any()


def test_no_text_and_no_word_are_no_error() -> None:
    own = read(["", "  "])
    hits = terms.find(own, lang="fr")
    assert terms.weights(own, hits).shape == (2, len(lexicons.labels()))
    assert len(hits.of(0).row) == 0


def test_one_term_counts_one_in_a_short_text_and_little_in_an_article() -> None:
    long = "un incendie " + "mot " * 398
    assert weight("un incendie hier", "T20") == pytest.approx(1.0)
    assert weight(long, "T20") == pytest.approx(1 / np.sqrt(40), abs=0.005)  # 0.16, as documented
    assert weight(f"{long} incendie", "T20") == pytest.approx(2 / np.sqrt(40), abs=0.005)


def test_weights_never_pass_two() -> None:
    assert weight("incendie " * 9, "T20") == 2.0


def test_what_speaks_against_a_label_takes_all_of_it() -> None:
    assert weight("un incendie hier", "T20") > 0
    against = lexicons.table()["T20!"]["fr"]
    assert against
    kept = [term for term in against if weight(f"un incendie hier. {term}", "T20") > 0]
    assert kept == []


def test_an_exclusion_speaks_against_its_own_label_only() -> None:
    both = "grève des éboueurs, un incendie"
    term = lexicons.table()["T20!"]["fr"][0]
    others = [label for label in ("T04", "T20") if weight(f"{both}. {term}", label) > 0]
    assert others == ["T04"]


HOSTILE = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="`"), max_size=30),
        st.sampled_from(
            [
                "taxe foncière",
                "incendie",
                "\ud800",
                "\x1e",
                "‹lieu›",
                "e\u0301",
                "\u202e",
                "👍🏽",
                ". ",
            ]
        ),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=80, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=6))
def test_hits_of_a_text_are_the_same_alone_and_in_company(prepared: list[str]) -> None:
    texts = [text.replace(SEPARATOR, " ") for text in prepared]
    together = tokens.tokens(texts)
    hits = terms.find(together, lang="fr")
    weights = terms.weights(together, hits)
    first = 1
    for row, text in enumerate(texts):
        alone = tokens.tokens([text])
        own = terms.find(alone, lang="fr")
        assert rows(own, 0, 1) == rows(hits, row, first)
        assert np.array_equal(terms.weights(alone, own)[0], weights[row])
        first += len(text) + 1


@pytest.mark.parametrize(
    ("text", "lang", "is_read"),
    [
        ("we'll find you", "en", True),
        ("We'll find you a seat", "en", False),
        ("We'll find you a seat. Then we'll find you", "en", True),
        ("a fridge, we'll find you", "en", True),
        ("on va pendre le maire", "fr", True),
        ("on va pendre la crémaillère", "fr", False),
        ("on va pendre la crémaillère puis le pendre", "fr", True),
    ],
)
def test_a_term_within_a_turn_of_speech_is_not_read_and_the_rest_is(
    text: str, lang: str, *, is_read: bool
) -> None:
    assert (weight(text, "acts/threat", lang) > 0) is is_read


def test_turns_of_speech_of_one_text_say_nothing_of_the_next() -> None:
    texts = ["We'll find you a seat", "we'll find you", "We'll find you a seat"]
    own = read(texts, "en")
    of = terms.weights(own, terms.find(own, lang="en"))[:, lexicons.place("acts/threat")]
    assert (of > 0).tolist() == [False, True, False]
