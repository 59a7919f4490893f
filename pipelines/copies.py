"""Groups of near-copies: one message said many times, never a claim beside its negation.

Two texts are copies when they share most of their three-word runs *and* agree on what turns a
meaning round: negation, numbers, and opposite words (`ouvert`, `fermé`). The agreement is part of
the bucket's key, so that no chain of small changes can lead from a claim to its denial.

MinHash with locality-sensitive hashing (Broder, 1997; Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, chapter 3, mmds.org, read 2026-11-20): 10 bands of 3 values find a pair that
shares 70 % of its runs 985 times in 1,000. Each member is compared with a few representatives of
its bucket, so the cost grows with the number of texts: 100,000 posts in about 6 s on one core.

Known gaps: a paraphrase is another message; a text of fewer than six words has copies only word
for word; opposites are a short list, French and English.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt

RUN_WORDS = 3
SHORT_WORDS = 6
FEW_RUNS = 12
SHARED = 0.6  # of the runs of both; one word changed in a post of 25 leaves 0.77
SHARED_SHORT = 0.75  # up to `FEW_RUNS` runs: there a changed name is another message
BANDS, ROWS = 10, 3
_REPRESENTATIVES = 4
_CHUNK = 20_000  # texts; bounds the memory of the hashes at about 100 MB
_PRIME = np.uint64((1 << 31) - 1)
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)

_LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
_TAG = re.compile(r"\[[\w-]{1,20}\]|@\S+")  # what masking left
_WORD = re.compile(r"\w+")
_NOISE = {"rt", "via", "cc"}

# What people put before and after a message, and is none of it. Nothing that says whose word it
# is, denies or doubts: "selon le préfet" and "c'est faux" stay.
_OPENERS = (
    "pour info(?:rmation)?|bonjour|bonsoir|salut|coucou|bon|franchement|honn[êe]tement|au fait"
    "|s[ée]rieusement|s[ée]rieux|petit message|petite info|du coup|fyi|hello|hi all|hey|honestly"
    "|seriously|breaking|just in"
)
_CLOSERS = (
    "[àa] suivre|partage[rz]|faites tourner|merci de partager|merci|svp|qui d['’]autre|ras le bol"
    "|(?:vous en|qu['’]en) pensez[- ](?:vous|quoi)|bonne soir[ée]e|bonne journ[ée]e|please share"
    "|pls rt|please rt|thank you|thanks|any thoughts"
)
_OPENING = re.compile(rf"\s*(?:{_OPENERS})\s?[,:!.…]+\s*", re.IGNORECASE)
_CLOSING = re.compile(rf"(?<=[.!?…,])\s*(?:{_CLOSERS})\W*$", re.IGNORECASE)
_END = 60  # characters within which a closing is looked for: a bound on the time of hostile texts


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that deny by themselves. `ne` counts only where none of them stands: "il a pas menti" and
# "il n'a pas menti" say the same.
_DENYING = _listed(
    "pas jamais aucun aucune aucunement ni sans non nul nulle guere nullement dementi dementie "
    "dement dementir dementent rumeur intox hoax canular faux fausse fausses "
    "no not never none nor neither without cannot false fake denied denies deny debunked hoaxes "
    "isnt arent wasnt werent dont doesnt didnt wont cant couldnt shouldnt wouldnt hasnt havent"
)
_WEAK = frozenset({"ne", "n"})
_CONTRACTED = re.compile(r"\b(\w+)n['’]t\b", re.IGNORECASE)

# Opposites, each with the side that it takes; the stems are matched from a word's beginning.
_OPPOSITES = (
    ("ouvert", "ferme"),
    ("ouvre", "fermer"),
    ("ouvrir", "fermeture"),
    ("autoris", "interdi"),
    ("maintenu", "annul"),
    ("confirm", "infirm"),
    ("augment", "baiss"),
    ("hausse", "dimin"),
    ("gratuit", "payant"),
    ("pour", "contre"),
    ("avec", "hors"),
    ("vrai", "mensong"),
    ("accept", "refus"),
    ("potable", "impropre"),
    ("securis", "danger"),
    ("present", "absent"),
    ("coupable", "innocent"),
    ("legal", "illegal"),
    ("open", "closed"),
    ("safe", "unsafe"),
    ("true", "untrue"),
    ("allow", "ban"),
    ("increas", "decreas"),
    ("free", "paid"),
    ("accepted", "reject"),
    ("guilty", "acquit"),
)
_NUMBER_WORDS = _listed(
    "zero deux trois quatre cinq six sept huit neuf dix onze douze quinze vingt trente quarante "
    "cinquante soixante cent cents mille million millions milliard milliards two three four five "
    "seven eight nine ten hundred thousand billion "
    "lundi mardi mercredi jeudi vendredi samedi dimanche "
    "monday tuesday wednesday thursday friday saturday sunday"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Near-copies: `members` are the places of its texts in what was given, the first one first."""

    members: tuple[int, ...]


