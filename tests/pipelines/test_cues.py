"""Cues: signs of asking, claiming, denying and calling to gather, in French and English."""

from __future__ import annotations

import pytest

from pipelines import cues


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("À quelle heure ouvre la piscine ?", True),
        ("Bonjour, comment renouveler ma carte d’identité", True),
        ("Does anyone know when the library opens", True),
        ("Voir https://exemple.example/page?id=3", False),
        ("Mais jusqu’à quand ??", False),
        ("De qui se moque-t-on ?!", False),
        ("Belle soirée au marché", False),
    ],
)
def test_a_question_asks_for_an_answer(text: str, is_so: bool) -> None:
    assert cues.is_question(text) is is_so


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("Bonjour, à quelle heure ouvre la piscine ?", True),
        ("Faut-il fermer les fenêtres ?", True),
        ("Is there a bus on Sunday?", True),
        ("Débat au conseil : faut-il armer la police municipale ?", False),
        ("Photo du jour. Vous en pensez quoi ?", False),
        ("Énorme fumée noire, on étouffe, que fait la mairie ?", False),
    ],
)
def test_a_request_asks_something_practical(text: str, is_so: bool) -> None:
    assert cues.is_request(text) is is_so


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("Il paraît que la mairie a vendu le stade en secret", True),
        ("Selon une voisine, l’eau est contaminée", True),
        ("12 millions d’euros pour un rond-point", True),
        ("Share before they delete it: the water is poisoned, leaked report", True),
        ("C’est une rumeur, l’eau n’est pas contaminée", False),
        ("L’eau est-elle contaminée ?", False),
        ("Très beau marché ce matin", False),
    ],
)
def test_a_claim_states_what_can_be_checked(text: str, is_so: bool) -> None:
    assert cues.is_claim(text) is is_so


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("Non, l’école ne ferme pas", True),
        ("Intox : aucune fermeture prévue", True),
        ("La préfecture dément", True),
        ("Aucune preuve de tout cela", True),
        ("La piscine ferme demain", False),
    ],
)
def test_a_denial_says_that_something_is_not_so(text: str, is_so: bool) -> None:
    assert cues.is_denial(text) is is_so


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("Rassemblement vendredi 18 h devant la préfecture", True),
        ("RDV samedi place des Halles pour l’école", True),
        ("Tous devant la mairie lundi !", True),
        ("March for the river on Sunday", True),
        ("Rendez-vous chez le dentiste", False),
        ("La mairie est ouverte lundi", False),
    ],
)
def test_a_call_to_gather_names_a_gathering(text: str, is_so: bool) -> None:
    assert cues.is_gathering(text) is is_so
