"""Which places a text names, once every name has its marks: homonyms, and what stands together.

A name above 0 is a place. Of the communes that bear it, these are left, in this order: those whose
department or region is named, or whose postal code stands beside; the institution's own; those of
its department; those of a department that another sure commune is of; the one that is far larger
than all others together; those of the institution's region. If several are left, the finest area
that holds all of them is sure, if there is one.

Works a text at a time, on the few names that are worth it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from pipelines.places import gazetteer
from pipelines.places.gazetteer import lies_within, place, rolled_up
from pipelines.places.names import Kind
from pipelines.places.reading import SPACE, Read
from pipelines.places.spelling import folded_words

LOWEST = -5.0  # a score that what follows can hardly lift above 0
FAR_LARGER = 8.0  # times all namesakes together that a commune is to be the one that is meant
NAMESAKES = 6  # of a name that more bear ("Saint-Paul"), even the largest is not the one meant
KNOWN = 10_000  # inhabitants; of smaller namesakes none is better known
ADJOINED = 3  # words: "Montréal (Gers)", "Montréal, dans le Gers"
QUARTER_REACH = 4  # words between a city and "3e arrondissement", where two cities are named
SURE_BY = 1.0  # how much better one sense of a name must be than another to be the one

_POSTAL = re.compile(r"(?:0[1-9]|[1-8]\d|9[0-5]|97)\d{3}")
_ORDINAL = re.compile(r"(?:(\d{1,2})|([ivx]+))(?:er|e|eme|ere)")
_ROMAN = (
    "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x",
    "xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii", "xviii", "xix", "xx",
)  # fmt: skip
_QUARTERS = {  # city: the INSEE codes of its arrondissements from their number, its postal codes
    "commune:75056": ("arrondissement:751{:02}", "750"),
    "commune:69123": ("arrondissement:6938{}", "6900"),
    "commune:13055": ("arrondissement:132{:02}", "130"),
}
_QUARTER_WORDS = frozenset(("arrondissement", "arr", "arrdt", "ardt"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One name in a text: what it is taken for, and why.

    `first` and `last` are its words in the batch. `codes` are the places that bear the name,
    `code` the one that is sure, None where there is none. `why` are its marks, then what told its
    namesakes apart.
    """

    words: str
    first: int
    last: int
    kind: Kind
    codes: tuple[str, ...]
    score: float
    why: tuple[str, ...]
    here: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """The institution's own places, and every place that they lie within, themselves included."""

    codes: tuple[str, ...]
    wider: frozenset[str]

    def level(self, level: str) -> frozenset[str]:
        """The places of a level that the territory is or lies within."""
        return frozenset(code for code in self.wider if code.startswith(f"{level}:"))

    def of(self, level: str) -> str | None:
        """The one place of a level, or of its own where none is given; None if there are more."""
        found = self.level(level) if level else frozenset(self.codes)
        return next(iter(found)) if len(found) == 1 else None

    def holds(self, code: str) -> bool:
        """Whether a place is within the territory, or holds it."""
        return code in self.wider or not self.wider.isdisjoint(
            set(rolled_up(code)) & set(self.codes)
        )