def groups(texts: Sequence[str]) -> list[Group]:
    """The texts by near-copies, each text in one group, in the order of their first members.

    Pure and deterministic; linear in the number of texts.
    """
    read = _read(texts)
    parent = list(range(len(texts)))
    for band in range(BANDS):
        for bucket in _buckets(read.keys[:, band]):
            _join(bucket, read, parent)
    return _gathered(parent)


def kin(texts: Sequence[str]) -> list[int]:
    """For each text a number that two texts share if they can ever be in one group.

    Whatever else is compared with them: texts that share no bucket never are. Linear.
    """
    read = _read(texts)
    parent = list(range(len(texts)))
    for band in range(BANDS):
        for bucket in _buckets(read.keys[:, band]):
            for place in bucket[1:]:
                first, second = sorted((_root(parent, bucket[0]), _root(parent, place)))
                parent[second] = first
    return [_root(parent, place) for place in range(len(texts))]


def _gathered(parent: list[int]) -> list[Group]:
    members: dict[int, list[int]] = {}
    for place in range(len(parent)):
        members.setdefault(_root(parent, place), []).append(place)
    return [Group(members=tuple(places)) for places in members.values()]


def _buckets(keys: npt.NDArray[np.uint64]) -> Iterator[list[int]]:
    """The places that share a key, two or more at a time, each in rising order."""
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.diff(keys[order])) + 1
    for bucket in np.split(order, ends) if len(order) else ():
        if len(bucket) > 1:
            yield bucket.tolist()


def _join(bucket: Sequence[int], read: _Read, parent: list[int]) -> None:
    """Join each place of a bucket with one of its representatives, or make it one."""
    leads: list[tuple[int, frozenset[int]]] = []
    for place in bucket:
        root = _root(parent, place)
        if any(_root(parent, lead) == root for lead, _ in leads):
            continue
        runs = frozenset(read.runs[place].tolist())
        found = next((lead for lead, theirs in leads if _are_copies(runs, theirs)), None)
        if found is not None and read.meanings[found] == read.meanings[place]:
            first, second = sorted((_root(parent, found), root))
            parent[second] = first
        elif len(leads) < _REPRESENTATIVES:
            leads.append((place, runs))


def _root(parent: list[int], place: int) -> int:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


def _are_copies(one: frozenset[int], other: frozenset[int]) -> bool:
    is_short = min(len(one), len(other)) <= FEW_RUNS
    return _likeness(one, other) >= (SHARED_SHORT if is_short else SHARED)


def _likeness(one: frozenset[int], other: frozenset[int]) -> float:
    """The share of three-word runs that two texts have in common (Jaccard), 0..1."""
    if one == other:
        return 1.0
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def told(text: str) -> str:
    """A text without what people put around it: "Pour info, " before, " Partagez." after.

    Groups of copies keep it: the dozen words of a short text leave no room to guess.
    """
    plain = _TAG.sub(" ", _LINK.sub(" ", text)).strip()
    if opening := _OPENING.match(plain):
        plain = plain[opening.end() :]
    return plain[:-_END] + _CLOSING.sub("", plain[-_END:])


def words(text: str) -> list[str]:
    """The words that copies are told by: lower case, without accents, links, handles or emoji."""
    plain = _TAG.sub(" ", _LINK.sub(" ", _CONTRACTED.sub(r"\1nt", text)))
    bare = plain.casefold()
    if not bare.isascii():
        folded = unicodedata.normalize("NFKD", bare)
        bare = "".join(c for c in folded if not unicodedata.combining(c))
    return [word for word in _WORD.findall(bare) if word not in _NOISE]


def denial_count(tokens: Sequence[str]) -> int:
    """How many of a text's words deny by themselves (`words` gives the tokens)."""
    return sum(token in _DENYING for token in tokens)


