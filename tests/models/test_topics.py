import tomllib
from importlib.resources import files

import numpy as np
import pytest

from models import topics
from models.taxonomy import taxonomy

MODEL = topics.load()


def of(text: str, lang: str | None = "fr") -> tuple[str, ...]:
    return MODEL.score([text], [lang]).topics[0]


@pytest.mark.parametrize(
    "text",
    [
        "Gros incendie à l'école, les pompiers arrivent",
        "inondation rue des tanneurs on est coincés au 2e étage",
        "accident de car sur la rocade, plusieurs blessés",
        "l'eau du robinet n'est pas potable depuis ce matin",
        "ils évacuent tout l'immeuble, ça sent le gaz",
        "explosion entendue à l'usine, fumée noire",
        "La rivière déborde, la cave est pleine d'eau",
    ],
)
def test_a_danger_is_a_crisis(text: str) -> None:
    assert "T20" in of(text)


@pytest.mark.parametrize(
    "text",
    [
        "Feu d'artifice samedi sur le port",
        "Le conseil a donné son feu vert",
        "Bal des pompiers vendredi soir",
        "Une équipe de feu, quelle victoire !",
        "Merci pour le concert",
        "",
    ],
)
def test_a_figure_of_speech_is_no_crisis(text: str) -> None:
    assert "T20" not in of(text)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("La taxe foncière a encore augmenté", "T01"),
        ("Grève des éboueurs : les syndicats appellent à un rassemblement", "T04"),
        ("Plus aucun médecin dans le canton, un désert médical", "T06"),
        ("Une classe ferme à l'école maternelle", "T07"),
        ("Attente de sept ans pour un logement social", "T08"),
        ("Le tram est en panne et le stationnement hors de prix", "T09"),
        ("Les éoliennes vont gâcher le paysage", "T10"),
        ("Un centre pour demandeurs d'asile va ouvrir", "T13"),
        ("Non au burkini à la piscine", "T14"),
        ("Prise illégale d'intérêts : l'adjoint mis en examen", "T16"),
        ("Bureau de vote fermé, impossible de voter", "T17"),
    ],
)
def test_topics_of_everyday_posts(text: str, topic: str) -> None:
    assert topic in of(text)


def test_a_text_may_have_several_topics() -> None:
    assert {"T04", "T07"} <= set(of("Grève à la cantine et à l'école jeudi, les agents débrayent"))


def test_undetermined_texts_are_read_as_french_and_others_not_at_all() -> None:
    assert "T20" in of("incendie gare", None)
    found = MODEL.score(["Wat een mooie stad", "brand in de straat"], ["nl", "nl"])
    assert np.isnan(found.probabilities).all()
    assert found.topics == [(), ()]


def test_english_has_topics() -> None:
    assert "T20" in of("Flooding in the town centre, people evacuated", "en")


def test_each_topic_is_as_open_to_one_side_as_to_the_other() -> None:
    """No topic is found on one political side only: what differs is at most half its sentences."""
    for place, topic in enumerate(taxonomy()):
        shares = [
            np.mean([topics.LABELS[place] in of(text) for text in topic.sentences[side]])
            for side in ("pro", "contra")
        ]
        assert abs(shares[0] - shares[1]) <= 0.5, topic.id


def test_probabilities_lie_in_0_to_1_in_the_order_of_the_ids() -> None:
    found = MODEL.score(["Incendie", "bonjour"], ["fr", "fr"])
    assert found.probabilities.shape == (2, 20)
    assert ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
    assert topics.LABELS[found.probabilities[0].argmax()] == "T20"


def test_thresholds_are_those_of_the_files() -> None:
    assert MODEL.thresholds == {topic.id: topic.threshold for topic in taxonomy()}


def test_whom_a_danger_drives_from_home_is_no_migrant() -> None:
    """The card of topics shows each error; the limits leave a few more than it has."""
    path = files("models") / "probes" / "reception.toml"
    cases = tomllib.loads(path.read_text(encoding="utf-8"))["sentence"]
    named = {True: 0, False: 0}
    for case in cases:
        named["T13" in case["topics"]] += "T13" in of(case["text"])
    assert len({case["text"] for case in cases}) == len(cases) == 164
    assert sum("T13" in case["topics"] for case in cases) == 44
    assert named[False] <= 12  # of 120
    assert named[True] >= 33  # of 44


@pytest.mark.parametrize(
    "text",
    [
        "Évacuation de la résidence, on attend dans le froid",
        "évacuation gare centrale, que se passe-t-il ?",
    ],
)
def test_an_evacuation_is_a_crisis_and_not_immigration(text: str) -> None:
    assert "T20" in of(text)
    assert "T13" not in of(text)


def test_the_clearing_of_a_camp_is_immigration() -> None:
    assert "T13" in of("Évacuation du campement de migrants ce matin")
    assert "T20" not in of("Évacuation du campement de migrants ce matin")