def territory(codes: Iterable[str]) -> Territory:
    """An institution's territory; PlaceUnknown where a code is no place."""
    own = tuple(codes)
    return Territory(codes=own, wider=frozenset(up for code in own for up in rolled_up(code)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text of a batch, the institution's territory, and whether it is about it."""

    read: Read
    row: int
    own: Territory
    is_about: bool


def choose(text: Text, named: Sequence[Named]) -> list[Named]:
    """The names of a text, in its order, each with its place or none."""
    areas = frozenset(_areas(named))
    once = [_settled(name, text, areas, frozenset()) for name in named]
    beside = frozenset(up for n in once if n.kind == Kind.COMMUNE for up in _departement(n.code))
    twice = [_settled(n, text, areas, beside) if beside and not n.code else n for n in once]
    single = _one_sense(twice)
    is_alone = len({name.code for name in single if name.code in _QUARTERS}) == 1
    narrowed = [part for name in single for part in _quarters(name, text.read, is_alone)]
    return list(_here(narrowed, text))


def _departement(code: str | None) -> tuple[str, ...]:
    ups = rolled_up(code) if code else ()
    return tuple(up for up in ups if up.startswith("departement:"))


def codes(chosen: Iterable[Named]) -> tuple[str, ...]:
    """The finest places that a text names, sorted."""
    return gazetteer.finest(frozenset(name.code for name in chosen if name.code))


Areas = frozenset[tuple[str, int]]  # code, and the first word that names it


def _areas(named: Sequence[Named]) -> Iterator[tuple[str, int]]:
    """The areas that a text names, and the number of a department behind a commune."""
    worthy = [name for name in named if name.score > LOWEST]
    ends = {name.last for name in worthy if name.kind == Kind.COMMUNE}
    for name in worthy:
        is_behind = name.kind == Kind.NUMBER and name.first - 1 in ends
        if is_behind or (name.kind in (Kind.AREA, Kind.NUMBER) and name.score > 0):
            yield name.codes[0], name.first


def _settled(name: Named, text: Text, areas: Areas, beside: frozenset[str]) -> Named:
    """A name with its place, if one is sure."""
    if name.kind == Kind.HERE or name.score <= LOWEST:
        return name
    if name.kind != Kind.COMMUNE:
        return replace(name, code=name.codes[0] if name.score > 0 else None)
    left, why, bonus = _told_apart(name, text, areas, beside)
    score = name.score + bonus
    code = _sure(left) if score > 0 else None
    return replace(name, code=code, score=score, why=(*name.why, *why)) if code else name


@dataclass(frozen=True, slots=True)
class _Test:
    """What may tell namesakes apart: in words, what it adds, and the areas that keep a commune.

    One that `yields` to fame keeps nobody where a far larger namesake would go.
    """

    words: str
    weight: float
    areas: frozenset[str]
    yields: bool = True
    is_own: bool = False


def _told_apart(
    name: Named, text: Text, areas: Areas, beside: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    """The communes that a name may still be, what told them apart, and what that adds."""
    left, why, bonus = name.codes, [], 0.0
    is_small = "small letters" in name.why  # "à l'hôpital" is no town because its area is named
    for test in _tests(name, text, areas, beside):
        if not test.areas:
            continue
        kept = tuple(code for code in left if not test.areas.isdisjoint(rolled_up(code)))
        largest = _far_larger(left)
        if kept and not (test.yields and largest and largest not in kept):
            is_lifted = not is_small or (test.is_own and text.is_about)
            left, bonus = kept, bonus + is_lifted * test.weight
            why.append(test.words)
    largest = _far_larger(left)
    if largest:
        return (largest,), (*why, "far larger than its namesakes"), bonus
    return left, tuple(why), bonus


def _tests(name: Named, text: Text, areas: Areas, beside: frozenset[str]) -> Iterator[_Test]:
    own = text.own
    said = frozenset(code for code, first in areas if first != name.first)
    adjoined = frozenset(code for code, first in areas if 0 < first - name.last <= ADJOINED)
    postal = frozenset(_postal_areas(name, text.read))
    yield _Test("its department or region is named", 3.0, said, yields=False)
    yield _Test("right behind its name", 1.5, adjoined, yields=False)
    yield _Test("its postal code stands beside", 3.0, postal, yields=False)
    mine = own.level("commune")
    yield _Test("the institution's own", 3.0, mine, yields=False, is_own=True)
    near = own.level("departement")
    yield _Test("in the institution's department", 1.5, near, yields=not text.is_about)
    yield _Test("near another town that is named", 1.0, beside)
    yield _Test("in the institution's region", 0.5, own.level("region"))


@lru_cache(maxsize=10_000)
def _far_larger(left: tuple[str, ...]) -> str | None:
    """The commune that is far larger than all others together, if one is and they are few.

    None overseas: of its mainland namesakes, someone on the mainland means the nearest.
    """
    if not 1 < len(left) <= NAMESAKES:
        return None
    *others, (most, largest) = sorted((place(code).population, code) for code in left)
    is_far = most >= KNOWN and most >= FAR_LARGER * sum(count for count, _ in others)
    is_overseas = largest.startswith("commune:97")
    return largest if is_far and not is_overseas else None


def _sure(left: Sequence[str]) -> str | None:
    """The only commune left, else the finest area that holds all that are."""
    if len(left) == 1:
        return left[0]
    shared = (up for up in rolled_up(left[0])[1:] if all(lies_within(c, up) for c in left))
    return next(shared, None)


def _postal_areas(name: Named, read: Read) -> Iterator[str]:
    """The department of a postal code beside a name; Corsica's two share 20."""
    for word in _beside(name, read):
        if _POSTAL.fullmatch(word):
            insee = word[:3] if word.startswith("97") else word[:2]
            for each in ("2A", "2B") if insee == "20" else (insee,):
                yield f"departement:{each}"


def _beside(name: Named, read: Read) -> Iterator[str]:
    """The words before and after a name, in its text."""
    for at in (name.first - 1, name.last + 1):
        if 0 <= at < len(read.row) and read.row[at] == read.row[name.first]:
            yield read.word(at)


def _one_sense(named: Sequence[Named]) -> list[Named]:
    """The names with at most one sense each: the better one, the area where it holds the other."""
    kept: list[Named] = []
    for name in named:
        other = (
            kept[-1] if kept and name.first <= kept[-1].last and name.kind != Kind.HERE else None
        )
        if other is None or other.kind == Kind.HERE or not (other.code and name.code):
            kept.append(name)
            continue
        finer, wider = sorted((other, name), key=lambda each: each.kind)
        is_close = abs(other.score - name.score) < SURE_BY
        better = max((finer, wider), key=lambda each: each.score)
        if is_close:
            is_held = lies_within(finer.code or "", wider.code or "")
            better = wider if is_held else replace(wider, code=None)
        kept[-1] = better
    return kept


def _quarters(name: Named, read: Read, is_alone: bool) -> Iterator[Named]:
    """The arrondissements that a text names of a city, else the city.

    Where it `is_alone`, "3e arrondissement" is its own wherever it stands.
    """
    city = name.code if name.kind == Kind.COMMUNE and name.code in _QUARTERS else None
    if city is None:
        yield name
        return
    pattern, postal = _QUARTERS[city]
    numbers = _numbers_beside(name, read, postal) | _numbers_of_quarters(name, read, is_alone)
    quarters = [pattern.format(number) for number in sorted(numbers - {0})]
    known = [code for code in quarters if code in gazetteer.places()]
    if not known:
        yield name
    for code in known:
        yield replace(name, code=code, why=(*name.why, "its arrondissement is named"))


def _numbers_beside(name: Named, read: Read, postal: str) -> set[int]:
    """The numbers right beside a city: "Lyon 7e", "75019 Paris"; 0 for another word."""
    found = set()
    after = name.last + 1
    if read.after[name.last] == SPACE and after <= read.last[read.row[name.last]]:
        found.add(_ordinal(read.word(after)))
    for word in _beside(name, read):
        if _POSTAL.fullmatch(word) and word.startswith(postal):
            found.add(int(word[len(postal) :]))
    return found


def _numbers_of_quarters(name: Named, read: Read, is_alone: bool) -> set[int]:
    """The numbers of arrondissements and of their town halls, in the text or near the city."""
    row = int(read.row[name.first])
    first, last = int(read.first[row]), int(read.last[row])
    if not is_alone:
        first, last = max(first, name.first - QUARTER_REACH), min(last, name.last + QUARTER_REACH)
    words = [read.word(at).lower() for at in range(first, last + 1)]
    halls = zip(words, words[1:], words[2:], strict=False)
    found = {_ordinal(number) for hall, of, number in halls if (hall, of) == ("mairie", "du")}
    return found | {_ordinal(n) for n, word in pairwise(words) if word in _QUARTER_WORDS}


def _ordinal(word: str) -> int:
    """The number of "7e", "1er" or "XVe", 0 for another word."""
    found = _ORDINAL.fullmatch((folded_words(word) or [""])[0])
    if not found:
        return 0
    if found[1]:
        return int(found[1])
    return _ROMAN.index(found[2]) + 1 if found[2] in _ROMAN else 0


def _here(named: Sequence[Named], text: Text) -> Iterator[Named]:
    """The names, words for "here" with the institution's own place.

    Only where the text is about it, and names no place elsewhere that "la ville" could be.
    """
    own = text.own
    is_own = text.is_about and all(
        own.holds(name.code) for name in named if name.kind != Kind.HERE and name.code
    )
    for name in named:
        code = own.of(name.here) if name.kind == Kind.HERE and is_own and name.score > 0 else None
        yield replace(name, code=code, why=(*name.why, "about the institution")) if code else name
