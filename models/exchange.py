"""Words, and names of several words, read as others: found by hashes of words in whole arrays.

A name of several words may be written with spaces, hyphens or apostrophes between them. Where two
names begin at one word the longer one is taken.

Cost: about 2 microseconds a text of 100 characters, whatever the size of the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.hashing import CHAIN, Codes, Hashes, Marks, Places, Spans, matching

_JOINTS = " -'"
_SIEVE_BITS = 18


@dataclass(frozen=True, slots=True)
class Table:
    """What is read as what: names of several words stand with spaces between them.

    `keys` are the hashes of the names by number of words, `sieve` marks their top bits;
    `untouched` are characters that must not stand beside a word for it to be exchanged.
    """

    words: Mapping[str, str]
    keys: dict[int, Hashes]
    sieve: Marks
    untouched: str


def table(words: Mapping[str, str], *, untouched: str = "") -> Table:
    """A table of some words. ValueError for one with a joint other than a space."""
    by_size: dict[int, list[str]] = {}
    for word in words:
        if any(sign in word for sign in _JOINTS[1:]):
            raise ValueError(f"{word!r} is to be exchanged: write its parts with spaces between")
        by_size.setdefault(word.count(" ") + 1, []).append(word)
    keys = {size: np.sort(_chained(own, size)) for size, own in sorted(by_size.items())}
    sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
    sieve[_slots(np.concatenate([np.zeros(0, np.uint64), *keys.values()]))] = True
    return Table(words, keys, sieve, untouched)


def _chained(names: list[str], size: int) -> Hashes:
    """The hash of each of some names of `size` words."""
    parts = " ".join(names).split(" ")
    ends = np.cumsum([len(part) + 1 for part in parts]) - 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    codes = np.frombuffer(" ".join(parts).encode("utf-32-le"), np.uint32)
    hashes = Spans(codes).hashes(starts, ends).reshape(len(names), size)
    total = np.zeros(len(names), np.uint64)
    for column in hashes.T:
        total = total * CHAIN + column
    return total


def _slots(hashes: Hashes) -> Places:
    return (hashes * CHAIN >> np.uint64(64 - _SIEVE_BITS)).astype(np.int64)


def exchanged(text: str, known: Table) -> str:
    """The text with every word of the table as what it is read as."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    starts, ends = _words(codes)
    kept, done = [], 0
    for start, end in _found(codes, starts, ends, known):
        own = known.words.get(_spaced(text[start:end]))
        if own is not None and start >= done and _is_free(text, start, end, known.untouched):
            kept += [text[done:start], own]
            done = end
    return "".join([*kept, text[done:]])


def _spaced(name: str) -> str:
    return name.replace("-", " ").replace("'", " ")


def _is_free(text: str, start: int, end: int, untouched: str) -> bool:
    beside = text[max(start - 1, 0) : start] + text[end : end + 1]
    return not any(sign in untouched for sign in beside)


def _words(codes: Codes) -> tuple[Places, Places]:
    """Where runs of letters begin and end: a year at the end of a name does not hide it."""
    edges = np.diff(
        matching(r"[^\W\d_]")[codes].view(np.int8), prepend=np.int8(0), append=np.int8(0)
    )
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _found(codes: Codes, starts: Places, ends: Places, known: Table) -> Iterator[tuple[int, int]]:
    """Spans that look like names of the table, by their place, the longest first."""
    hashes = Spans(codes).hashes(starts, ends)
    chained, is_joined = hashes.copy(), np.ones(len(hashes), np.bool_)
    joint = _joints(codes, starts, ends)
    firsts, lasts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in range(1, max(known.keys, default=0) + 1):
        if size > 1:
            chained[: 1 - size] = chained[: 1 - size] * CHAIN + hashes[size - 1 :]
            is_joined[1 - size :] = False
            is_joined[: 1 - size] &= joint[size - 2 :]
        if size in known.keys:
            places = np.flatnonzero(is_joined & known.sieve[_slots(chained)])
            places = places[np.isin(chained[places], known.keys[size])]
            firsts.append(places)
            lasts.append(places + size - 1)
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    order = np.lexsort((-last, first))
    yield from zip(starts[first[order]].tolist(), ends[last[order]].tolist(), strict=True)


def _joints(codes: Codes, starts: Places, ends: Places) -> NDArray[np.bool_]:
    """Whether one sign that may join a name stands between each word and the next."""
    between = codes[np.minimum(ends[:-1], max(len(codes) - 1, 0))]
    is_joint = np.isin(between, [ord(sign) for sign in _JOINTS])
    return np.asarray(is_joint & (starts[1:] - ends[:-1] == 1))
