"""Copies: what is one message said many times, and what never is."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, strategies as st

from pipelines import copies

CLAIM = (
    "Selon un agent, l'eau du quartier des Tilleuls est contaminée depuis mardi "
    "et la mairie le cache aux habitants"
)


def _members(*texts: str) -> list[tuple[int, ...]]:
    return [group.members for group in copies.groups(texts)]


@pytest.mark.parametrize(
    "copy",
    [
        CLAIM.upper(),
        f"RT @… {CLAIM}",
        f"{CLAIM} !!! 😡😡",
        f"{CLAIM} https://exemple.fr/a?b=12",
        CLAIM.replace("contaminée", "contaminee"),
        CLAIM.replace("mairie", "ville"),
    ],
)
def test_a_small_change_is_a_copy(copy: str) -> None:
    assert _members(CLAIM, copy) == [(0, 1)]


@pytest.mark.parametrize(
    "other",
    [
        CLAIM.replace("est contaminée", "n'est pas contaminée"),
        CLAIM.replace("est contaminée", "n’est pas contaminée"),
        f"FAUX : {CLAIM}",
        f"C'est une rumeur. {CLAIM}",
        CLAIM.replace("mardi", "lundi"),
        CLAIM.replace("depuis mardi", "depuis 12 jours"),
        f"Aucune preuve : {CLAIM}",
    ],
)
def test_a_claim_is_never_merged_with_its_negation_or_other_figures(other: str) -> None:
    assert _members(CLAIM, other) == [(0,), (1,)]


def test_opposite_words_are_not_copies() -> None:
    closed = "À cause de la neige l'école Jean Moulin sera fermée demain toute la journée"
    assert _members(closed, closed.replace("fermée", "ouverte")) == [(0,), (1,)]


def test_no_chain_of_copies_leads_from_a_claim_to_its_denial() -> None:
    denial = CLAIM.replace("est contaminée", "n'est pas contaminée")
    variants = [text + end for end in ("", " !", " svp", " merci") for text in (CLAIM, denial)]
    assert _members(*variants) == [(0, 2, 4, 6), (1, 3, 5, 7)]


def test_dropping_ne_beside_pas_is_still_a_copy() -> None:
    text = "Franchement le tram ne passe pas ce matin place des Halles et personne ne prévient"
    assert _members(text, text.replace("ne passe", "passe")) == [(0, 1)]


def test_english_contractions_deny_too() -> None:
    text = "The water in the old town is safe to drink since the works of last night ended"
    assert _members(text, text.replace("is safe", "isn't safe")) == [(0,), (1,)]


CLAIM_EN = (
    "A friend at the council says the water of the old town is poisoned since the fire of the "
    "warehouse and they are hiding it from us"
)


@pytest.mark.parametrize(
    "other",
    [
        CLAIM_EN.replace("is poisoned", "is not poisoned"),
        CLAIM_EN.replace("is poisoned", "isn’t poisoned"),
        CLAIM_EN.replace("is poisoned", "was never poisoned"),
        f"False: {CLAIM_EN}",
        f"{CLAIM_EN}. This was denied today",
        CLAIM_EN.replace("fire", "fire of 12 May"),
    ],
)
def test_an_english_claim_is_never_merged_with_its_negation(other: str) -> None:
    assert _members(CLAIM_EN, other) == [(0,), (1,)]
    assert _members(CLAIM_EN, f"RT {CLAIM_EN} !!!", other) == [(0, 1), (2,)]


def test_texts_made_to_fill_one_bucket_cost_no_more_than_their_number() -> None:
    texts = [f"{CLAIM} {' '.join(f'mot{n * k % 997}' for k in range(14))}" for n in range(4_000)]
    started = time.process_time()
    copies.groups(texts)
    assert time.process_time() - started < 10


def test_a_short_text_has_copies_only_word_for_word() -> None:
    assert _members("Bravo la mairie", "bravo, la mairie !", "Bravo la ville") == [(0, 1), (2,)]


@pytest.mark.parametrize(
    ("text", "core"),
    [
        (f"Pour info, {CLAIM}", CLAIM),
        (f"Sérieusement… {CLAIM}. À suivre.", f"{CLAIM}."),
        (f"{CLAIM}. Vous en pensez quoi ?", f"{CLAIM}."),
        (f"C'est faux : {CLAIM}", f"C'est faux : {CLAIM}"),
        (f"Selon le préfet, {CLAIM}", f"Selon le préfet, {CLAIM}"),
        ("Bonne soirée", "Bonne soirée"),
        ("Merci la mairie", "Merci la mairie"),
    ],
)
def test_what_people_put_around_a_message_is_told_apart(text: str, core: str) -> None:
    assert copies.told(text) == core


@given(
    st.sampled_from(["", "Pour info, ", "Bonjour !", "Bon… ", "Merci. "]),
    st.text(max_size=200),
    st.sampled_from(["", " Partagez.", ", merci !", "… À suivre", " Bonjour."]),
)
def test_what_is_told_is_part_of_the_text(opening: str, text: str, closing: str) -> None:
    whole = f"{opening}{text}{closing}"
    assert copies.told(whole) in copies._TAG.sub(" ", copies._LINK.sub(" ", whole))


@pytest.mark.parametrize(
    "hostile",
    ["@a " * 33_000, "RT " * 33_000, "- " * 50_000, "\n" * 100_000 + "x", ", merci" * 14_000,
     "merci" + "!" * 100_000, "[a" * 50_000, "bonjour" + " " * 100_000, ". " * 50_000],
)  # fmt: skip
def test_a_hostile_text_is_read_in_a_time_that_grows_with_its_length(hostile: str) -> None:
    begun = time.process_time()
    copies.told(hostile)
    assert time.process_time() - begun < 2


def test_another_name_in_a_short_text_is_another_message() -> None:
    template = "{} est l'invité du journal de la mairie"
    assert len(_members(template.format("Zoé Brun"), template.format("Ali Petit"))) == 2


@given(st.lists(st.text(max_size=60), max_size=30))
def test_every_text_stands_in_one_group_whatever_it_holds(texts: list[str]) -> None:
    places = [place for group in copies.groups(texts) for place in group.members]
    assert sorted(places) == list(range(len(texts)))


def test_the_order_of_texts_does_not_change_who_is_whose_copy() -> None:
    texts = [f"{CLAIM} {end}" for end in ("", "a", "b", "c")] + ["autre chose tout à fait ici"] * 3
    mixed = list(texts)
    random.Random(3).shuffle(mixed)
    sizes = sorted(len(group) for group in _members(*texts))
    assert sorted(len(group) for group in _members(*mixed)) == sizes == [3, 4]


def test_many_copies_cost_no_more_than_their_number() -> None:
    started = time.process_time()
    found = copies.groups([f"{CLAIM} {'!' * (n % 50)}" for n in range(5_000)])
    assert len(found) == 1
    assert time.process_time() - started < 20
