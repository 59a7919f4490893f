"""Marks weighed: one score a name, names inside longer ones left out."""

from __future__ import annotations

import pytest

from pipelines.places import reading
from pipelines.places.evidence import MARKS, Found, weigh
from pipelines.places.names import Kind, names


def found(*texts: str, has_context: bool = True) -> tuple[Found, list[str]]:
    read = reading.read(texts, names().spelt)
    weighed = weigh(read, names(), has_context=has_context)
    spans = zip(weighed.first.tolist(), weighed.last.tolist(), strict=True)
    return weighed, [read.between(first, last) for first, last in spans]


def test_a_score_is_the_sum_of_the_weights_of_its_marks() -> None:
    weighed, _ = found("la gare de Tours", "dans le 37, à Sens", "les Nantais")
    by_words = {mark.words: mark.weights for mark in MARKS}
    for at, sense in enumerate(weighed.sense.tolist()):
        kind = names().senses[sense].kind
        total = sum(by_words[mark].get(kind, 0.0) for mark in weighed.why(at))
        assert weighed.score[at] == pytest.approx(total)


def test_marks_have_names_of_their_own_and_weigh_something() -> None:
    words = [mark.words for mark in MARKS]
    assert len(set(words)) == len(words)
    assert all(mark.weights and 0.0 not in mark.weights.values() for mark in MARKS)
    assert {kind for mark in MARKS for kind in mark.weights} == set(Kind) - {Kind.OTHER}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Joué-lès-Tours", ["Joué-lès-Tours"]),
        ("Indre-et-Loire", ["Indre-et-Loire"]),
        ("lu dans Nice-Matin", []),
        ("la région Centre-Val de Loire", ["la région", "Centre-Val de Loire"]),
        ("la Creuse", ["la Creuse", "Creuse"]),
        ("Le Pas-de-Calais", ["Pas-de-Calais"]),
    ],
)
def test_a_name_inside_a_longer_one_is_none(text: str, expected: list[str]) -> None:
    assert list(dict.fromkeys(found(text)[1])) == expected


def test_without_context_words_around_weigh_nothing() -> None:
    (bare, _), (full, _) = found("le maire de Tours", has_context=False), found("le maire de Tours")
    assert "of a town" not in {mark for at in range(len(bare.row)) for mark in bare.why(at)}
    assert bare.score.max() < full.score.max()


def test_nothing_is_found_in_nothing() -> None:
    for texts in ((), ("",), ("…", "", "🎉")):
        assert found(*texts)[1] == []
