"""What speaks for and against each name of a batch being a place: marks, weights, a score.

A *mark* is one observation about one name in one text ("after à", "a street or station"). Every
mark has a weight for each kind of name, so that the reason for an answer is the list of its
marks. Weights were set by hand, in steps of a half, on the development half of
`tests/pipelines/places/labelled.tsv` and on news and posts; above 0 a name is taken for a place.

Works on whole arrays: a row a name, a column a mark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.hashing import Marks, Places
from pipelines.places import marks
from pipelines.places.around import Around, around, traits
from pipelines.places.names import Kind, Names
from pipelines.places.reading import Read

Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mark:
    """One observation: how it is told, when it is there, and its weight for each kind of name.

    A kind that is not named is not moved. `is_context` marks those that words around make.
    """

    words: str
    is_there: Callable[[Around], Marks]
    weights: Mapping[Kind, float]
    is_context: bool = False


MARKS = (
    # what the name is
    Mark("a big town", marks.big, {Kind.COMMUNE: 2.0}),
    Mark("a middling town", marks.middling, {Kind.COMMUNE: 1.5}),
    Mark("a small town", marks.small, {Kind.COMMUNE: 0.5}),
    Mark("a village", marks.village, {Kind.COMMUNE: -0.5}),
    Mark("several words", marks.several_words, {Kind.COMMUNE: 2.5, Kind.AREA: 1.5}),
    Mark("an area", marks.an_area, {Kind.AREA: 1.5}),
    Mark("inhabitants", marks.inhabitants, {Kind.PEOPLE: 1.0}),
    Mark("a number", marks.number, {Kind.NUMBER: -1.5}),
    Mark("a word for here", marks.here, {Kind.HERE: 1.0}),
    Mark("a word of the language", marks.a_word, {Kind.COMMUNE: -2.5, Kind.AREA: -1.0}),
    Mark("also a word", marks.also_a_word, {Kind.COMMUNE: -1.0, Kind.AREA: -0.5}),
    Mark("a surname", marks.surname, {Kind.COMMUNE: -2.0}),
    Mark("a first name", marks.forename, {Kind.COMMUNE: -3.0, Kind.AREA: -2.0}),
    Mark("one or two letters", marks.short, {Kind.COMMUNE: -1.5}),
    Mark("a river, a sea or a side", marks.water_or_side, {Kind.AREA: -2.0}),
    Mark("an area's name", marks.of_an_area_too, {Kind.COMMUNE: -3.0}),
    Mark("better known abroad", marks.better_known, {Kind.COMMUNE: -4.5}),
    # how it is written
    Mark("small letters", marks.in_small, {Kind.COMMUNE: -3.0, Kind.AREA: -2.5, Kind.PEOPLE: -3.5}),
    Mark("a word in small letters", marks.word_in_small, {Kind.AREA: -3.0}),
    Mark(
        "small letters, several words", marks.words_in_small, {Kind.COMMUNE: -1.0, Kind.AREA: -1.0}
    ),
    Mark("other accents", marks.other_accents, {Kind.COMMUNE: -2.5}),
    Mark(
        "all capitals", marks.in_capitals, {Kind.COMMUNE: -0.5, Kind.AREA: -0.5, Kind.PEOPLE: -0.5}
    ),
    Mark("capital of a sentence", marks.opening_word, {Kind.COMMUNE: -1.0}),
    Mark("a hashtag", marks.hashtag, {Kind.COMMUNE: 1.0, Kind.AREA: 1.0}),
    Mark("its article in small letters", marks.small_article, {Kind.COMMUNE: -2.0}),
    Mark("an acronym", marks.acronym, {Kind.COMMUNE: -4.0}),
    Mark(
        "a part of a longer word",
        marks.longer_word,
        {Kind.COMMUNE: -2.0, Kind.AREA: -2.5, Kind.PEOPLE: -1.0, Kind.NUMBER: -3.0},
    ),
    Mark(
        "a part of an address",
        marks.address,
        {Kind.COMMUNE: -9.0, Kind.AREA: -9.0, Kind.PEOPLE: -9.0, Kind.NUMBER: -9.0},
    ),
    # what stands before and after
    Mark("after à", marks.after_at, {Kind.COMMUNE: 2.5, Kind.AREA: -1.0}),
    Mark("on an island", marks.on_an_island, {Kind.AREA: 3.0}),
    Mark("after a", marks.after_bare_a, {Kind.COMMUNE: 1.0}),
    Mark("after a word of place", marks.after_place_word, {Kind.COMMUNE: 1.5, Kind.AREA: 0.5}),
    Mark(
        "after an English word of place",
        marks.after_english_place_word,
        {Kind.COMMUNE: 2.5, Kind.AREA: 1.5},
    ),
    Mark("of a town", marks.of_a_town, {Kind.COMMUNE: 3.0}, is_context=True),
    Mark("of an area", marks.of_an_area, {Kind.AREA: 3.5}, is_context=True),
    Mark("of a department", marks.of_a_department, {Kind.NUMBER: 4.0}, is_context=True),
    Mark("after de", marks.after_de, {Kind.COMMUNE: 0.5, Kind.AREA: 0.5}),
    Mark("after en", marks.after_en, {Kind.COMMUNE: -1.5, Kind.AREA: 2.5}),
    Mark("after dans le", marks.after_dans_le, {Kind.AREA: 2.5}),
    Mark("in a department", marks.in_a_department, {Kind.NUMBER: 2.5}),
    Mark("its article", marks.own_article, {Kind.AREA: 2.0}),
    Mark("a determiner", marks.determiner, {Kind.COMMUNE: -4.0, Kind.AREA: -3.0, Kind.PEOPLE: 0.5}),
    Mark("a street or station", marks.street, {Kind.COMMUNE: -7.0, Kind.AREA: -3.5}),
    Mark("a product", marks.product, {Kind.COMMUNE: -6.0, Kind.AREA: -5.0}),
    Mark("a title", marks.title, {Kind.COMMUNE: -6.0, Kind.AREA: -3.0, Kind.PEOPLE: -2.0}),
    Mark(
        "after a first name",
        marks.after_forename,
        {Kind.COMMUNE: -6.0, Kind.AREA: -4.0, Kind.PEOPLE: -4.0},
    ),
    Mark("of a first name", marks.of_forename, {Kind.COMMUNE: -2.0}),
    Mark(
        "behind another capital",
        marks.behind_capital,
        {Kind.COMMUNE: -2.0, Kind.AREA: -1.0, Kind.PEOPLE: -1.0},
    ),
    Mark("behind an opening capital", marks.behind_opening, {Kind.COMMUNE: -1.0}),
    Mark("before another capital", marks.before_capital, {Kind.COMMUNE: -2.0, Kind.AREA: -1.0}),
    Mark("a club", marks.club, {Kind.COMMUNE: -7.0, Kind.AREA: -7.0, Kind.PEOPLE: -7.0}),
    Mark("of a club", marks.of_a_club, {Kind.COMMUNE: -5.0, Kind.AREA: -3.0}, is_context=True),
    Mark("a match or a line", marks.paired, {Kind.COMMUNE: -3.5}),
    Mark("a headline", marks.headline, {Kind.COMMUNE: 2.0, Kind.AREA: 1.5}),
    Mark("in brackets", marks.in_brackets, {Kind.AREA: 3.0}),
    Mark("in a list of places", marks.listed, {Kind.COMMUNE: 1.0, Kind.AREA: 0.5}),
    Mark("a date, an hour or a count", marks.counted, {Kind.NUMBER: -6.0}),
    Mark("goes on", marks.goes_on, {Kind.HERE: -4.0}),
    # what stands near
    Mark(
        "near civic words",
        marks.near_civic,
        {Kind.COMMUNE: 1.5, Kind.AREA: 1.0, Kind.PEOPLE: 1.0},
        is_context=True,
    ),
    Mark(
        "among civic words",
        marks.among_civic,
        {Kind.COMMUNE: 0.5, Kind.AREA: 0.5, Kind.PEOPLE: 0.5},
        is_context=True,
    ),
    Mark("after civic words", marks.after_civic, {Kind.PEOPLE: 3.0}, is_context=True),
    Mark(
        "near sport",
        marks.near_sport,
        {Kind.COMMUNE: -2.5, Kind.AREA: -1.5, Kind.PEOPLE: -3.0},
        is_context=True,
    ),
    Mark(
        "a score",
        marks.near_score,
        {Kind.COMMUNE: -4.5, Kind.AREA: -1.0, Kind.PEOPLE: -2.0},
        is_context=True,
    ),
    Mark("a country near", marks.near_country, {Kind.COMMUNE: -4.0}, is_context=True),
    Mark("a country beside", marks.beside_country, {Kind.COMMUNE: -7.0}, is_context=True),
    Mark("water near", marks.near_water, {Kind.AREA: -3.0}, is_context=True),
    Mark("a journey", marks.journey, {Kind.COMMUNE: 4.0}, is_context=True),
    Mark("opens an English sentence", marks.opens_english, {Kind.COMMUNE: -4.0}),
    Mark("what an English sentence is about", marks.english_topic, {Kind.COMMUNE: 6.0}),
)


@cache
def _weights() -> Weights:
    """(kinds, marks) float32."""
    return np.array([[mark.weights.get(kind, 0.0) for mark in MARKS] for kind in Kind], np.float32)


@dataclass(frozen=True, slots=True)
class Found:
    """The names of a batch, a row each, in the order of the text.

    `sense` is the place of the sense in `Names.senses`; a name with two senses has two rows.
    `marks` is (names, marks) bool, those that weigh; `score` is the sum of their weights.
    """

    first: Places
    last: Places
    row: Places
    sense: Places
    marks: Marks
    score: Weights

    def why(self, at: int) -> tuple[str, ...]:
        """The marks of one name, as words."""
        return tuple(MARKS[column].words for column in np.flatnonzero(self.marks[at]))


def weigh(read: Read, names: Names, *, has_context: bool = True) -> Found:
    """Every name of a batch with its marks; a name inside a longer one is left out."""
    first, last, sense = _longest(*_spread(*names.find(read.hashes, read.joins), names), read)
    weights = _weights()[traits().kind[sense]]
    shown = np.zeros((len(first), len(MARKS)), np.bool_)
    if len(first):
        beside = around(read, first, last, sense)
        for column, mark in enumerate(MARKS):
            if has_context or not mark.is_context:
                shown[:, column] = mark.is_there(beside)
    shown &= weights != 0
    score = (shown * weights).sum(axis=1)
    return Found(first, last, read.row[first], sense, shown, score)


def _spread(
    first: Places, last: Places, name: Places, names: Names
) -> tuple[Places, Places, Places]:
    """A row for each sense of each name."""
    begins = names.first[name]
    counts = names.first[name + 1] - begins
    done = np.cumsum(counts) - counts
    sense = np.repeat(begins - done, counts) + np.arange(counts.sum())
    return np.repeat(first, counts), np.repeat(last, counts), sense


def _longest(
    first: Places, last: Places, sense: Places, read: Read
) -> tuple[Places, Places, Places]:
    """The names that overlap none of more words, in the order of the text.

    An article is no word: "La Creuse", a village, stands beside "Creuse" until marks decide. What
    names another thing hides names of as many words. A word for "here" hides none, and only another
    thing hides it: "d'ici".
    """
    kind = traits().kind[sense]
    is_here, is_other = kind == Kind.HERE, kind == Kind.OTHER
    size = np.where(is_here, 0, 2 * traits().size[sense] + is_other)
    longest, is_hidden = np.zeros(len(read.row), np.int64), np.zeros(len(read.row), np.bool_)
    steps = range(int((last - first).max(initial=0)) + 1)
    for step in steps:
        within = first + step <= last
        np.maximum.at(longest, first[within] + step, size[within])
        is_hidden[first[within & is_other] + step] = True
    is_kept = np.where(is_here, ~is_hidden[first], ~is_other)
    for step in steps:
        is_kept &= is_here | (longest[np.minimum(first + step, last)] <= size)
    order = np.lexsort((kind, last, first))
    order = order[is_kept[order]]
    return first[order], last[order], sense[order]
