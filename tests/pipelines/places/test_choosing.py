"""Homonyms told apart, arrondissements, words for "here"; only the finest level."""

from __future__ import annotations

import pytest

from pipelines.errors import PlaceUnknown
from pipelines.places import choosing, finder

TOURS = ("commune:37261",)


def codes(text: str, *territory: str, is_about: bool = False) -> tuple[str, ...]:
    return finder(territory).find([text], [is_about])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Saint-Denis, dans le 93, attend", ("commune:93066",)),
        ("À Saint-Denis de La Réunion", ("commune:97411",)),
        ("À Saint-Denis", ()),
        ("97400 Saint-Denis", ("commune:97411",)),
        ("Valence (26)", ("commune:26362",)),
        ("La gare de Valence", ("commune:26362",)),  # eight times the others together
        ("Au lycée de Saint-Paul", ()),  # so is Saint-Paul, but overseas
        ("Châtillon, dans les Hauts-de-Seine", ("commune:92020",)),
        ("Mairie de Montréal (Gers)", ("commune:32290",)),
    ],
)
def test_a_namesake_is_told_by_what_stands_beside(text: str, expected: tuple[str, ...]) -> None:
    assert codes(text) == expected


def test_namesakes_of_one_department_leave_the_department() -> None:
    assert codes("Deux Saint-Aubin, en Dordogne") == ("departement:24",)


@pytest.mark.parametrize(
    ("text", "territory", "expected"),
    [
        ("Le bus de Saint-Denis", "commune:97411", ("commune:97411",)),
        ("Le bus de Saint-Denis", "departement:93", ("commune:93066",)),
        ("Le bus de Saint-Denis", "region:11", ("commune:93066",)),
        ("Le bus de Saint-Denis", "commune:37261", ()),
        ("L'opéra à Vienne", "commune:38544", ("commune:38544",)),
        ("L'opéra à Vienne", "commune:37261", ()),
        ("La mairie de Montreuil", "departement:28", ("commune:93048",)),  # Eure-et-Loir has one
    ],
)
def test_the_territory_tells_namesakes_apart_but_yields_to_fame(
    text: str, territory: str, expected: tuple[str, ...]
) -> None:
    assert codes(text, territory) == expected


def test_a_text_about_the_institution_means_the_namesake_near_it() -> None:
    said = "La mairie de Montreuil"
    assert codes(said, "departement:28", is_about=True) == ("commune:28267",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lyon 7e", ("arrondissement:69387",)),
        ("Paris XVe", ("arrondissement:75115",)),
        ("75019 Paris", ("arrondissement:75119",)),
        ("Le 3e arrondissement de Marseille", ("arrondissement:13203",)),
        ("La mairie du 20e, à Paris", ("arrondissement:75120",)),
        ("Paris, 3e ville du pays", ("commune:75056",)),
        (
            "Le 3e arrondissement de Lyon et le 8e de Paris",
            ("arrondissement:69383", "commune:75056"),
        ),
        ("Lyon 12e", ("commune:69123",)),
        ("Blois 7e", ("commune:41018",)),
    ],
)
def test_an_arrondissement_is_finer_than_its_city(text: str, expected: tuple[str, ...]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "territory", "expected"),
    [
        ("la ville est sale", "commune:37261", TOURS),
        ("le département ferme", "commune:37261", ("departement:37",)),
        ("la région ferme", "departement:37", ("region:24",)),
        ("la préfecture ferme", "departement:37", ("departement:37",)),
        ("ici rien ne va", "region:24", ("region:24",)),
        ("la ville est sale", "departement:37", ()),
        ("la ville de demain", "commune:37261", ()),
        ("la région parisienne", "commune:37261", ("region:11",)),
        ("à Blois la ville est sale", "commune:37261", ("commune:41018",)),
        ("d'ici demain", "commune:37261", ()),
    ],
)
def test_here_is_the_institutions_own_place(
    text: str, territory: str, expected: tuple[str, ...]
) -> None:
    assert codes(text, territory, is_about=True) == expected
    elsewhere = codes(text, territory)
    assert not set(elsewhere) & set(expected) or elsewhere == codes(text)


def test_two_texts_of_a_batch_know_nothing_of_each_other() -> None:
    texts = ["la gare de Lyon ", "7e jour de grève à Lyon ", "7e arrondissement", "Blois,", "Tours"]
    alone = [finder().find([text])[0] for text in texts]
    assert finder().find(texts) == alone


def test_an_institution_of_several_towns_has_no_one_here() -> None:
    both = ("commune:37261", "commune:37122")
    assert codes("ici la ville est sale", *both, is_about=True) == ()
    assert codes("le département ferme", *both, is_about=True) == ("departement:37",)


def test_the_finest_level_alone_is_kept() -> None:
    said = "Tours, en Indre-et-Loire, région Centre-Val de Loire, et la Vienne"
    assert codes(said) == (*TOURS, "departement:86")


def test_a_name_that_is_a_town_and_its_department_is_the_department_when_unsure() -> None:
    assert codes("Mayenne : les élus votent") == ("departement:53",)
    assert codes("À Mayenne, la gare ferme") == ("commune:53147",)


def test_a_territory_that_is_no_place_is_refused() -> None:
    with pytest.raises(PlaceUnknown):
        choosing.territory(["commune:99999"])
