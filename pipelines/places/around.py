"""What stands around each name of a batch: the words before, after and near, by their lists.

Words that tell something stand in the lists of `words.toml`; each list is a bit, so that one
look-up gives all lists of a word, and a running sum how many of a list stand near a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.hashing import Hashes, Marks, Places, word_hash
from pipelines.places import names
from pipelines.places.names import Kind, Sense, read
from pipelines.places.reading import (
    APOSTROPHE,
    DASH,
    HYPHEN,
    QUOTE,
    SLASH,
    SPACE,
    Bits,
    Read,
)
from pipelines.places.spelling import folded_words

Sets = NDArray[np.uint64]
Counts = NDArray[np.int64]

# Lists of words beside those of `words.toml`.
_GRAMMAR = {
    "de": "de d",
    "du": "du des",
    "of": "of",
    "a": "a",
    "en": "en",
    "dans": "dans",
    "le": "le la les l",
    "and": "et ou and or puis a",
    "quarter": "nord sud est ouest centre ville part",
    "ordinals": (
        "iie iiie ive ve vie viie viiie ixe xe xie xiie xiiie xive xve xvie xviie xviiie xixe xxe"
    ),
    "with le": "le du au",
    "with la": "la",
    "with les": "les des aux",
    "with l'": "l d",
    "a kind of area": "region departement dept dpt",
}
ARTICLES = {"le": "with le", "la": "with la", "les": "with les", "l'": "with l'"}
_LINKS = SPACE | APOSTROPHE | QUOTE | HYPHEN | SLASH  # between a word and the one it goes with
_BLOOM_BITS = 18


@cache
def _bits() -> dict[str, np.uint64]:
    """The bit of each list of words."""
    words = (name for name in read("words") if name != "english_names")
    lists = [*words, *_GRAMMAR, "forenames", "score"]
    return {name: np.uint64(1 << place) for place, name in enumerate(lists)}


def bit(*lists: str) -> np.uint64:
    """The bits of lists of words, together."""
    total = np.uint64(0)
    for name in lists:
        total |= _bits()[name]
    return total


@dataclass(frozen=True, slots=True)
class _Lists:
    """Every listed word: its hash, in order, and the lists it is in."""

    hashes: Hashes
    sets: Sets
    bloom: Marks

    def of(self, hashes: Hashes) -> Sets:
        """The lists of each word of a batch."""
        found = np.zeros(len(hashes), np.uint64)
        at = np.flatnonzero(self.bloom[hashes >> np.uint64(64 - _BLOOM_BITS)])
        place = np.searchsorted(self.hashes, hashes[at])
        place[place == len(self.hashes)] = 0
        is_known = self.hashes[place] == hashes[at]
        found[at[is_known]] = self.sets[place[is_known]]
        return found


@cache
def _lists() -> _Lists:
    by_word: dict[str, np.uint64] = {}
    words = {name: text for name, text in read("words").items() if name != "english_names"}
    for name, text in {**words, **_GRAMMAR, "forenames": " ".join(names.forenames())}.items():
        for word in text.split():
            (folded,) = folded_words(word)
            by_word[folded] = by_word.get(folded, np.uint64(0)) | bit(name)
    pairs = sorted((word_hash(word), sets) for word, sets in by_word.items())
    hashes = np.array([pair[0] for pair in pairs], np.uint64)
    bloom = np.zeros(1 << _BLOOM_BITS, np.bool_)
    bloom[hashes >> np.uint64(64 - _BLOOM_BITS)] = True
    return _Lists(hashes, np.array([pair[1] for pair in pairs], np.uint64), bloom)


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of senses, an array a trait: all of them (`traits`), or a batch's names."""

    kind: Counts
    size: Counts
    letters: Counts
    population: Counts
    far: Counts
    written: Hashes
    article: Sets
    is_word: Marks
    is_also_word: Marks
    is_person: Marks
    is_forename: Marks
    is_english: Marks
    is_water: Marks
    is_island: Marks
    is_shadowed: Marks
    has_article: Marks
    is_at: Marks
    is_of: Marks
    is_region: Marks

    def of(self, sense: Places) -> Traits:
        """The traits of these senses."""
        return Traits(**{each.name: getattr(self, each.name)[sense] for each in fields(self)})


@cache
def traits() -> Traits:
    """The traits of every sense."""
    senses = names.names().senses
    areas = {sense.words for sense in senses if sense.kind == Kind.AREA}
    return Traits(
        kind=np.array([s.kind for s in senses]),
        size=np.array([_size(s) for s in senses]),
        letters=np.array([sum(map(len, s.words)) for s in senses]),
        population=np.array([s.population for s in senses]),
        far=np.array([s.far for s in senses]),
        written=np.array([word_hash(s.written) if s.written else 0 for s in senses], np.uint64),
        article=np.array([_article(s) for s in senses], np.uint64),
        is_word=np.array([s.use == "word" for s in senses]),
        is_also_word=np.array([s.use == "also_word" for s in senses]),
        is_person=np.array([s.use == "person" for s in senses]),
        is_forename=np.array([s.is_forename for s in senses]),
        is_english=np.array([s.is_english for s in senses]),
        is_water=np.array([s.is_water for s in senses]),
        is_island=np.array([s.is_island for s in senses]),
        is_shadowed=np.array(
            [
                _has_article(s)
                and not areas.isdisjoint((s.words, s.words[1:]))
                and s.kind == Kind.COMMUNE
                for s in senses
            ]
        ),
        has_article=np.array([_has_article(s) for s in senses]),
        is_at=np.array([s.words[0] in ("au", "aux") for s in senses]),
        is_of=np.array([s.words[0] in ("du", "des") for s in senses]),
        is_region=np.array([s.codes[:1] != () and s.codes[0].startswith("region") for s in senses]),
    )


