"""Places in whole texts: figures on the labelled sentences, the same answer in any batch."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings, strategies

from pipelines.errors import PlaceUnknown
from pipelines.places import check, finder, gazetteer
from tests.pipelines.places.labelled import Line, by_kind, lines

# What was measured when this was written, less a margin of about a point: docs/places.md.
FLOORS = {
    ("dev", True): (0.985, 0.98), ("dev", False): (0.88, 0.83),
    ("held_out", True): (0.96, 0.945), ("held_out", False): (0.89, 0.82),
}  # fmt: skip
HARD = ("word", "club", "homonym", "department", "deixis", "lowercase", "spelling", "number")


def test_the_labelled_file_is_whole() -> None:
    labelled = lines()
    assert len(labelled) >= 400
    assert len({line.text for line in labelled}) == len(labelled) - _again(labelled)
    assert {line.split for line in labelled} == {"dev", "held_out"}
    assert {line.kind for line in lines("dev")} == {line.kind for line in lines("held_out")}
    for code in {code for line in labelled for code in (*line.codes, line.territory) if code}:
        assert gazetteer.place(code)


def _again(labelled: list[Line]) -> int:
    """Sentences that stand twice, for another territory or another institution."""
    return len(labelled) - len({line.text for line in labelled})


@pytest.mark.parametrize(("split", "has_context"), FLOORS)
def test_places_are_found_as_well_as_was_measured(split: str, has_context: bool) -> None:
    score = by_kind(lines(split), has_context=has_context)["all"]
    precision, recall = FLOORS[split, has_context]
    assert score.precision >= precision
    assert score.recall >= recall


@pytest.mark.parametrize("kind", HARD)
def test_no_kind_of_hard_case_is_given_up(kind: str) -> None:
    score = by_kind(lines("held_out"))[kind]
    assert score.precision >= 0.9
    assert score.recall >= 0.5


def test_context_brings_what_it_is_for() -> None:
    for kind in ("match", "foreign", "lowercase", "word"):
        full, bare = (by_kind(lines("held_out"), has_context=c)[kind] for c in (True, False))
        assert full.right - full.wrong > bare.right - bare.wrong


def test_a_text_is_read_the_same_in_any_batch() -> None:
    texts = [line.text for line in lines()] * 8
    about = [line.is_about for line in lines()] * 8
    made = finder(("commune:37261",))
    alone = dict(zip(zip(texts, about, strict=True), _one_by_one(made, texts, about), strict=True))
    order = list(range(len(texts)))
    random.Random(3).shuffle(order)
    shuffled = made.find([texts[n] for n in order], [about[n] for n in order])
    assert shuffled == [alone[texts[n], about[n]] for n in order]


def _one_by_one(made: object, texts: list[str], about: list[bool]) -> list[tuple[str, ...]]:
    return [made.find([t], [a])[0] for t, a in zip(texts, about, strict=True)]  # type: ignore[attr-defined]


def test_what_is_explained_is_what_is_found() -> None:
    made = finder()
    for line in lines("dev"):
        told = {named.code for named in made.explain(line.text) if named.code}
        assert made.find([line.text])[0] == gazetteer.finest(frozenset(told))


@settings(max_examples=60, deadline=None)
@given(strategies.lists(strategies.text(max_size=60), max_size=5))
def test_any_text_is_read_without_an_error(texts: list[str]) -> None:
    found = finder(("departement:37",)).find(texts, [True] * len(texts))
    assert len(found) == len(texts)


@pytest.mark.parametrize(
    "text",
    ["", "\x00\x02\x03\x1e\x1f", "Tours" * 30_000, "Saint-" * 20_000, "à " * 50_000, "#" * 9_999],
)
def test_odd_and_swollen_texts_are_read_in_a_moment(text: str) -> None:
    began = time.process_time()
    finder().find([text])
    assert time.process_time() - began < 2


def test_the_marks_of_a_stranger_move_no_other_text() -> None:
    made = finder()
    texts = ["\x02\x02 #\x03", "La gare de Blois", "\x1e\x1f", "le maire de Loches"]
    assert made.find(texts) == [(), ("commune:41018",), (), ("commune:37132",)]


def test_a_territory_of_the_settings_is_checked() -> None:
    check(("commune:37261",))
    with pytest.raises(PlaceUnknown, match=r"vigie\.toml, \[institution\], territory: 'x' is no"):
        check(("x",))
    with pytest.raises(PlaceUnknown, match=r"vigie\.toml, \[\[subjects\]\] a, places: 'region:99'"):
        check(("region:99",), where="[[subjects]] a, places")
