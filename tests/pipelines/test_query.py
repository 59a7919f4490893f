"""The text of a query becomes the tree that its writer means."""

from __future__ import annotations

import pytest

from pipelines import query, query_terms
from pipelines.query_tree import (
    All,
    Any,
    Author,
    Engagement,
    Lang,
    Near,
    Node,
    Not,
    Phrase,
    Place,
    Raw,
    Risky,
    Site,
    Source,
    Title,
    Type,
    cover,
    digest,
    is_late,
    loosened,
)

ALLOWED = query.allowed(("tours", "@villedetours@social.example"), (("nr", ("@lanr",)),))


def tree(text: str) -> Node:
    return query.parse(text, allowed=ALLOWED).tree


def outline(node: Node) -> str:
    """A tree in short: words as written, operators in front."""
    match node:
        case Phrase(written):
            return written
        case All(inner):
            return f"all({' '.join(map(outline, inner))})"
        case Any(inner):
            return f"any({' '.join(map(outline, inner))})"
        case Not(child):
            return f"not({outline(child)})"
        case Title(child):
            return f"title({outline(child)})"
        case Near(left, right, most, is_ordered):
            return f"{'o' * is_ordered}near{most}({outline(left)} {outline(right)})"
        case Risky(words, strong, within):
            return f"risky{within}({outline(words)} by {outline(strong)})"
    return type(node).__name__.lower()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mairie", "mairie"),
        ("mairie tram", "all(mairie tram)"),
        ("mairie AND tram", "all(mairie tram)"),
        ("mairie ET tram", "all(mairie tram)"),
        ("mairie OR tram OU bus", "any(mairie tram bus)"),
        ("mairie NOT tram", "all(mairie not(tram))"),
        ("mairie AND NOT tram", "all(mairie not(tram))"),
        ("mairie SAUF (tram OU bus)", "all(mairie not(any(tram bus)))"),
        ("(mairie)", "mairie"),
        ('"conseil municipal" tram', "all(conseil municipal tram)"),
        ("«conseil municipal»", "conseil municipal"),
        ("“conseil municipal”", "conseil municipal"),
        ("« conseil municipal »", " conseil municipal "),
        ("mairie NEAR/5 tram", "near5(mairie tram)"),
        ("mairie ONEAR/0 tram", "onear0(mairie tram)"),
        ("(mairie OR tram) NEAR/5 (bus NEAR/2 car)", "near5(any(mairie tram) near2(bus car))"),
        ("(mairie NEAR/5 tram) AND bus", "all(near5(mairie tram) bus)"),
        ("mairie AND tram NEAR/5 bus", "all(mairie near5(tram bus))"),
        ("mairie NEAR/5 tram NOT bus lang:fr", "all(near5(mairie tram) not(bus) lang)"),
        ("mairie NEAR/5 tram bus NEAR/2 car", "all(near5(mairie tram) near2(bus car))"),
        ("title:mairie tram", "all(title(mairie) tram)"),
        ('title:("hôtel de ville" OR mairie)', "title(any(hôtel de ville mairie))"),
        ("risky:(Nice) AND mairie", "all(risky40(Nice by mairie) mairie)"),
        (
            "risky/9:(Nice Sens) AND (mairie OR tram)",
            "all(risky9(any(Nice Sens) by any(mairie tram)) any(mairie tram))",
        ),
        ("risky:(Nice) mairie NOT tram", "all(risky40(Nice by mairie) mairie not(tram))"),
        ("mairie\n  AND tram\n", "all(mairie tram)"),
        ("lang:(fr OR en) mairie", "all(any(lang lang) mairie)"),
        ("ANDRE OR ETAT", "any(ANDRE ETAT)"),
        ("mairie (tram OR bus)", "all(mairie any(tram bus))"),
    ],
)
def test_operators_in_english_and_french(text: str, meant: str) -> None:
    assert outline(tree(text)) == meant


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("lang:FR-fr mairie", Lang("fr")),
        ("source:Mastodon mairie", Source("mastodon")),
        ("type:comment mairie", Type("comment")),
        ("engagement:>=50 mairie", Engagement(">=", 50)),
        ("site:https://www.LeMonde.fr/politique/ mairie", Site("lemonde.fr", "politique")),
        ("site:lemonde.fr/* mairie", Site("lemonde.fr")),
        ("site:élysée.fr mairie", Site("xn--lyse-9oad.fr")),
        ("author:@lanr mairie", Author(("nr",))),
        ("author:nr mairie", Author(("nr",))),
        ("author:@villedetours mairie", Author(())),
        ('raw:"R&D" mairie', Raw("R&D")),
        ("raw:Google+ mairie", Raw("Google+")),
        ("LANG:fr mairie", Lang("fr")),
        ("lang: fr mairie", Lang("fr")),
        (
            "place:commune:37261 mairie",
            Place("commune:37261", ("commune:37261",)),
        ),
        ("place:37261 mairie", Place("37261", ("commune:37261",))),
        (
            "place:département:37 mairie",
            Place("département:37", ("departement:37",), ("commune:37",)),
        ),
        ("place:2a mairie", Place("2a", ("departement:2A",), ("commune:2A",))),
        ("place:974 mairie", Place("974", ("departement:974",), ("commune:974",))),
        (
            "place:372* mairie",
            Place("372*", (), ("commune:372", "departement:372", "arrondissement:372")),
        ),
        ("place:75056 mairie", Place("75056", ("commune:75056",), ("arrondissement:751",))),
        (
            "place:region:94 mairie",
            Place(
                "region:94",
                ("region:94", "departement:2A", "departement:2B"),
                ("commune:2A", "commune:2B"),
            ),
        ),
    ],
)
def test_fields_are_read_into_what_they_compare(text: str, node: Node) -> None:
    found = tree(text)
    assert isinstance(found, All)
    assert found.children[0] == node


