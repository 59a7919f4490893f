"""Which communes, departments and regions a text names, as INSEE codes of the finest sure level.

    reading     texts as arrays of words
    names       what every name may mean, as a tree of hashes
    around      the words that stand around each name
    marks       observations about each name, `evidence` their weights
    choosing    homonyms, arrondissements, words for "here"
    gazetteer   the places and what they lie within; `pack` makes its file again

What a text names, never where its author is: no coordinate and no account is read. Nothing is
learnt, so that each answer has its reasons (`Finder.explain`). Figures: `tests/bench/bench_places`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.errors import PlaceUnknown
from pipelines.places import choosing, gazetteer, reading
from pipelines.places.choosing import LOWEST, Named, Territory, Text
from pipelines.places.evidence import Found, weigh
from pipelines.places.names import Names, names

__all__ = ["Finder", "Named", "check", "finder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds places in texts, as one institution would mean them; made once a run by `finder`."""

    own: Territory
    has_context: bool
    _names: Names

    def find(
        self, texts: Sequence[str], is_about: Sequence[bool] | None = None
    ) -> list[tuple[str, ...]]:
        """The place codes that each text names, sorted; () where none is sure.

        `is_about` says of each text whether it is about the institution: "la ville" is then its
        own. The same texts give the same codes in any batch.
        """
        found: list[tuple[str, ...]] = [()] * len(texts)
        for row, chosen in self._chosen(texts, is_about, lowest=LOWEST):
            found[row] = choosing.codes(chosen)
        return found

    def explain(self, text: str, *, is_about: bool = False) -> list[Named]:
        """Every name that a text might give a place, with its marks, and its place if sure."""
        chosen = list(self._chosen([text], [is_about], lowest=-np.inf))
        return chosen[0][1] if chosen else []

    def _chosen(
        self, texts: Sequence[str], is_about: Sequence[bool] | None, *, lowest: float
    ) -> Iterator[tuple[int, list[Named]]]:
        """The names of each text that has any worth a look, with the text's place."""
        for start, read in reading.batches(texts, self._names.spelt):
            found = weigh(read, self._names, has_context=self.has_context)
            for row, named in _by_text(found, read, self._names, lowest):
                about = is_about is not None and is_about[start + row]
                text = Text(read=read, row=row, own=self.own, is_about=about)
                yield start + row, choosing.choose(text, named)


def _by_text(
    found: Found, read: reading.Read, named: Names, lowest: float
) -> Iterator[tuple[int, list[Named]]]:
    """The names worth a look, text by text."""
    at = np.flatnonzero(found.score > lowest)
    rows = found.row[at]
    for part in np.split(at, np.flatnonzero(np.diff(rows)) + 1) if len(at) else ():
        yield int(found.row[part[0]]), [_named(found, read, named, place) for place in part]


def _named(found: Found, read: reading.Read, named: Names, at: int) -> Named:
    sense = named.senses[found.sense[at]]
    first, last = int(found.first[at]), int(found.last[at])
    return Named(
        words=read.between(first, last),
        first=first,
        last=last,
        kind=sense.kind,
        codes=sense.codes,
        score=float(found.score[at]),
        why=found.why(at),
        here=sense.here,
    )


def check(codes: Sequence[str], *, where: str = "[institution], territory") -> None:
    """Raise PlaceUnknown with the remedy where a code of the settings is no place."""
    for code in codes:
        try:
            gazetteer.place(code)
        except PlaceUnknown as error:
            raise PlaceUnknown(f"vigie.toml, {where}: {error}") from error


def finder(territory: Sequence[str] = (), *, has_context: bool = True) -> Finder:
    """The finder of an institution; `territory` holds its own place codes.

    Without `has_context` the words around a name are not read, only how it stands: to measure
    what they bring. Raises PlaceUnknown where a code is no place.
    """
    own = choosing.territory(territory)
    return Finder(own=own, has_context=has_context, _names=names())