def _has_article(sense: Sense) -> bool:
    return len(sense.words) > 1 and sense.words[0] in ("le", "la", "les", "l")


def _size(sense: Sense) -> int:
    """How many words a name has, its article left out."""
    has_article = sense.words[0] in ("le", "la", "les", "l", "au", "du", "aux", "des")
    return len(sense.words) - (has_article and len(sense.words) > 1)


def _article(sense: Sense) -> np.uint64:
    if sense.article == "any":
        return bit(*ARTICLES.values())
    return bit(ARTICLES[sense.article]) if sense.article else np.uint64(0)


@dataclass(frozen=True, slots=True)
class Around:
    """The names of a batch and the words around them; every array has a row a name.

    `first` and `last` are the places of a name's words in `read`, `own` what is known of its sense.
    `sets` holds the lists of every word of the batch; `starts_at` and `ends_at` tell
    where a commune's or an area's name starts and ends.
    """

    read: Read
    first: Places
    last: Places
    own: Traits
    sets: Sets
    is_english: Marks
    starts_at: Marks
    ends_at: Marks
    _sums: dict[np.uint64, Counts] = field(default_factory=dict)

    def before(self, steps: int, *, is_linked: bool = True) -> Sets:
        """The lists of the word so many before the name, none beyond its sentence or comma."""
        at, is_there = self.place_before(steps, is_linked=is_linked)
        return np.where(is_there, self.sets[at], np.uint64(0))

    def after(self, steps: int) -> Sets:
        """The lists of the word so many after the name, none beyond a comma or a sentence."""
        at, is_there = self.place_after(steps)
        return np.where(is_there, self.sets[at], np.uint64(0))

    def place_before(self, steps: int, *, is_linked: bool = True) -> tuple[Places, Marks]:
        """The place of the word so many before the name, and whether there is one."""
        at = self.first - steps
        is_there = at >= self.read.first[self.read.row[self.first]]
        for step in range(steps if is_linked else 0):
            gap = self.read.before[np.maximum(self.first - step, 0)]
            is_there &= (gap & ~np.uint16(_LINKS)) == 0
        return np.maximum(at, 0), is_there

    def place_after(self, steps: int, *, is_linked: bool = True) -> tuple[Places, Marks]:
        """The place of the word so many after the name, and whether there is one."""
        at = self.last + steps
        is_there = at <= self.read.last[self.read.row[self.first]]
        at = np.minimum(at, len(self.read.before) - 1)
        for step in range(1, 1 + (steps if is_linked else 0)):
            gap = self.read.before[np.minimum(self.last + step, len(self.read.before) - 1)]
            is_there &= (gap & ~np.uint16(_LINKS)) == 0
        return at, is_there

    def gap_before(self) -> Bits:
        """The bits of what stands before the name."""
        return self.read.before[self.first]

    def gap_after(self) -> Bits:
        """The bits of what stands after the name."""
        return self.read.after[self.last]

    def near(self, width: int, *lists: str, least: int = 1) -> Marks:
        """Whether so many words of these lists stand within `width` words, in the name's text."""
        sums = self._running(bit(*lists))
        row = self.read.row[self.first]
        low = np.maximum(self.first - width, self.read.first[row])
        high = np.minimum(self.last + width, self.read.last[row]) + 1
        own = sums[self.last + 1] - sums[self.first]
        is_near: Marks = sums[high] - sums[low] - own >= least
        return is_near

    def _running(self, lists: np.uint64) -> Counts:
        """How many words of these lists stand before each word of the batch."""
        sums = self._sums.get(lists)
        if sums is None:
            is_listed = (self.sets & lists) != 0
            sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_listed)])
            self._sums[lists] = sums
        return sums


def around(read_: Read, first: Places, last: Places, sense: Places) -> Around:
    """The words around the names of a batch."""
    sets = _lists().of(read_.hashes)
    sets[read_.written == np.uint64(word_hash("placé"))] = 0  # else folded to a square
    sets[_is_score(read_)] |= bit("score")
    is_place = np.isin(traits().kind[sense], (Kind.COMMUNE, Kind.AREA))
    starts_at, ends_at = np.zeros((2, len(sets)), np.bool_)
    starts_at[first[is_place]] = True
    ends_at[last[is_place]] = True
    return Around(
        read=read_,
        first=first,
        last=last,
        own=traits().of(sense),
        sets=sets,
        is_english=_is_english(read_, sets)[read_.row[first]],
        starts_at=starts_at,
        ends_at=ends_at,
    )


def _is_score(read_: Read) -> Marks:
    """Where the result of a match begins: "2-1"."""
    is_short = read_.is_digits & (read_.ends - read_.starts <= 2)
    gap = read_.before[1:]
    is_dash = ((gap & np.uint16(HYPHEN | DASH)) != 0) & (
        (gap & ~np.uint16(HYPHEN | DASH | SPACE)) == 0
    )
    found = np.zeros(len(is_short), np.bool_)
    found[:-1] = is_short[:-1] & is_short[1:] & is_dash
    return found


def _is_english(read_: Read, sets: Sets) -> Marks:
    """Whether each text has more English than French small words."""
    count = len(read_.first)
    english = np.bincount(read_.row, (sets & bit("english")) != 0, count)
    french = np.bincount(read_.row, (sets & bit("french")) != 0, count)
    return english > french
