"""Which posts of a stream are looked at at all."""

from __future__ import annotations

import pytest

from pipelines.sources import Terms
from pipelines.sources._sieve import folded, sieve

TERMS = Terms(
    names=("Mairie de Saint-Étienne-le-Vieux", "CAF", "Bureau des œuvres"),
    hashtags=("#StEtienneLeVieux",),
    handles=("@ville.example", "@VilleSEV"),
)


@pytest.mark.parametrize(
    "text",
    [
        "la mairie de SAINT ETIENNE le vieux",
        "À la mairie de Saint‑Étienne‑le‑Vieux…",
        "L'CAF",
        "caf!",
        "anti-CAF",
        "bureau des oeuvres",
        "merci @ville.example !",
        "cc @villesev",
    ],
)
def test_names_and_handles_are_found_without_case_accents_and_punctuation(text: str) -> None:
    assert sieve(TERMS)([text], ())


@pytest.mark.parametrize("text", ["un café", "la cafétéria", "ville.example", "mairie", ""])
def test_parts_of_words_and_bare_handles_are_not_found(text: str) -> None:
    assert not sieve(TERMS)([text], ())


def test_a_hashtag_is_found_among_the_hashtags_only() -> None:
    may_name = sieve(TERMS)
    assert may_name(["rien"], ["StÉtienneLeVieux"])
    assert not may_name(["stetiennelevieux"], ["StEtienne"])


def test_a_name_is_not_put_together_from_two_texts_that_do_not_touch() -> None:
    assert sieve(TERMS)(["rien", "la CAF"], ())
    assert folded("\n") == "  "


def test_without_terms_nothing_is_found() -> None:
    assert not sieve(Terms(names=("", "…"), hashtags=("#",), handles=("@",)))(["@ # …"], [""])
