"""An English digest holds no French but what people and the institution wrote themselves."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from pipelines import crisis, digest
from pipelines.letter import Letter
from tests.pipelines import valmont

# Written by people or by the institution: quotations, names, its legal basis, unusual words.
_THEIRS = (
    re.compile(r"“[^”]*”"),
    re.compile(r"Unusual words: .*$", re.M),
    re.compile("|".join(map(re.escape, (
        *(valmont.SETTINGS.institution.name, valmont.SETTINGS.institution.legal_basis),
        *(relay.label for relay in valmont.SETTINGS.relays),
        *(subject.label for subject in valmont.SETTINGS.subjects),
        "presse",
    )))),
)  # fmt: skip
_FRENCH = re.compile(
    r"[«»éèêàùçœîïôûÉÈÀÇ]|\b(?:le|la|les|des|du|une|est|et|pour|dans|sur|pas|avec|qui|que|nous|vous|"
    r"aucune?|heures?|jours?|veille|semaine|mois|janv|févr|avr|juil|août|lundi|mardi|mercredi|"
    r"jeudi|vendredi|samedi|dimanche|vert|jaune|rouge|sujets?|texte|négatifs?|d’\w+|l’\w+)\b|\d\s%"
)


@pytest.fixture(scope="module", params=["quiet", "crisis", "week", "report"])
def letter(request: pytest.FixtureRequest) -> Letter:
    mood = "quiet" if request.param == "quiet" else "crisis"
    with valmont.warehouse_of(mood) as connection:
        if request.param == "report":
            opened, *_ = crisis.incidents(connection, as_of=valmont.AS_OF, name="i1")
            report = crisis.build(
                connection,
                opened,
                settings=valmont.SETTINGS,
                as_of=opened.opened_at + timedelta(hours=2),
            )
            return crisis.render(report, locale="en")
        made = digest.build(
            connection,
            settings=valmont.SETTINGS,
            day=valmont.DAY,
            as_of=valmont.AS_OF,
            edition="week" if request.param == "week" else "day",
        )
        return digest.render(made, locale="en")


def _ours(text: str) -> str:
    text = re.sub(r"(?<=\S)\n(?=[^\s-])", " ", text)  # lines that were wrapped
    for theirs in _THEIRS:
        text = theirs.sub(" ", text)
    return re.sub(r"https?://\S+", " ", text)


def test_no_french_is_left_in_the_plain_part(letter: Letter) -> None:
    found = [m.group() for m in _FRENCH.finditer(_ours(letter.text))]
    assert found == []


def test_no_french_is_left_in_the_subject_or_the_words_of_pictures(letter: Letter) -> None:
    alts = re.findall(r'(?:alt|aria-label)="([^"]*)"', letter.html)
    said = _ours("\n".join([letter.subject, *alts]))
    assert _FRENCH.findall(said) == []
