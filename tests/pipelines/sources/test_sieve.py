"""Which posts of a stream are looked at at all."""

from __future__ import annotations

import random

import pytest

from pipelines.settings import Subject
from pipelines.sources import Terms
from pipelines.sources._sieve import sieve
from pipelines.subjects import wanted
from tests.pipelines import query_dice

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
        "la mairie de St-Étienne-le-Vieux",
        "vu #MairieDeSaintEtienneLeVieux",
        "les CAFs",
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
    assert not sieve(TERMS)(["la mairie de", "Saint-Étienne-le-Vieux"], ())


def test_without_terms_nothing_is_found() -> None:
    assert not sieve(Terms(names=("", "…"), hashtags=("#",), handles=("@",)))(["@ # …"], [""])


def test_words_with_signs_are_found_as_their_query_has_them() -> None:
    may_name = sieve(Terms(wild=("trava*", "gr?ve", "conseil muni*", "#tram*")))
    assert may_name(["les travaux"], ())
    assert may_name(["la grève"], ())
    assert may_name(["le conseil municipal"], ())
    assert may_name(["rien"], ["TramTours"])
    assert not may_name(["la rave, le conseil des ministres"], ())


@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_a_subject_names_is_held_back(seed: int) -> None:
    chance = random.Random(seed)
    asked = query_dice.asked(chance)
    subject = Subject(id="s", label="s", purpose="répondre aux habitants", query=asked.text)
    found = wanted(subject, query_dice.ALLOWED)
    terms = Terms(
        names=found.names, hashtags=found.hashtags, handles=found.handles, wild=found.wild
    )
    may_name = sieve(terms)
    for post in [query_dice.post(chance) for _ in range(60)] if found.is_whole else ():
        if query_dice.by_matcher(asked.tree, [query_dice.document(post)]):
            texts = [post.title or "", post.content_warning or "", post.text]
            told = [f"@{handle}" for handle in post.mentioned_handles]
            assert may_name([*texts, *told], post.hashtags), (asked.text, post)
