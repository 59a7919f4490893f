"""The labelled sentences (`labelled.tsv`), and how well a finder reads them.

Invented for this test. A line holds its split, the kind of case, the institution's territory, 1
where the text is about it, the codes it should give, and the text. `dev` was written as posts are,
and weights were set on it; `held_out` as headlines, letters and reviews are, before any weight,
and none was changed for it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pipelines.places import Finder, finder

Split = Literal["dev", "held_out"]


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled sentence."""

    split: str
    kind: str
    territory: str
    is_about: bool
    codes: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """How many codes were right, wrong and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The share of what was told that is right; 1 where nothing was told."""
        told = self.right + self.wrong
        return self.right / told if told else 1.0

    @property
    def recall(self) -> float:
        """The share of what should be told that was; 1 where nothing should."""
        due = self.right + self.missed
        return self.right / due if due else 1.0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)


def lines(split: str | None = None) -> list[Line]:
    """The labelled sentences, those of one half or all."""
    with Path(__file__).with_name("labelled.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Line(
                split=row["split"],
                kind=row["kind"],
                territory=row["territory"],
                is_about=row["is_about"] == "1",
                codes=frozenset(row["place_codes"].split()),
                text=row["text"],
            )
            for row in rows
            if split in (None, row["split"])
        ]


@cache
def finder_of(territory: str, has_context: bool = True) -> Finder:
    """The finder of an institution with this territory, or with none."""
    return finder((territory,) if territory else (), has_context=has_context)


def told(line: Line, *, has_context: bool = True) -> frozenset[str]:
    """The codes that are found in a sentence."""
    found = finder_of(line.territory, has_context).find([line.text], [line.is_about])
    return frozenset(found[0])


def judge(line: Line, *, has_context: bool = True) -> Score:
    """How a sentence was read."""
    found = told(line, has_context=has_context)
    return Score(
        right=len(found & line.codes),
        wrong=len(found - line.codes),
        missed=len(line.codes - found),
    )


def by_kind(judged: Iterable[Line], *, has_context: bool = True) -> dict[str, Score]:
    """The score of each kind of case, in the order of their names, and of `all`."""
    total: defaultdict[str, Score] = defaultdict(Score)
    for line in judged:
        score = judge(line, has_context=has_context)
        total[line.kind] += score
        total["all"] += score
    return dict(sorted(total.items(), key=lambda pair: (pair[0] == "all", pair[0])))