def meaning(tokens: Sequence[str]) -> str:
    """What copies must agree on: how often they deny, numbers and weekdays, which opposites."""
    seen = Counter(tokens)
    denials = denial_count(tokens)
    weak = sum(seen[word] for word in _WEAK) if not denials else 0
    numbers = sorted(t for t in tokens if t[0].isdigit() or t in _NUMBER_WORDS)
    sides = sorted({side for word in seen for side in _sides(word)})
    return f"{denials}/{weak}/{','.join(numbers)}/{','.join(sides)}"


_STEMS = {
    stem: f"{number}{side}"
    for number, pair in enumerate(_OPPOSITES)
    for side, stem in zip("+-", pair, strict=True)
}
_SIZES = tuple(sorted({*map(len, _STEMS)}))
_WHOLE = frozenset(
    {"pour", "contre", "avec", "hors", "ban", "free", "paid", "true", "safe", "open"}
)


@lru_cache(maxsize=50_000)
def _sides(word: str) -> frozenset[str]:
    """The opposites whose stem begins `word`, each with its side."""
    starts = {word[:size] for size in _SIZES} & _STEMS.keys()
    return frozenset(_STEMS[s] for s in starts if s not in _WHOLE or s == word)


@dataclass(frozen=True, slots=True)
class _Read:
    """What is known of each text: its runs (uint32 hashes), what it means, its bucket keys.

    `keys` is `(n, BANDS)` uint64; meanings are equal exactly where copies must agree.
    """

    runs: list[npt.NDArray[np.uint32]]
    meanings: list[str]
    keys: npt.NDArray[np.uint64]


def _read(texts: Sequence[str]) -> _Read:
    runs: list[npt.NDArray[np.uint32]] = []
    meanings: list[str] = []
    keys = [np.empty((0, BANDS), dtype=np.uint64)]
    for start in range(0, len(texts), _CHUNK):
        tokens = [words(text) for text in texts[start : start + _CHUNK]]
        part = [_runs(mine) for mine in tokens]
        meant = [meaning(mine) for mine in tokens]
        keys.append(_keys(part, meant))
        runs += part
        meanings += meant
    return _Read(runs, meanings, np.concatenate(keys))


def _runs(tokens: Sequence[str]) -> npt.NDArray[np.uint32]:
    """The hashes of a text's three-word runs; of a short text, one for all of it.

    `ne` is left out, as in speech.
    """
    spoken = [token for token in tokens if token not in _WEAK]
    if len(spoken) < SHORT_WORDS:
        return np.array([crc32(" ".join(spoken).encode())], dtype=np.uint32)
    hashed = np.array([_hashed(token) for token in spoken], dtype=np.uint64)
    mixed = sum(hashed[n : len(hashed) - RUN_WORDS + 1 + n] * _MIX[n] for n in range(RUN_WORDS))
    return (np.asarray(mixed, dtype=np.uint64) >> np.uint64(32)).astype(np.uint32)


@lru_cache(maxsize=200_000)
def _hashed(token: str) -> int:
    return crc32(token.encode())


def _keys(runs: Sequence[npt.NDArray[np.uint32]], meant: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The bucket of each text in each band: `(n, BANDS)`, a mix of MinHash values and meaning."""
    signatures = _signatures(runs).reshape(len(runs), BANDS, ROWS).astype(np.uint64)
    means = np.array([crc32(text.encode()) for text in meant], dtype=np.uint64)
    keys = np.broadcast_to(means[:, None] * _MIX[0], signatures.shape[:2]).copy()
    for row in range(ROWS):
        keys = (keys ^ signatures[:, :, row]) * _MIX[1]
        keys ^= keys >> np.uint64(29)
    return keys


def _signatures(runs: Sequence[npt.NDArray[np.uint32]]) -> npt.NDArray[np.uint32]:
    """The MinHash of each set: `(n, BANDS * ROWS)`, the least value under each permutation."""
    counts = np.array([len(one) for one in runs], dtype=np.int64)
    flat = np.concatenate(runs).astype(np.uint64) % _PRIME
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    rng = np.random.default_rng(20261120)  # the same permutations on every machine
    factors = rng.integers(1, _PRIME, size=BANDS * ROWS, dtype=np.uint64)
    shifts = rng.integers(0, _PRIME, size=BANDS * ROWS, dtype=np.uint64)
    made = np.empty((len(runs), BANDS * ROWS), dtype=np.uint32)
    for column, (a, b) in enumerate(zip(factors, shifts, strict=True)):
        made[:, column] = np.minimum.reduceat((flat * a + b) % _PRIME, starts)
    return made
