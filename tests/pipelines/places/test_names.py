"""Names and what each may mean."""

from __future__ import annotations

import pytest

from pipelines.places import gazetteer, reading
from pipelines.places.names import Kind, Names, Sense, names, phrase_hash, read
from pipelines.places.spelling import folded_words


@pytest.fixture(scope="module")
def known() -> Names:
    return names()


def senses(known: Names, text: str) -> list[Sense]:
    """The senses of a text that is one name, as it is found."""
    found = reading.read([text], known.spelt)
    first, last, name = known.find(found.hashes, found.joins)
    whole = (first == 0) & (last == len(found.row) - 1)
    return [
        sense
        for n in name[whole].tolist()
        for sense in known.senses[known.first[n] : known.first[n + 1]]
    ]


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("Tours", Kind.COMMUNE, "commune:37261"),
        ("st etienne", Kind.COMMUNE, "commune:42218"),
        ("au Havre", Kind.COMMUNE, "commune:76351"),
        ("des Lilas", Kind.COMMUNE, "commune:93045"),
        ("Neuilly s/Marne", Kind.COMMUNE, "commune:93050"),
        ("Pont-de-Beauvoisin", Kind.COMMUNE, "commune:38315"),
        ("Cherbourg-Octeville", Kind.COMMUNE, "commune:50129"),
        ("Brive", Kind.COMMUNE, "commune:19031"),
        ("Val d’Oise", Kind.AREA, "departement:95"),
        ("Guadeloupe", Kind.AREA, "departement:971"),
        ("PACA", Kind.AREA, "region:93"),
        ("Alsace", Kind.AREA, "region:44"),
        ("Nantaises", Kind.PEOPLE, "commune:44109"),
        ("Tourangelle", Kind.PEOPLE, "departement:37"),
        ("37", Kind.NUMBER, "departement:37"),
        ("2A", Kind.NUMBER, "departement:2A"),
    ],
)
def test_a_name_has_its_sense(known: Names, text: str, kind: Kind, code: str) -> None:
    assert any(s.kind == kind and code in s.codes for s in senses(known, text))


def test_a_name_may_be_a_town_and_a_department(known: Names) -> None:
    assert {s.kind for s in senses(known, "Vienne")} == {Kind.COMMUNE, Kind.AREA}


def test_what_hides_a_name_and_what_means_here_are_names_too(known: Names) -> None:
    assert [s.kind for s in senses(known, "Nice-Matin")] == [Kind.OTHER]
    assert [s.here for s in senses(known, "notre département")] == ["departement"]


def test_every_commune_is_found_by_its_name(known: Names) -> None:
    places = [p for p in gazetteer.places().values() if p.level == "commune"][::37]
    for place in places:
        found = senses(known, place.name.partition(" (")[0])
        assert any(place.code in s.codes for s in found), place


def test_every_department_has_its_article_and_every_code_of_the_lists_is_a_place() -> None:
    lists = read("names")
    told = {code for codes in lists["articles"].values() for code in codes}
    departements = {c.partition(":")[2] for c in gazetteer.places() if c.startswith("departement")}
    assert told == departements - {"75", "974", "976"}
    assert set(lists["water"]) | set(lists["islands"]) <= departements
    for level in ("communes", "departements", "regions"):
        for insee in {**lists[level], **read("demonyms").get(level, {})}:
            assert gazetteer.place(f"{level[:-1]}:{insee}")


def test_names_that_are_borne_abroad_are_communes(known: Names) -> None:
    for name in [name for borne in read("abroad").values() for name in borne]:
        assert any(s.kind == Kind.COMMUNE and s.far for s in senses(known, name)), name


def test_a_hashtag_spells_a_name_of_several_words(known: Names) -> None:
    assert known.spelt("larochesuryon") == "La Roche Sur Yon"
    assert known.spelt("PasdeCalais") == "Pas De Calais"
    assert known.spelt("lesmarches") is None  # a commune, and two words of the language
    assert known.spelt("tours") is None


def test_a_phrase_has_the_hash_of_its_words(known: Names) -> None:
    level = known.levels[1]
    assert phrase_hash(folded_words("Le Havre")) in level.hashes.tolist()