def ways(text: str) -> list[str]:
    """The ways of a phrase, with the forms of each word."""
    found = tree(text)
    assert isinstance(found, Phrase)
    return [" ".join("|".join(p.forms) + "*" * p.is_prefix for p in way) for way in found.ways]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mairie", ["mairie|mairies"]),
        ("Mairie", ["mairie"]),
        ("Tours", ["tours"]),
        ("tours", ["tour|tours"]),
        ("SNCF", ["sncf"]),
        ("l'école", ["ecole|ecoles"]),
        ("d’Azur", ["azur"]),
        ('"Lignes d\'Azur"', ["lignes azur", "lignes d azur"]),
        ("aujourd'hui", ["aujourdhui", "aujourd hui|huis"]),
        ("centre-ville", ["centre|centres ville|villes"]),
        ("Centre-Ville", ["centre ville"]),
        ('"M. le maire"', ["m . le maire|maires", "m le maire|maires"]),
        ('"quoi ? rien !"', ["quoi|quois . rien|riens", "quoi|quois rien|riens"]),
        ("St-Étienne", ["saint etienne"]),
        ("trava*", ["trava*"]),
        ("l'éco*", ["eco*"]),
        ("gr?ve", ["gr?ve"]),
        ('"conseil muni*"', ["conseil|conseils muni*"]),
        ("#TramTours", ["#tramtours"]),
        ("#tram*", ["#tram*"]),
        ("@VilleDeTours", ["@villedetours"]),
        ("18:30", ["18 30"]),
        ("日本", ["日本"]),
        ("e\u0301cole", ["ecole|ecoles"]),
        ('"SAUF"', ["sauf"]),
    ],
)
def test_words_have_the_forms_that_a_text_may_show(text: str, meant: list[str]) -> None:
    assert ways(text) == meant


def test_layout_does_not_change_the_meaning_and_a_word_does() -> None:
    one, same = tree("mairie AND (tram OR bus)"), tree("mairie\n ET (tram OU bus)")
    assert digest(one) == digest(same)
    assert digest(one) != digest(tree("mairie AND (tram OR car)"))
    assert digest(tree("Mairie")) != digest(tree("mairie"))
    assert len(digest(one)) == 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mairie", ["mairie"]),
        ("mairie AND (tram OR bus)", ["mairie"]),
        ("(tram OR bus) AND (mairie OR ville OR commune)", ["tram", "bus"]),
        ("mairie NEAR/5 tram", ["mairie"]),
        ("title:(mairie) lang:fr", ["mairie"]),
        ("mairie OR site:lemonde.fr", None),
        ("site:lemonde.fr", None),
        ("raw:SNCF", ["SNCF"]),
        ('raw:"C++"', None),
        ("site:lemonde.fr AND mairie", ["mairie"]),
        ("risky:(Nice) AND (mairie OR tram)", ["Nice"]),
    ],
)
def test_a_source_is_asked_for_the_fewest_words_of_which_every_answer_holds_one(
    text: str, words: list[str] | None
) -> None:
    found = cover(tree(text), with_raw=True)
    assert (None if found is None else [phrase.written for phrase in found]) == words


def test_a_tree_is_loosened_where_language_and_place_are_not_known_yet() -> None:
    found = tree("mairie AND lang:fr NOT place:37")
    assert is_late(found)
    assert not is_late(loosened(found))
    assert outline(loosened(found)) == "all(mairie always not(always))"


def test_terms_and_queries_with_accents_apart_are_those_of_stored_texts() -> None:
    made = [query_terms.literal(term) for term in ("Me\u0301tropole", "Métropole")]
    assert len({each.ways for each in made if each}) == 1
    assert tree('raw:"e\u0301cole"') == Raw("école")
    assert tree("mairie " + "e\u0323\u0301" * 10**4)
