"""A query in words, its warnings, and why a post answers it or not."""

from __future__ import annotations

import random

import pytest

from pipelines import query, query_told
from pipelines.query_match import Document, compiled, document
from pipelines.settings import Subject
from pipelines.subjects import tree as tree_of
from tests.pipelines import query_dice


def described(text: str) -> str:
    return "\n".join(query_told.described(query.parse(text).tree))


def test_a_tree_is_told_in_plain_words_with_the_forms_of_each() -> None:
    assert described('risky:(Nice) AND (mairie OR "conseil muni*") NOT lang:en') == (
        "all of these:\n"
        "  risky, counted only within 40 words of “mairie”, “conseil muni*”:\n"
        "    the word “Nice” (nice)\n"
        "  at least one of these:\n"
        "    the word “mairie” (mairie/mairies)\n"
        "    the phrase “conseil muni*” (conseil/conseils muni…)\n"
        "  but not:\n"
        "    in the language en"
    )
    assert described('Tours ONEAR/3 "Lignes d\'Azur"') == (
        "these two with at most 3 words between them, in this order:\n"
        "  the word “Tours” (tours)\n"
        "  the phrase “Lignes d'Azur” (lignes azur, or lignes d azur)"
    )


@pytest.mark.parametrize("seed", range(30))
def test_every_tree_can_be_told(seed: int) -> None:
    chance = random.Random(seed)
    for tree in (query_dice.asked(chance).tree, query_dice.terms(chance)):
        assert all(line.strip() for line in query_told.described(tree))
        query_told.warnings(tree)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nice", "“nice” is a town and a common word"),
        ("Sens OR mairie", "“Sens” is a town and a common word"),
        ("mairie", "“mairie” is enough by itself"),
        ("pourquoi? AND tram", "the ? stands for one letter"),
        ("trava* AND Valmont", "cannot be asked for it"),
        ("Valmont OR risky:(Nice)", "changes nothing"),
        ("site:lemonde.fr", "no source can be asked for them"),
        ('"de la" OR tram', "“de la” holds only words that stand in nearly every post"),
        ("Valmont engagement:>5", "judged when a post is read"),
        ("Valmont lang:fr", "short posts"),
        ("Valmont source:fax", "none of this home: there is gazette, masto"),
    ],
)
def test_what_may_surprise_is_told(text: str, told: str) -> None:
    found = query_told.warnings(query.parse(text).tree, sources=("masto", "gazette"))
    assert any(told in each for each in found), found


@pytest.mark.parametrize(
    "text",
    ['"ville de Valmont"', "Valmont AND mairie", "risky:(Nice) AND (mairie OR tram)", "#Valmont",
     "mairie NEAR/5 Valmont", "Valmont AND source:masto"],
)  # fmt: skip
def test_a_sure_query_has_no_warning(text: str) -> None:
    assert query_told.warnings(query.parse(text).tree, sources=("masto",)) == []


def marked(text: str, post: Document | str) -> str:
    """What is shown of a post, with the words that answer in brackets."""
    read = document(post) if isinstance(post, str) else post
    tree = query.parse(text).tree
    why = query_told.why(tree, compiled([tree]), read)
    assert why.is_found, why
    shown = read.text
    for start, end in reversed(why.spans):
        shown = f"{shown[:start]}[{shown[start:end]}]{shown[end:]}"
    return shown


@pytest.mark.parametrize(
    ("text", "post", "shown"),
    [
        ("mairie", "La Mairie, les mairies.", "La [Mairie], les [mairies]."),
        ("école", "l’école d’Azur", "[l’école] d’Azur"),
        ('"Lignes d\'Azur"', "vu aux Lignes d’Azur !", "vu aux [Lignes d’Azur] !"),
        ("mairie NEAR/1 tram", "tram, tram de mairie, bus", "tram, [tram] de [mairie], bus"),
        ("mairie AND NOT bus", "mairie", "[mairie]"),
        ("mairie OR tram", "le tram", "le [tram]"),
        ('raw:"C++" OR bus', "en C++ ou en bus", "en [C++] ou en [bus]"),
        ("#TramTours", "vu #TramTours.", "vu [#TramTours]."),
        ("lignes", "https://ex.fr/lignes-d-azur ok", "[https://ex.fr/lignes-d-azur] ok"),
        ("trava*", "les travaux", "les [travaux]"),
    ],
)
def test_the_words_that_answer_are_shown_where_they_were_written(
    text: str, post: str, shown: str
) -> None:
    assert marked(text, post) == shown


