"""Every name that a text may give a place, and what each may mean.

A *sense* is one meaning of a name: a commune (any of those that bear it), an area (department or
region), the inhabitants of one, the number of a department, a word for "here", or another thing
whose name holds a place's and hides it ("Nice-Matin"). Names are kept as a tree of hashes, a
level a word, so that all words of a batch are looked up at once.

Cost: 0.8 s and 40 MB, once a process.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.hashing import Hashes, Marks, Places, word_hash
from models.text import impartial_words
from pipelines.places import gazetteer
from pipelines.places.spelling import folded_words


class Kind(IntEnum):
    """What a name means; the order decides between two senses that are as sure."""

    COMMUNE = 0
    AREA = 1
    PEOPLE = 2
    NUMBER = 3
    HERE = 4
    OTHER = 5


Use = Literal["", "also_word", "word", "person"]

_MIXER = np.uint64(0xD6E8FEB86659FD93)
_BLOOM_BITS = 20
_FULL = {"le": ("au", "du"), "les": ("aux", "des")}  # what an article becomes after à and de
_HERE = {
    "commune": ("la ville", "notre ville", "la commune", "notre commune", "la municipalité"),
    "departement": ("le département", "notre département", "la préfecture"),
    "region": ("la région", "notre région"),
    "": ("ici",),
}
# Endings of the masculine singular, and those of the other forms.
_FORMS = {
    "eau": ("elle", "eaux", "elles"), "ais": ("aise", "aises"), "ois": ("oise", "oises"),
    "ien": ("ienne", "iens", "iennes"), "éen": ("éenne", "éens", "éennes"),
    "on": ("onne", "ons", "onnes"), "in": ("ine", "ins", "ines"), "ain": ("aine", "ains", "aines"),
    "an": ("ane", "ans", "anes"), "at": ("ate", "ats", "ates"), "er": ("ère", "ers", "ères"),
    "ard": ("arde", "ards", "ardes"), "aud": ("aude", "auds", "audes"),
    "and": ("ande", "ands", "andes"), "iste": ("istes",), "ot": ("ote", "ots", "otes"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """One meaning of a name: its kind, and the places it may be.

    `words` are folded, `written` is the name in small letters with its accents, none where it is
    several words. `article` is what stands before an area: le, la, les, l' or any. `far` tells
    of a place abroad: 0 none, 1 less known, 2 better known. `here` is the level that a word for
    "here" means.
    """

    kind: Kind
    words: tuple[str, ...]
    codes: tuple[str, ...] = ()
    written: str | None = None
    population: int = 0
    use: str = ""
    article: str = ""
    is_water: bool = False
    is_island: bool = False
    is_forename: bool = False
    is_english: bool = False
    far: int = 0
    here: str = ""


@dataclass(frozen=True, slots=True)
class _Level:
    """The beginnings of names with a number of words: hashes in order, names, and longer ones."""

    hashes: Hashes
    name: Places
    is_longer: Marks


@dataclass(frozen=True, slots=True)
class Names:
    """Every name as a tree of hashes, and its senses.

    The senses of name `n` are `senses[first[n] : first[n + 1]]`. `squashed` gives a name of several
    words by its letters alone ("saintetienne").
    """

    senses: tuple[Sense, ...]
    first: Places
    squashed: Mapping[str, str]
    levels: tuple[_Level, ...]
    bloom: Marks

    def spelt(self, tag: str) -> str | None:
        """The name of several words that a hashtag spells, or none."""
        return self.squashed.get("".join(folded_words(tag)))

    def find(self, hashes: Hashes, joins: Marks) -> tuple[Places, Places, Places]:
        """First word, last word and name of every name in a batch, longer and shorter alike."""
        at = np.flatnonzero(self.bloom[hashes >> np.uint64(64 - _BLOOM_BITS)])
        begun = hashes[at]
        found: list[tuple[Places, Places, Places]] = []
        for size, level in enumerate(self.levels, start=1):
            place = np.searchsorted(level.hashes, begun)
            place[place == len(level.hashes)] = 0
            is_known = level.hashes[place] == begun
            at, begun, place = at[is_known], begun[is_known], place[is_known]
            is_name = level.name[place] >= 0
            found.append((at[is_name], at[is_name] + size - 1, level.name[place][is_name]))
            goes_on = level.is_longer[place] & joins[at + size - 1]
            at, begun = at[goes_on], begun[goes_on]
            begun = begun * _MIXER + hashes[at + size]
        first, last, name = (np.concatenate(part) for part in zip(*found, strict=True))
        return first, last, name


@cache
def names() -> Names:
    """Every name of the gazetteer and of the lists beside it."""
    by_words: dict[tuple[str, ...], list[Sense]] = defaultdict(list)
    for sense in _senses():
        if sense.words:
            by_words[sense.words].append(sense)
    ordered = sorted(by_words)
    counts = [len(by_words[words]) for words in ordered]
    levels = _levels(ordered)
    return Names(
        senses=tuple(sense for words in ordered for sense in by_words[words]),
        first=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        squashed=_squashed(by_words),
        levels=levels,
        bloom=_bloom(levels[0].hashes),
    )


def _senses() -> Iterator[Sense]:
    lists = read("names")
    yield from _communes(lists)
    areas = list(_areas(lists))
    yield from areas
    yield from _people({area.words for area in areas})
    yield from _numbers()
    for level, phrases in _HERE.items():
        for phrase in phrases:
            yield Sense(kind=Kind.HERE, words=tuple(folded_words(phrase)), here=level)
    for phrases in read("others").values():
        for phrase in phrases:
            yield Sense(kind=Kind.OTHER, words=tuple(folded_words(phrase)))


def read(name: str) -> dict[str, Any]:
    """One of the lists beside this module."""
    text = (files("pipelines.places") / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(slots=True)
class _Borne:
    """A commune's name while its bearers are gathered."""

    codes: list[str] = field(default_factory=list)
    population: int = 0
    use: str = ""
    written: str = ""


