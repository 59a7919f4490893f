"""Posts labelled with whether an institution would want them (`subjects_labelled.tsv`).

Invented for this test. A line holds its split, the institution that it is tried for, the kind of
case, 1 where its communications director would want the post, and the text. The half `held_out`
was written before anything was tuned on `dev`, and nothing was tuned on it.

Each institution is watched as `vigie init` proposes it, or as a variant of that.
"""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pipelines import init, query_match, subjects
from pipelines.places import Finder, finder
from pipelines.settings import Institution, Subject
from tests.pipelines.places.labelled import Score

# The institution's name, its kind, and its bare name.
INSTITUTIONS = {
    "nice": ("Ville de Nice", "commune", "Nice"),
    "tours": ("Ville de Tours", "commune", "Tours"),
    "sens": ("Ville de Sens", "commune", "Sens"),
    "lens": ("Ville de Lens", "commune", "Lens"),
    "brest": ("Ville de Brest", "commune", "Brest"),
    "loches": ("Ville de Loches", "commune", "Loches"),
    "manche": ("Département de la Manche", "departement", "Manche"),
    "bretagne": ("Région Bretagne", "region", "Bretagne"),
    "gard": ("Préfecture du Gard", "prefecture", "Gard"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled post."""

    split: str
    institution: str
    kind: str
    is_wanted: bool
    text: str


@dataclass(frozen=True, slots=True)
class Watched:
    """An institution with what reads posts for it."""

    matcher: subjects.Matcher
    finder: Finder

    def find(self, texts: list[str]) -> list[bool]:
        """Whether each text names the subject, in the steps of `normalise`."""
        documents = [query_match.document(text) for text in texts]
        about = [bool(found.subject_ids) for found in self.matcher.find(documents)]
        places = zip(documents, self.finder.find(texts, about), strict=True)
        placed = [replace(document, place_codes=codes) for document, codes in places]
        return [bool(found.subject_ids) for found in self.matcher.find(placed)]


Variant = Callable[[str], Watched]


def lines(split: str | None = None) -> list[Line]:
    """The labelled posts, those of one half or all."""
    path = Path(__file__).with_suffix(".tsv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Line(
                split=row["split"],
                institution=row["institution"],
                kind=row["kind"],
                is_wanted=row["is_wanted"] == "1",
                text=row["text"],
            )
            for row in rows
            if split in (None, row["split"])
        ]


def proposed(institution: str) -> tuple[Institution, Subject]:
    """The institution and its subject as `vigie init` writes them."""
    name, kind, _ = INSTITUTIONS[institution]
    told = tomllib.loads(init.render({"name": name, "kind": kind}))
    (subject,) = told["subjects"]
    return Institution(**told["institution"]), Subject(**subject)


@cache
def bare(institution: str) -> Watched:
    """The bare name, wherever it stands."""
    who, subject = proposed(institution)
    names = {
        "names": (INSTITUTIONS[institution][2],),
        "ambiguous": (),
        "exclude": (),
        "hashtags": (),
    }
    return _watched(who, subject.model_copy(update=names))


@cache
def without_places(institution: str) -> Watched:
    """What init proposes, without its places: words of context alone."""
    who, subject = proposed(institution)
    return _watched(who, subject.model_copy(update={"places": ()}))


@cache
def without_context(institution: str) -> Watched:
    """What init proposes, without its words of context: places alone."""
    who, subject = proposed(institution)
    return _watched(who, subject.model_copy(update={"context": ()}))


@cache
def names_alone(institution: str) -> Watched:
    """What init proposes, without either: names and hashtags that say the institution alone."""
    who, subject = proposed(institution)
    return _watched(who, subject.model_copy(update={"context": (), "places": ()}))


@cache
def whole(institution: str) -> Watched:
    """What init proposes."""
    return _watched(*proposed(institution))


VARIANTS: dict[str, Variant] = {
    "bare name": bare,
    "names alone": names_alone,
    "and context": without_places,
    "and places": without_context,
    "all of it": whole,
}


def _watched(who: Institution, subject: Subject) -> Watched:
    return Watched(matcher=subjects.matcher((subject,), who), finder=finder(who.territory))


def told(judged: Iterable[Line], variant: Variant) -> list[tuple[Line, bool]]:
    """Each post with whether it was found."""
    by_institution: defaultdict[str, list[Line]] = defaultdict(list)
    for line in judged:
        by_institution[line.institution].append(line)
    return [
        (line, is_found)
        for institution, held in by_institution.items()
        for line, is_found in zip(
            held, variant(institution).find([line.text for line in held]), strict=True
        )
    ]


def scores(judged: Iterable[Line], variant: Variant, by: str) -> dict[str, Score]:
    """The score by institution or by kind of case, and of `all`."""
    total: defaultdict[str, Score] = defaultdict(Score)
    for line, is_found in told(judged, variant):
        score = Score(
            right=int(is_found and line.is_wanted),
            wrong=int(is_found and not line.is_wanted),
            missed=int(line.is_wanted and not is_found),
        )
        total[getattr(line, by)] += score
        total["all"] += score
    return dict(sorted(total.items(), key=lambda pair: (pair[0] == "all", pair[0])))
