"""What is observed of a name: each mark in a sentence that shows it and one that does not."""

from __future__ import annotations

import pytest

from pipelines.places import finder
from pipelines.places.evidence import MARKS

FINDER = finder()

# Mark, a name, a text that shows it, one that does not.
SHOWN = [
    ("a big town", "Lyon", "à Lyon", None),
    ("a middling town", "Blois", "à Blois", None),
    ("a small town", "Loches", "à Loches", None),
    ("a village", "Langeais", "à Langeais", None),
    ("several words", "Saint-Malo", "à Saint-Malo", None),
    ("an area", "Gers", "le Gers", None),
    ("inhabitants", "Nantais", "les Nantais", None),
    ("a number", "37", "dans le 37", None),
    ("a word for here", "la ville", "la ville", None),
    ("a word of the language", "Sens", "à Sens", None),
    ("also a word", "Vannes", "à Vannes", None),
    ("a surname", "Borne", "Borne parle", None),
    ("a first name", "Nancy", "Nancy", None),
    ("one or two letters", "Eu", "à Eu", None),
    ("a river, a sea or a side", "Loire", "la Loire", None),
    ("an area's name", "La Creuse", "La Creuse attend", None),
    ("better known abroad", "Vienne", "à Vienne", None),
    ("small letters", "lyon", "à lyon", "à Lyon"),
    ("a word in small letters", "somme", "la somme", "la Somme"),
    ("small letters, several words", "saint malo", "à saint malo", "à Saint Malo"),
    ("other accents", "Limogés", "Limogés hier", None),
    ("all capitals", "LYON", "LYON MÉTROPOLE", "Lyon métropole"),
    ("its article in small letters", "l'Union", "vers l'Union", "vers L'Union"),
    ("an acronym", "ARS", "avis de l'ARS locale", "AVIS DE L'ARS LOCALE"),
    ("capital of a sentence", "Sens", "Oui. Sens dort", "À Sens"),
    ("a hashtag", "Lyon", "bus #Lyon", "bus Lyon"),
    ("a part of a longer word", "Lens", "Louvre-Lens", "Lens-Est"),
    ("a part of an address", "lyon", "lyon@ville.fr", "lyon @ville"),
    ("after à", "Tours", "vivre à Tours", "il a Tours"),
    ("after à", "au Mans", "au Mans", None),
    ("on an island", "La Réunion", "à La Réunion", "de La Réunion"),
    ("after a", "lyon", "vivre a lyon", "vivre à lyon"),
    ("after a word of place", "Lyon", "vers Lyon", "avec Lyon"),
    ("after an English word of place", "Lyon", "we live in Lyon", "in Lyon on est bien"),
    ("of a town", "Tours", "la gare de Tours", "le chat de Tours"),
    ("of a town", "du Mans", "la gare du Mans", "le chat du Mans"),
    ("of an area", "Loire", "le préfet de la Loire", "les bords de la Loire"),
    ("of an area", "Bretagne", "la région Bretagne", "la belle Bretagne"),
    ("of a department", "59", "les gars du 59", "le quai du 59"),
    ("of a department", "93", "le 93", None),
    ("after de", "Lyon", "le soir de Lyon", "le maire de Lyon"),
    ("after en", "Mayenne", "en Mayenne", "la Mayenne"),
    ("after dans le", "Gers", "dans le Gers", "sur le Gers"),
    ("in a department", "37", "dans le 37", "dans les 37"),
    ("its article", "Creuse", "la Creuse", "le Creuse"),
    ("a determiner", "Tours", "les Tours", "à Tours"),
    ("a street or station", "Tours", "rue de Tours", "maire de Tours"),
    ("a street or station", "Bretagne", "place de la Bretagne", "élus de la Bretagne"),
    ("a street or station", "Lens", "place Lens", "placé Lens"),
    ("a product", "Dijon", "moutarde de Dijon", "mairie de Dijon"),
    ("a title", "Tours", "Mme Tours", "mme, Tours"),
    ("a title", "Tours", "M. Tours", "fin. Tours"),
    ("after a first name", "Nantes", "Martin Nantes", "martin Nantes"),
    ("of a first name", "Roubaix", "François de Roubaix", "maire de Roubaix"),
    ("behind another capital", "Lens", "le vieux Zorglub Lens", "le vieux Lens"),
    ("behind an opening capital", "Lens", "Zorglub Lens", "le Zorglub Lens"),
    ("before another capital", "Paris", "Paris Hilton", "Paris Nord"),
    ("a club", "Lens", "le RC Lens", "le rc Lens"),
    ("a club", "Tours", "Tours FC", "Tours en fc"),
    ("a club", "Reims", "Stade de Reims", "stade de Reims"),
    ("of a club", "Brest", "but de Brest", "maire de Brest"),
    ("a match or a line", "Lens", "Lens-Marseille", "Lens, Marseille"),
    ("a headline", "Lens", "Lens : un bus", "Lens, un bus"),
    ("in brackets", "Loire", "Feurs (Loire)", "Feurs, Loire"),
    ("in a list of places", "Lens", "Lens, Arras", "Lens, demain"),
    ("in a list of places", "Lens", "Arras et Lens", "hier et Lens"),
    ("a date, an hour or a count", "13", "dans le 13 heures", "dans le 13"),
    ("a date, an hour or a count", "38", "hausse de 38,7", "hausse de 38, dit-il"),
    ("goes on", "la ville", "la ville de demain", "la ville dort"),
    ("near civic words", "Lens", "Lens dit le maire", "Lens dit le chat"),
    ("among civic words", "Lens", "Lens : maire, école, bus", "Lens : maire"),
    ("after civic words", "lyonnaise", "la mairie lyonnaise", "la sauce lyonnaise"),
    ("near sport", "Lens", "Lens perd un match", "Lens perd un bus"),
    ("a score", "Lens", "Lens gagne 2-1", "Lens gagne 21"),
    ("a country near", "Valence", "Valence inondée, Madrid aide", "Valence inondée"),
    ("a country beside", "Lens", "Lens, en Suisse", "Lens, en hiver"),
    ("a country beside", "Mons", "Mons, dans le Hainaut", "Mons, dans le vent"),
    ("a country beside", "Paris", "Paris, Texas", "Paris, Tours"),
    ("water near", "Loire", "une péniche sur la Loire", "un vote dans la Loire"),
    ("a journey", "Brest", "le train Paris-Brest", "le gâteau Paris-Brest"),
    ("opens an English sentence", "Nice", "Nice work, that is good", "Nice travaille bien"),
    ("what an English sentence is about", "Nice", "Nice is good and the sea too", "Nice and good"),
]


def marks_of(text: str, name: str) -> set[str]:
    """Every mark of a name in a text, of all its senses."""
    found = [named for named in FINDER.explain(text) if named.words.casefold() == name.casefold()]
    assert found, (text, name)
    return {mark for named in found for mark in named.why}


@pytest.mark.parametrize(("mark", "name", "text", "other"), SHOWN)
def test_a_mark_is_there_where_it_should_be(
    mark: str, name: str, text: str, other: str | None
) -> None:
    assert mark in marks_of(text, name)
    if other is not None:
        assert mark not in marks_of(other, name)


def test_every_mark_is_tried() -> None:
    assert {mark for mark, *_ in SHOWN} == {mark.words for mark in MARKS}