def _communes(lists: Mapping[str, Any]) -> Iterator[Sense]:
    borne: dict[tuple[str, ...], _Borne] = defaultdict(_Borne)
    for name, code, population, use in _commune_names(lists):
        of = borne[tuple(folded_words(name))]
        if code not in of.codes:
            of.codes.append(code)
        of.population = max(of.population, population)
        of.use = of.use or use
        of.written = of.written or name.lower()
    far = {
        tuple(folded_words(name)): rank
        for rank, key in ((1, "second"), (2, "first"))
        for name in read("abroad")[key]
    }
    english = frozenset(read("words")["english_names"].split())
    named = forenames()
    for words, of in borne.items():
        if words == ("les",):  # Lez, which nobody could tell from the article
            continue
        for variant in _variants(words):
            yield Sense(
                kind=Kind.COMMUNE,
                words=variant,
                codes=tuple(of.codes),
                written=of.written if len(words) == 1 else None,
                population=of.population,
                use=of.use,
                is_forename=words[-1] in named and len(words) <= 1 + (words[0] in _FULL),
                is_english=words[0] in english and len(words) == 1,
                far=far.get(words, 0),
            )


def _commune_names(lists: Mapping[str, Any]) -> Iterator[tuple[str, str, int, str]]:
    """Name, code, inhabitants and use of every commune, merged ones and short names included."""
    for code, name, population, use in gazetteer.names("commune"):
        yield name.partition(" (")[0], code, population, use
    for insee, short in lists["communes"].items():
        code = f"commune:{insee}"
        for name in short:
            yield name, code, gazetteer.place(code).population, ""