def test_the_words_of_title_warning_and_text_are_shown_in_their_place() -> None:
    post = document("le tram", title="La mairie", warning="un bus", hashtags=("Bus",))
    assert marked("mairie AND bus AND tram", post) == "La [mairie]\nun [bus]\nle [tram]"
    assert marked("title:mairie", post) == "La [mairie]\nun bus\nle tram"
    assert marked("tram", document("le tram", warning="x")) == "x\nle [tram]"
    assert marked("#Bus", document("le tram", hashtags=("Bus",))) == "le tram"


@pytest.mark.parametrize("seed", range(40))
def test_what_is_shown_lies_in_the_text_and_a_match_is_a_match(seed: int) -> None:
    chance = random.Random(seed)
    tree = query_dice.asked(chance).tree
    found = compiled([tree])
    for post in (query_dice.document(query_dice.post(chance)) for _ in range(40)):
        why = query_told.why(tree, found, post)
        assert why.is_found == bool(found.find(post))
        assert all(0 <= a < b <= len(post.text) for a, b in why.spans)
        assert bool(why.reason) != why.is_found


@pytest.mark.parametrize(
    ("text", "post", "reason"),
    [
        ("mairie AND tram", "la mairie", "without “tram”"),
        ("mairie NOT tram", "la mairie, le tram", "left out by “tram”"),
        ("mairie NEAR/1 tram", "la mairie a le bon tram", "“mairie” and “tram” not within 1 words"),
        ("mairie ONEAR/5 tram", "tram mairie",
         "“mairie” and “tram” not within 5 words in this order"),
        ("mairie NEAR/1 tram", "la mairie", "without “tram”"),
        ("(tram OR bus) AND mairie", "la mairie", "without “tram”, “bus”"),
        ("risky/1:(Nice) AND mairie", "Nice et puis la mairie",
         "“Nice” with no strong word within 1 words"),
        ("title:mairie", "la mairie", "not in the title: “mairie”"),
        ("mairie lang:fr", "la mairie", "not in the language fr"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(text: str, post: str, reason: str) -> None:
    tree = query.parse(text).tree
    assert query_told.why(tree, compiled([tree]), document(post)).reason == reason


def test_the_terms_of_a_subject_are_told_too() -> None:
    subject = Subject(
        id="nice", label="Nice", purpose="répondre aux habitants", ambiguous=("Nice",),
        context=("mairie",), exclude=("OGC Nice", "match"),
    )  # fmt: skip
    tree = tree_of(subject)
    lines = list(query_told.described(tree))
    assert lines[0] == "once “OGC Nice” is taken out of the text:"
    assert "read as a name, within 40 words of “mairie”, none of “match”" in lines[1]
    why = query_told.why(tree, compiled([tree]), document("À Nice, la mairie ; l'OGC Nice"))
    assert [("À Nice, la mairie ; l'OGC Nice"[a:b]) for a, b in why.spans] == ["Nice", "mairie"]


def test_what_is_taken_out_is_shown_once() -> None:
    subject = Subject(
        id="tours", label="Tours", purpose="répondre aux habitants", names=("Ville de Tours",),
        ambiguous=("Tours",), context=("mairie",), exclude=tuple(f"Tours {n}" for n in range(8)),
    )  # fmt: skip
    told = "\n".join(query_told.described(tree_of(subject)))
    assert "“Tours 5” and 2 more is taken out" in told
    assert told.count("the phrase “Tours 7”") == 1
