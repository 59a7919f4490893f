"""Names as they are compared, in plain Python and in arrays alike."""

from __future__ import annotations

import pytest

from models.hashing import word_hash
from pipelines.places import gazetteer, reading
from pipelines.places.spelling import folded_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("St-Étienne", ["saint", "etienne"]),
        ("Ste. Maxime", ["sainte", "maxime"]),
        ("L'Haÿ-les-Roses", ["l", "hay", "les", "roses"]),
        ("Saint-Rémy-lès-Chevreuse", ["saint", "remy", "les", "chevreuse"]),
        ("Œting", ["oeting"]),
        ("", []),
    ],
)
def test_a_name_is_folded(name: str, words: list[str]) -> None:
    assert folded_words(name) == words


def test_every_name_of_the_gazetteer_is_folded_alike_in_arrays() -> None:
    names = gazetteer.rows()["name"].to_pylist()[::7]
    read = reading.read(names, {}.get)
    found: list[list[int]] = [[] for _ in names]
    for row, value in zip(read.row.tolist(), read.hashes.tolist(), strict=True):
        found[row].append(value)
    assert found == [[word_hash(word) for word in folded_words(name)] for name in names]