def _variants(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A name as it is written: "au Mans" and "du Mans" beside "le Mans", "s/" for "sur".

    One of several words goes without its article too: "Pont-de-Beauvoisin".
    """
    found = [words]
    if len(words) > 1:
        found += [(form, *words[1:]) for form in _FULL.get(words[0], ())]
    if len(words) > 2 and words[0] in ("le", "la", "les", "l"):
        found.append(words[1:])
    short = tuple("s" if word in ("sur", "sous") else word for word in words)
    return found if short == words else [*found, short]


def _areas(lists: Mapping[str, Any]) -> Iterator[Sense]:
    """Departments and regions; overseas, where both are one land, the department."""
    articles = {code: article for article, codes in lists["articles"].items() for code in codes}
    named = forenames()
    seen: set[tuple[str, ...]] = set()
    for code, name, use in _area_names(lists):
        insee = code.partition(":")[2]
        words = tuple(folded_words(name))
        if words in seen:
            continue
        seen.add(words)
        is_region = code.startswith("region")
        yield Sense(
            kind=Kind.AREA,
            words=words,
            codes=(code,),
            use=use,
            article="any" if is_region else articles.get(insee, ""),
            is_water=not is_region and insee in lists["water"],
            is_island=not is_region and insee in lists["islands"],
            is_forename=words[0] in named and len(words) == 1,
        )


def _area_names(lists: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Code, name and use of every department, then region, their other names after their own."""
    levels: tuple[gazetteer.Level, ...] = ("departement", "region")
    for level in levels:
        for code, name, _, use in gazetteer.names(level):
            if code != "departement:75":
                yield code, name, use
        for insee, others in lists[f"{level}s"].items():
            for name in others:
                yield f"{level}:{insee}", name, "word" if name in lists["words"] else ""


def _people(areas: set[tuple[str, ...]]) -> Iterator[Sense]:
    """Inhabitants, but where their name is that of an area: "Lorraine"."""
    for level, by_code in read("demonyms").items():
        for insee, singulars in by_code.items():
            code = f"{level.removesuffix('s')}:{insee}"
            forms = (form for singular in singulars for form in _forms(singular))
            for words in sorted({tuple(folded_words(form)) for form in forms} - areas):
                yield Sense(kind=Kind.PEOPLE, words=words, codes=(code,))


def inhabitants(code: str) -> tuple[str, ...]:
    """What the inhabitants of a place are called, in each form; () where no list says."""
    level, _, insee = code.partition(":")
    singulars = read("demonyms").get(f"{level}s", {}).get(insee, [])
    return tuple(form for singular in singulars for form in _forms(singular))


def _forms(singular: str) -> tuple[str, ...]:
    """The forms of a masculine singular: Nantais, Nantaise, Nantaises."""
    ending = max((e for e in _FORMS if singular.endswith(e)), key=len, default=None)
    if ending is None:
        return (singular, f"{singular}s")
    stem = singular.removesuffix(ending)
    return (singular, *(stem + form for form in _FORMS[ending]))


def _numbers() -> Iterator[Sense]:
    for code in gazetteer.places():
        level, _, insee = code.partition(":")
        if level == "departement":
            yield Sense(kind=Kind.NUMBER, words=(insee.lower(),), codes=(code,))


@cache
def forenames() -> frozenset[str]:
    """First names, folded."""
    words = (word for word, mark in impartial_words().items() if mark == "‹prénom›")
    named = (*words, *read("names")["forenames"])
    return frozenset(folded for word in named for folded in folded_words(word))


def _squashed(by_words: Mapping[tuple[str, ...], Iterable[Sense]]) -> dict[str, str]:
    """Names of several words by their letters, but those that are common words."""
    return {
        "".join(words): " ".join(map(str.capitalize, words))
        for words, senses in by_words.items()
        if len(words) > 1
        and any(s.kind in (Kind.COMMUNE, Kind.AREA) and s.use != "word" for s in senses)
    }


def phrase_hash(words: Iterable[str]) -> int:
    """The hash that `Names.find` gives a run of words, in plain arithmetic."""
    total = 0
    for word in words:
        total = (total * int(_MIXER) + word_hash(word)) % (1 << 64)
    return total


def _levels(ordered: list[tuple[str, ...]]) -> tuple[_Level, ...]:
    name_of = {words: name for name, words in enumerate(ordered)}
    deepest = max(map(len, ordered))
    begun = [
        sorted({words[:size] for words in ordered if len(words) >= size})
        for size in range(1, deepest + 1)
    ]
    longer = {words[:-1] for level in begun[1:] for words in level}
    return tuple(_level(level, name_of, longer) for level in begun)


def _level(
    begun: list[tuple[str, ...]],
    name_of: Mapping[tuple[str, ...], int],
    longer: set[tuple[str, ...]],
) -> _Level:
    hashes = np.array([phrase_hash(words) for words in begun], np.uint64)
    order = np.argsort(hashes)
    return _Level(
        hashes=hashes[order],
        name=np.array([name_of.get(words, -1) for words in begun], np.int64)[order],
        is_longer=np.array([words in longer for words in begun], np.bool_)[order],
    )


def _bloom(hashes: Hashes) -> NDArray[np.bool_]:
    """Which high bits the first words of names have: most words of a text are out at once."""
    marks = np.zeros(1 << _BLOOM_BITS, np.bool_)
    marks[hashes >> np.uint64(64 - _BLOOM_BITS)] = True
    return marks
